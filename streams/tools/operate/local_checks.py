"""Checks what a process needs besides Kafka: case store, certificates, texts for victims.

The checks only read: they do not create or migrate a store, and send nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from detectors.model.times import DAY_MS
from streams.common import ConfigError, OtpguardError, mask_url, pdf, tr, trn
from streams.config import Settings

State = Literal["ok", "warn", "bad", "unknown"]

EXPIRES_DAYS: Final = 14
"""Days left from which a certificate is reported. Chosen because certificates that renew themselves
do so at a third of 90 days."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. `remedy` is empty if there is nothing to do."""

    check: str
    state: State
    says: str
    remedy: str = ""


def try_check(check: str, look: Callable[[], Check]) -> Check:
    """Return the result of `look`; an OtpguardError becomes a check with state "bad"."""
    try:
        return look()
    except OtpguardError as error:
        return Check(check, "bad", str(error), tr("see what it says"))


def examine_role(settings: Settings, role: str, now_ms: int) -> Iterator[Check]:
    """Yield the checks for a role of `cluster.kafka_rights`; none if it needs only Kafka."""
    if role in ("desk", "signal"):
        yield try_check("store", lambda: _store(settings, now_ms))
    if role == "desk":
        yield try_check("console", lambda: _console(settings, now_ms))
        kafka = settings.kafka
        for file in filter(None, (kafka.cert_file, kafka.ca_file)):
            yield try_check("certificates", partial(_certificate, "certificates", file, now_ms))
        if find_spec("weasyprint") is not None:
            yield try_check("pdf", _pdf)
    if role == "signal":
        yield try_check("signal", lambda: _signal(settings, now_ms))
    if role == "notifier":
        yield try_check("notices", lambda: _notices(settings))


def _store(settings: Settings, now_ms: int) -> Check:
    try:
        # This import and the next need an optional dependency.
        import_module("streams.cases.store.accounts")
        import_module("streams.cases.store.migrate")
        from streams.cases.store.opening import read_ms, there  # noqa: PLC0415 - start-up time
    except ModuleNotFoundError as error:
        return _lacking("store", error, "desk")
    index = tr("start `otpguard desk index`, or see why it lags: deploy/store.md")
    where = mask_url(settings.desk.store)
    if not there(settings):
        says = tr("{store}: there is no case store, or no right to read it").format(store=where)
        return Check("store", "bad", says, index)
    read = read_ms(settings)
    if read is None:
        says = tr("{store}: nothing of the topics is in it yet").format(store=where)
        return Check("store", "warn", says, index)
    lag_s = max(0, now_ms - read) // 1000
    says = tr("{store}: {n} s behind its topics").format(store=where, n=lag_s)
    if lag_s > settings.desk.stale_s:
        return Check("store", "warn", says, index)
    return Check("store", "ok", says)


def _console(settings: Settings, now_ms: int) -> Check:
    own = settings.console
    if own.cert_file is not None:
        return _certificate("console", own.cert_file, now_ms)
    who = ", ".join(own.proxies) or tr("this machine alone")
    return Check("console", "ok", tr("{host}:{port}, without TLS, for {who}").format(
        host=own.host, port=own.port, who=who
    ))  # fmt: skip


def _pdf() -> Check:
    if pdf.has_subsetter():
        says = tr("the libraries that PDFs of packs and reports need are installed")
        return Check("pdf", "ok", says)
    says = tr("a PDF takes about ten times as long without HarfBuzz's subsetter")
    return Check("pdf", "warn", says, tr("apt install {package}").format(package=pdf.PACKAGES[-1]))


def _signal(settings: Settings, now_ms: int) -> Check:
    try:
        from streams.people.signal.clients import read  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        return _lacking("signal", error, "signal")
    own = settings.signal
    if own.clients_file is None:
        says = tr("signal.clients_file: nobody may ask without one")
        return Check("signal", "bad", says, tr("see deploy/signal.md"))
    banks = len(read(own.clients_file, settings.registry()[0]))
    if own.cert_file is not None:
        found = _certificate("signal", own.cert_file, now_ms)
        if found.state != "ok":
            return found
    return Check("signal", "ok", trn("{n} bank may ask", "{n} banks may ask", banks))


def _certificate(check: str, file: Path, now_ms: int) -> Check:
    try:
        from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        return _lacking(check, error, "signal" if check == "signal" else "desk")
    try:
        first, *_ = load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {error}") from None
    left = (round(first.not_valid_after_utc.timestamp() * 1000) - now_ms) // DAY_MS
    says = tr("{file}: the certificate ends in {days}").format(
        file=file, days=trn("{n} day", "{n} days", left)
    )
    if left < 0:
        says = tr("{file}: the certificate has ended").format(file=file)
    remedy = tr("renew it; the process reads it at its start")
    if left < EXPIRES_DAYS:
        return Check(check, "bad" if left < 0 else "warn", says, remedy)
    return Check(check, "ok", says)


def _notices(settings: Settings) -> Check:
    notify = settings.notify
    says = tr("channel {channel}, from {sender} in the name of {operator}").format(
        channel=notify.channel, sender=notify.sender, operator=notify.operator
    )
    if not (notify.sender and notify.operator):
        says = tr(
            "notify.sender and notify.operator are required, because a notice names its sender"
        )
        return Check("notices", "bad", says, tr("see deploy/notices.md"))
    if notify.channel == "file":
        return Check("notices", "warn", says, tr("into a file: nobody is notified"))
    return Check("notices", "ok", says)


def _lacking(check: str, error: ModuleNotFoundError, command: str) -> Check:
    from streams.common.extras import lacking  # noqa: PLC0415 - start-up time

    says = lacking(error, command)
    if says is None:
        raise error
    return Check(check, "bad", str(says))
