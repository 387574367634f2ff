"""PDF files from HTML. The only module that imports weasyprint, and only when a PDF is needed.

weasyprint loads Pango and HarfBuzz from the system with cffi. `require` checks for them before a
command starts its work.
"""

import io
import logging
import os
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from streams.common.errors import ConfigError
from streams.common.language import tr

PACKAGES: Final = ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0")
"""Debian packages of the system libraries. The last one is optional.

Without libharfbuzz-subset0 weasyprint subsets fonts with fontTools. A report then has the same size
(311,925 bytes in place of 311,978), but takes 7 to 15 times as long (25 s in place of 4 s)."""


class Attachment(NamedTuple):
    """A file inside a PDF. `at` is written as its time of creation and of modification."""

    name: str
    content: bytes
    description: str
    at: datetime


@cache
def require() -> Any:
    """Import and return weasyprint, which takes about a second.

    Raise ConfigError, which names the packages to install, if the system's libraries are missing.
    """
    # The message of weasyprint 70 for a system without libharfbuzz-subset; see PACKAGES.
    warnings.filterwarnings("ignore", "HarfBuzz-Subset will be required", DeprecationWarning)
    # fontTools, which subsets without that library, writes the time of day into each font. A page
    # that is converted again must give the same bytes: a pack is signed, and made again to compare.
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    try:
        with redirect_stdout(io.StringIO()):  # weasyprint prints a page of advice there
            import weasyprint  # noqa: PLC0415 - heavy, an extra
            import weasyprint.urls  # noqa: PLC0415
    except OSError as error:  # raised by cffi when it looks for the libraries
        raise ConfigError(
            tr("a PDF needs Pango (Debian: apt install {packages}): {error}").format(
                packages=" ".join(PACKAGES), error=str(error).partition("\n")[0]
            )
        ) from None
    # Its warnings are about the subsetter, and about SVG styles that are not valid on paper.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    return weasyprint


def has_subsetter() -> bool:
    """Return whether HarfBuzz subsets the fonts; see PACKAGES. Raise ConfigError as `require`."""
    return require().text.ffi.harfbuzz_subset is not None


def write(page: str, attachments: Sequence[Attachment] = (), identifier: str = "") -> bytes:
    """Convert an HTML page to PDF/A-3u. The page cannot read from a network or from files.

    Raise ConfigError if the system's libraries are missing.
    """
    weasyprint = require()
    nowhere = weasyprint.urls.URLFetcher(allowed_protocols=())
    attached = [
        weasyprint.Attachment(
            string=each.content,
            name=each.name,
            description=each.description,
            created=each.at,
            modified=each.at,
            relationship="Source",
            url_fetcher=nowhere,
        )
        for each in attachments
    ]
    return weasyprint.HTML(string=page, url_fetcher=nowhere).write_pdf(
        pdf_variant="pdf/a-3u",
        attachments=attached,
        pdf_identifier=identifier.encode() or None,
    )
