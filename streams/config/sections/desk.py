"""Settings of the abuse desk: its case store, its console, evidence packs, the signal to banks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from streams.clock import zone_named
from streams.config.sections.section import (
    ExistingFile,
    Seconds,
    Secret,
    Section,
    Url,
    check_file,
)
from streams.language import tr
from streams.tls import LOOPBACK

DESK_ROLES: Final = ("agent", "lead", "analyst", "evidence", "approver", "auditor", "admin")
"""Values of `streams.desk.store.roles.DeskRole`. They are repeated here so that settings need not
import the desk. A test checks that both are equal."""


class DeskSettings(Section):
    """The desk's case store: its address, its retention times, and its keys for tokens."""

    store: str = Field(
        "sqlite:////var/lib/otpguard/desk/desk.db",
        description="URL of the case store: a file of SQLite (an index is put beside it), or "
        "postgresql+psycopg://user@host/database, where several machines have a console",
    )
    password: Secret = Field(SecretStr(""), description="of PostgreSQL; better as password_file")
    password_file: Path | None = Field(None, description="file that holds the password")
    cases_days: int = Field(
        180,
        ge=1,
        le=3_650,
        description="a case, its leases, messages, notices and words about its number are kept "
        "for so long after its end; six months are what the Cybersecurity Law (Art. 21) asks of "
        "network logs",
    )
    audit_days: int = Field(
        180, ge=180, le=3_650, description="lines of the audit are kept, six months at least"
    )
    papers_days: int = Field(
        1_095,
        ge=1,
        le=3_650,
        description="notes, calls, appeals and proposals are kept: three years, as the records of "
        "impact assessments (PIPL Art. 56)",
    )
    batch_records_max: int = Field(
        2_000,
        ge=1,
        le=50_000,
        description="records in one transaction; more are hardly faster, and others wait longer",
    )
    stale_s: Seconds = Field(
        60,
        description="an index that is further behind is called stale wherever it is shown; it is "
        "written to each second",
    )
    token_key_files: dict[str, Path] = Field(
        default_factory=dict,
        description="key id -> file of the key with which feeds make tokens of numbers "
        "(HMAC-SHA-256 of the E.164 digits): a number that is typed is looked for by its tokens "
        "too; whoever has a key can undo the tokens, so give it to the desk alone",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for key_id, path in self.token_key_files.items():
            if not re.fullmatch("[0-9A-Za-z_-]{1,16}", key_id):
                raise ValueError(tr("token_key_files: {key} is no key id").format(key=key_id))
            check_file(path)
        return self


class EvidenceSettings(Section):
    """Evidence packs: the issuing unit, the time zone, and the signing key."""

    unit: str = Field(
        "", description="name of the unit that provides evidence, for the cover sheet"
    )
    contact: str = Field("", description="address and telephone of the unit, for the cover sheet")
    zone: str = Field(
        "Asia/Shanghai",
        description="zone of the local times in reports, which have UTC beside them (IANA name)",
    )
    key: SecretStr = Field(SecretStr(""), description="the pack key in PEM; better as key_file")
    key_file: Path | None = Field(
        None,
        description="file of the pack key, that `otpguard evidence key new` makes; nobody but its "
        "owner may read it",
    )
    key_uri: str = Field(
        "",
        pattern=r"^(pkcs11:\S+)?$",
        description="the pack key in hardware, by its PKCS#11 URI with token, object and "
        "module-path; it never leaves there",
    )
    pin: Secret = Field(SecretStr(""), description="better given as pin_file")
    pin_file: Path | None = Field(None, description="file that holds the PIN of key_uri's token")
    signers_file: Path | None = Field(
        None,
        description="list of successors, that `otpguard evidence key rotate` writes; goes into "
        "every pack, so that who knows an earlier fingerprint can check it",
    )
    tsa_url: Url = Field(
        "", description="time-stamping authority (RFC 3161); empty: tokens are brought by hand"
    )

    @model_validator(mode="after")
    def _there(self) -> Self:
        if zone_named(self.zone) is None:
            raise ValueError(tr("zone {zone!r}: no such zone").format(zone=self.zone))
        named = (self.key_file, self.key_uri, self.key.get_secret_value())
        if sum(map(bool, named)) > 1:
            raise ValueError(tr("one pack key: key_file, key_uri or key"))
        return self

    @property
    def has_key(self) -> bool:
        """True if a signing key for evidence packs is set."""
        return bool(self.key_uri or self.key_file or self.key.get_secret_value())


class SignalSettings(Section):
    """The signal service, which answers queries of banks from the desk's case store."""

    host: str = Field("127.0.0.1", description="address to listen on; any but loopback needs TLS")
    port: int = Field(9091, ge=1, le=65_535, description="port to listen on")
    cert_file: Path | None = Field(None, description="PEM of the server's certificate chain")
    key_file: Path | None = Field(None, description="PEM of its key")
    client_ca_file: Path | None = Field(
        None, description="PEM of the authorities of client certificates; none: tokens only"
    )
    clients_file: Path | None = Field(
        None, description="TOML of the banks that may ask: scopes, quotas, own platforms"
    )
    issuer: str = Field("", description="`iss` that access tokens must have")
    audience: str = Field("", description="`aud` that access tokens must have")
    jwks_file: Path | None = Field(None, description="keys of the authorisation server (JWKS)")
    jwks_url: Url = Field("", description="the same by URL, read again every ten minutes")
    number_claim: str = Field(
        "phone_number", description="claim by which a three-legged token names its number"
    )
    stale_s: Seconds = Field(
        60, description="an index that is further behind answers 503, never that there is no flood"
    )

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.host not in LOOPBACK and (self.cert_file is None or self.key_file is None):
            raise ValueError(
                tr("host {host} is not loopback: cert_file and key_file are needed").format(
                    host=self.host
                )
            )
        if (self.jwks_file or self.jwks_url) and not (self.issuer and self.audience):
            raise ValueError(tr("tokens are checked by issuer and audience: name both"))
        return self


class Console(Section):
    """The desk's web console: its address, its sign-in, and what an agent may do alone."""

    host: str = Field(
        "127.0.0.1", description="address to listen on; any but loopback asks TLS or a proxy"
    )
    port: int = Field(8470, ge=0, le=65_535, description="port to listen on; 0: any that is free")
    url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description="address by which browsers reach it, such as https://desk.example; requests "
        "that name another are refused. Empty: that of host and port",
    )
    cert_file: ExistingFile = Field(None, description="PEM of the certificate; none: no TLS here")
    key_file: ExistingFile = Field(None, description="PEM of its key")
    proxies: tuple[str, ...] = Field(
        (),
        description="networks of the proxies in front, such as 10.0.0.5/32: their X-Forwarded-For "
        "is believed, and nobody else's",
    )
    enter: tuple[Literal["password", "oidc", "proxy"], ...] = Field(
        ("password",),
        min_length=1,
        description="ways in: password (local accounts), oidc, proxy (which has checked who comes)",
    )
    oidc_issuer: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="the provider's issuer, an https address"
    )
    oidc_client_id: str = Field("", description="the desk's name at the provider")
    oidc_secret: Secret = Field(SecretStr(""), description="better given as oidc_secret_file")
    oidc_secret_file: Path | None = Field(None, description="file of the client's secret")
    oidc_scope: str = Field("openid profile email", description="scopes that are asked for")
    oidc_name: str = Field(
        "sub",
        description="claim that names a person for ever; another, such as preferred_username, only "
        "where people cannot change it",
    )
    oidc_claim: str = Field("groups", description="claim that lists a person's groups")
    proxy_secret: Secret = Field(SecretStr(""), description="better given as proxy_secret_file")
    proxy_secret_file: Path | None = Field(
        None,
        description="file of what the proxy sends as X-Otpguard-Proxy: whoever reaches the port "
        "past it has no such word",
    )
    proxy_user: str = Field("x-forwarded-user", description="header that names the person")
    proxy_groups: str = Field(
        "x-forwarded-groups", description="header that lists the person's groups, with commas"
    )
    roles: dict[str, str] = Field(
        default_factory=dict,
        description="group at the provider or proxy -> role at the desk (agent, lead, analyst, "
        "evidence, approver, auditor, admin); who has none does not come in",
    )
    idle_s: Seconds = Field(900, description="a session ends after so long without a click")
    absolute_s: Seconds = Field(43_200, description="and after a shift, clicks or not")
    language: Literal["zh-Hans", "en"] = Field(
        "zh-Hans", description="of a browser that asks for none of ours"
    )
    zone: str = Field(
        "Asia/Shanghai", description="IANA name of the zone whose times are shown; records are UTC"
    )
    searches_per_min: int = Field(
        30, ge=1, description="of a person; a call takes minutes, so more is a list being tried"
    )
    unmasks_per_h: int = Field(20, ge=1, description="whole numbers shown to a person in an hour")
    acts_per_h: int = Field(
        60, ge=1, description="releases, allows and exempts of a person in an hour"
    )
    exempt_s: Seconds = Field(
        604_800, description="longest exempt by an agent; an attacker may have talked to one"
    )
    exempt_lead_s: Seconds = Field(
        7_776_000, description="longest exempt by a lead; beyond it a second person is needed"
    )
    appeal_s: Seconds = Field(
        259_200, description="time to decide an appeal; the law says promptly, three days is ours"
    )
    wait_s: Seconds = Field(3, description="for gateways to confirm a word before the page answers")
    streams_max: int = Field(
        3, ge=1, le=5, description="live lists of a session: a browser has six connections"
    )
    wide: bool = Field(
        default=False,
        description="words about everyone (kill switch, platform for all) by two people; the "
        "console's Kafka user needs the right to write them",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError(tr("cert_file and key_file belong together"))
        if self.host not in LOOPBACK and self.cert_file is None and not self.proxies:
            raise ValueError(
                tr(
                    "host {host} is not loopback, and there is neither cert_file nor a proxy with "
                    "TLS in proxies: passwords and numbers would cross the network in clear"
                ).format(host=self.host)
            )
        if "oidc" in self.enter and not (self.oidc_issuer and self.oidc_client_id):
            raise ValueError(tr("to enter by oidc, oidc_issuer and oidc_client_id are needed"))
        if "proxy" in self.enter and not (self.proxies and self.proxy_secret.get_secret_value()):
            raise ValueError(tr("to enter by proxy, proxies and proxy_secret_file are needed"))
        if wrong := set(self.roles.values()) - set(DESK_ROLES):
            raise ValueError(tr("roles: there is no {role}").format(role=min(wrong)))
        self._check_names()
        return self

    def _check_names(self) -> None:
        """Raise ValueError for invalid networks and time zones.

        Otherwise the first request would fail.
        """
        from ipaddress import ip_network  # noqa: PLC0415 - start-up time

        for each in self.proxies:
            try:
                ip_network(each, strict=False)
            except ValueError:
                raise ValueError(tr("proxies: {each} is no network").format(each=each)) from None
        if zone_named(self.zone) is None:
            raise ValueError(tr("zone: there is no {zone}").format(zone=self.zone))
