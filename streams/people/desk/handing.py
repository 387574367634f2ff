"""Creates an evidence pack of a case from the store, and sends it as a download.

Each pack is recorded in the audit log. The pack is built in a temporary folder that is deleted at
the end of the request, so nothing stays on this machine.
"""

import io
import logging
import re
import tempfile
import threading
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.responses import Response

from streams.cases.store.answers import CaseFile
from streams.common import ConfigError, UnavailableError, UsageError, pdf, tr
from streams.common.extras import how_to_install
from streams.people.desk.call_pages import REASON_MAX, CasePages
from streams.people.desk.desk_context import Desk
from streams.people.desk.render import Flash
from streams.people.desk.visit import RefusedError, Visit

log = logging.getLogger(__name__)


@dataclass(slots=True)
class EvidencePages:
    """Creates evidence packs, one at a time, because each needs several seconds of a core."""

    desk: Desk
    cases: CasePages
    _making: threading.Lock = field(default_factory=threading.Lock)

    def make(self, visit: Visit) -> Response:
        """Answer with an evidence pack as a zip file.

        The form must name the authority and the number of its request.
        """
        file = self.cases.open_case(visit, visit.read_field("episode"), visit.read_field("k"))
        asked = {name: visit.read_field(name, REASON_MAX) for name in ("authority", "document")}
        received = visit.read_field("received", 32)
        if not all(asked.values()):
            raise UsageError(tr("The authority and the number of its request are needed."))
        self.desk.take("unmasks", visit)  # a pack contains the full number
        about: dict[str, Any] = {
            "subject": file.line.recipient,
            "episode_id": file.line.episode_id,
            "reason": asked["authority"],
            "ticket": asked["document"][:64],
        }
        self.desk.audit(visit, "export", "asked", **about)
        if not self._making.acquire(blocking=False):
            self.desk.audit(visit, "export", "refused", **about)
            raise RefusedError(429, tr("Another pack is being made. Try again."), wait_s=10)
        try:
            name, content, digest = self._build_pack(visit, file, {**asked, "received": received})
        except Exception as error:
            self.desk.audit(visit, "export", "failed", **about)  # any error: no pack was sent
            if not isinstance(error, UnavailableError | ConfigError):
                raise
            return self.cases.again(visit, Flash(str(error), "bad"), 503)
        finally:
            self._making.release()
        self.desk.audit(visit, "export", "done", detail=f"manifest sha256 {digest}", **about)
        headers = {"content-disposition": f'attachment; filename="{name}.zip"',
                   "cache-control": "no-store"}  # fmt: skip
        return Response(content, 200, headers, "application/zip")

    def _build_pack(
        self, visit: Visit, file: CaseFile, asked: dict[str, str]
    ) -> tuple[str, bytes, str]:
        """Build a pack. Return its name, the zip file, and the digest of its manifest.

        Raise OtpguardError if the pack cannot be built or does not verify.
        """
        try:
            from streams.people.evidence import (  # noqa: PLC0415 - needs an extra
                pack,
                pack_files,
                pack_records,
                pack_report,
                signer,
                standalone,
                verify,
            )
        except ImportError:
            how = how_to_install("evidence")
            raise UnavailableError(tr("packs need more packages: {how}").format(how=how)) from None
        pdf.require()
        settings, own = self.desk.settings, self.desk.settings.evidence
        episode_id = file.line.episode_id
        chosen = pack_records.gather_records(
            file, pack_records.from_store(self.desk.store.records(episode_id))
        )
        chosen.behind_s = self.desk.store.freshness().lag_ms // 1000
        account = visit.person.account
        cover = pack_report.Cover(
            own.unit, own.contact, asked["authority"], asked["document"], asked["received"],
            account.shown_name or account.name, own.zone,
        )  # fmt: skip
        making = pack.Making.of(settings, signer.signer(settings), cover, self.desk.now_ms())
        name = "evidence-" + re.sub(r"[^A-Za-z0-9.-]", "-", episode_id)[:80]
        with tempfile.TemporaryDirectory(prefix="otpguard-pack-") as scratch:
            folder = Path(scratch) / name
            pack.make(chosen, making, folder)
            wrong = verify.verify(folder, making.key.public.fingerprint).wrong
            self.desk.metrics.add("desk_packs_total", outcome="bad" if wrong else "good")
            if wrong:  # a pack that fails verification in court is worse than none
                log.error("a pack was made that does not verify: %s", "; ".join(wrong[:5]))
                raise UnavailableError(tr("the pack that was made does not verify; call the NOC"))
            return (
                name,
                zip_folder(folder),
                standalone.sha256((folder / pack_files.MANIFEST).read_bytes()),
            )


def zip_folder(folder: Path) -> bytes:
    """Return a folder as a zip file. The same files always give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(f"{folder.name}/{path.name}")  # default date, 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, path.read_bytes())
    return out.getvalue()
