"""Settings of the abuse desk: its case store, its console, evidence packs, the signal to banks."""

import re
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from streams.common import tr, zone_named
from streams.common.errors import refuse_faults
from streams.common.tls import LOOPBACK
from streams.config.sections.section import (
    ExistingFile,
    Seconds,
    Secret,
    Section,
    Url,
    check_file,
)

DESK_ROLES: Final = ("agent", "lead", "analyst", "evidence", "approver", "auditor", "admin")
"""Values of `streams.cases.store.roles.DeskRole`. They are repeated here so that settings need not
import the desk. A test checks that both are equal."""


class DeskSettings(Section):
    """The desk's case store: its address, retention times, and keys for pseudonyms of numbers."""

    store: str = Field(
        "sqlite:////var/lib/otpguard/desk/desk.db",
        description="URL of the case store: a SQLite file (the index is put beside it), or "
        "postgresql+psycopg://user@host/database if several machines have a "
        "console",
    )
    password: Secret = Field(
        SecretStr(""), description="password of PostgreSQL; better as password_file"
    )
    password_file: Path | None = Field(None, description="file with the password")
    cases_days: int = Field(
        180,
        ge=1,
        le=3_650,
        description="days that a case with its leases, messages, notices and overrides is "
        "kept after its end; the Cybersecurity Law (Art. 21) requires six months "
        "for network logs",
    )
    audit_days: int = Field(
        180, ge=180, le=3_650, description="days that audit records are kept; at least six months"
    )
    papers_days: int = Field(
        1_095,
        ge=1,
        le=3_650,
        description="days that notes, calls, appeals and proposals are kept; three years, "
        "like the records of impact assessments (PIPL Art. 56)",
    )
    batch_records_max: int = Field(
        2_000,
        ge=1,
        le=50_000,
        description="records in one transaction; more are hardly faster, and others must "
        "wait longer",
    )
    stale_s: Seconds = Field(
        60,
        description="seconds behind the topics after which the index is marked as stale; it "
        "is written every second",
    )
    token_key_files: dict[str, Path] = Field(
        default_factory=dict,
        description="file of each key with which feeds turn numbers into tokens "
        "(HMAC-SHA-256 of the E.164 digits), by key id. A number that somebody "
        "types is then also looked up by its tokens. A key can reverse the "
        "tokens, so give it to the desk alone",
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
    key: SecretStr = Field(
        SecretStr(""), description="the pack key in PEM; better given as key_file"
    )
    key_file: Path | None = Field(
        None,
        description="file of the pack key, made by `otpguard evidence key new`; only its "
        "owner may read it",
    )
    signers_file: Path | None = Field(
        None,
        description="list of successors, written by `otpguard evidence key rotate`; it is "
        "part of every pack, so that people who know an earlier fingerprint can "
        "check the pack",
    )
    tsa_url: Url = Field(
        "",
        description="URL of the time-stamping authority (RFC 3161); empty: tokens are fetched "
        "by hand",
    )

    @model_validator(mode="after")
    def _there(self) -> Self:
        keys = self.key_file, self.key.get_secret_value()
        refuse_faults(
            {
                tr("zone {zone!r}: no such zone").format(zone=self.zone): (
                    zone_named(self.zone) is None
                ),
                tr("one pack key: key_file or key"): all(keys),
            }
        )
        return self

    @property
    def has_key(self) -> bool:
        return bool(self.key_file or self.key.get_secret_value())


class SignalSettings(Section):
    """The signal service, which answers queries of banks from the desk's case store."""

    host: str = Field(
        "127.0.0.1", description="address to listen on; any other than loopback requires TLS"
    )
    port: int = Field(9091, ge=1, le=65_535, description="port to listen on")
    cert_file: Path | None = Field(None, description="PEM file of the server's certificate chain")
    key_file: Path | None = Field(None, description="PEM file of the key")
    client_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities of client certificates; without it "
        "only tokens are accepted",
    )
    clients_file: Path | None = Field(
        None, description="TOML file of the banks that may ask: scopes, quotas, own platforms"
    )
    issuer: str = Field("", description="`iss` that access tokens must have")
    audience: str = Field("", description="`aud` that access tokens must have")
    jwks_file: Path | None = Field(None, description="file with the issuer's keys (JWKS)")
    jwks_url: Url = Field("", description="URL of these keys, read again every ten minutes")
    number_claim: str = Field(
        "phone_number", description="claim by which a three-legged token names its number"
    )
    stale_s: Seconds = Field(
        60,
        description="seconds behind the topics after which the signal answers 503, never "
        "that there is no flood",
    )

    @model_validator(mode="after")
    def _safe(self) -> Self:
        in_clear = tr("host {host} is not loopback: cert_file and key_file are needed")
        takes_tokens = bool(self.jwks_file or self.jwks_url)
        refuse_faults(
            {
                in_clear.format(host=self.host): (
                    self.host not in LOOPBACK and None in (self.cert_file, self.key_file)
                ),
                tr("tokens are checked by issuer and audience: name both"): (
                    takes_tokens and not (self.issuer and self.audience)
                ),
            }
        )
        return self


class Console(Section):
    """The desk's web console: its address, its sign-in, and what an agent may do alone."""

    host: str = Field(
        "127.0.0.1",
        description="address to listen on; any other than loopback requires TLS or a proxy",
    )
    port: int = Field(8470, ge=0, le=65_535, description="port to listen on; 0: any that is free")
    url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description="address that browsers use, such as https://desk.example; requests with "
        "another host name are refused. Empty: made from host and port",
    )
    cert_file: ExistingFile = Field(None, description="PEM file of the certificate; none: no TLS")
    key_file: ExistingFile = Field(None, description="PEM file of the key")
    proxies: tuple[str, ...] = Field(
        (),
        description="networks of the proxies in front, such as 10.0.0.5/32; X-Forwarded-For "
        "is believed only from these",
    )
    enter: tuple[Literal["password", "oidc", "proxy"], ...] = Field(
        ("password",),
        min_length=1,
        description="log-in methods: password (local accounts), oidc, proxy (the proxy has "
        "authenticated the user)",
    )
    oidc_issuer: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="the provider's issuer, an https address"
    )
    oidc_client_id: str = Field("", description="client id of the desk at the provider")
    oidc_secret: Secret = Field(SecretStr(""), description="better given as oidc_secret_file")
    oidc_secret_file: Path | None = Field(None, description="file with the client's secret")
    oidc_scope: str = Field("openid profile email", description="scopes that are requested")
    oidc_name: str = Field(
        "sub",
        description="claim that identifies a person permanently; use another, such as "
        "preferred_username, only where people cannot change it",
    )
    oidc_claim: str = Field("groups", description="claim that lists a person's groups")
    proxy_secret: Secret = Field(SecretStr(""), description="better given as proxy_secret_file")
    proxy_secret_file: Path | None = Field(
        None,
        description="file with the secret that the proxy sends as X-Otpguard-Proxy; somebody "
        "who bypasses the proxy does not have it",
    )
    proxy_user: str = Field("x-forwarded-user", description="header that names the person")
    proxy_groups: str = Field(
        "x-forwarded-groups",
        description="header that lists the person's groups, separated by commas",
    )
    roles: dict[str, str] = Field(
        default_factory=dict,
        description="role at the desk (agent, lead, analyst, evidence, approver, auditor, "
        "admin) for each group of the provider or proxy; a person without a role "
        "cannot log in",
    )
    idle_s: Seconds = Field(900, description="seconds without a click after which a session ends")
    absolute_s: Seconds = Field(
        43_200, description="maximum duration of a session in seconds: a shift"
    )
    language: Literal["zh-Hans", "en"] = Field(
        "zh-Hans", description="language for browsers that ask for none of the available ones"
    )
    zone: str = Field(
        "Asia/Shanghai", description="IANA name of the zone whose times are shown; records are UTC"
    )
    searches_per_min: int = Field(
        30,
        ge=1,
        description="searches of a person a minute; a call takes minutes, so more "
        "means that somebody tries a list",
    )
    unmasks_per_h: int = Field(
        20, ge=1, description="whole numbers that a person may see in an hour"
    )
    acts_per_h: int = Field(
        60, ge=1, description="releases, allowed platforms and exemptions of a person in an hour"
    )
    exempt_s: Seconds = Field(
        604_800,
        description="longest exemption by an agent in seconds; an attacker may have "
        "deceived the agent",
    )
    exempt_lead_s: Seconds = Field(
        7_776_000,
        description="longest exemption by a lead in seconds; a longer one needs a second person",
    )
    appeal_s: Seconds = Field(
        259_200,
        description="seconds to decide an appeal; the law says promptly, three days is our choice",
    )
    wait_s: Seconds = Field(
        3, description="seconds that a page waits for gateways to confirm an override"
    )
    streams_max: int = Field(
        3, ge=1, le=5, description="live lists of a session; a browser has six connections"
    )
    runbooks: str = Field(
        "deploy/runbooks",
        description="address of your copy of deploy/runbooks, to which the health page links, such "
        "as https://wiki.example/otpguard/runbooks",
    )
    wide: bool = Field(
        default=False,
        description="allow overrides for everybody (kill switch, a platform for all) by two "
        "people; the console's Kafka user needs the right to write them",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        in_clear = tr(
            "host {host} is not loopback, and there is neither cert_file nor a proxy with TLS in "
            "proxies: passwords and numbers would cross the network in clear"
        )
        wrong = sorted(set(self.roles.values()) - set(DESK_ROLES))
        knows_proxy = bool(self.proxies and self.proxy_secret.get_secret_value())
        refuse_faults(
            {
                tr("cert_file and key_file belong together"): (
                    (self.cert_file is None) != (self.key_file is None)
                ),
                in_clear.format(host=self.host): (
                    self.host not in LOOPBACK and self.cert_file is None and not self.proxies
                ),
                tr("to enter by oidc, oidc_issuer and oidc_client_id are needed"): (
                    "oidc" in self.enter and not (self.oidc_issuer and self.oidc_client_id)
                ),
                tr("to enter by proxy, proxies and proxy_secret_file are needed"): (
                    "proxy" in self.enter and not knows_proxy
                ),
                tr("roles: there is no {role}").format(role=", ".join(wrong)): bool(wrong),
                tr("zone: there is no {zone}").format(zone=self.zone): (
                    zone_named(self.zone) is None
                ),
            }
        )
        self._check_proxies()
        return self

    def _check_proxies(self) -> None:
        """Raise ValueError for invalid networks.

        Otherwise the first request would fail.
        """
        from ipaddress import ip_network  # noqa: PLC0415 - start-up time

        for each in self.proxies:
            try:
                ip_network(each, strict=False)
            except ValueError:
                raise ValueError(tr("proxies: {each} is no network").format(each=each)) from None
