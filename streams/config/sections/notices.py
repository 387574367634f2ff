"""Settings of notices to victims and of reports to platforms."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from streams.common import tr
from streams.config.sections.section import Seconds, Secret, Section, Url


class Notify(Section):
    """Notices to victims: their sender, language, channel and rate limits."""

    operator: str = Field("", description="name that notices are signed with, such as 中国移动")
    operators: dict[str, str] = Field(
        default_factory=dict,
        description='the name in other languages, such as {"en" = "China Mobile"}; with a '
        "Chinese name an English text has only 70 characters",
    )
    sender: str = Field(
        "", description="sender of notices, such as 10086; a number or name that everybody knows"
    )
    language: str = Field(
        "zh-Hans",
        description="default language of notices: zh-Hans, zh-Hant, en, or one of texts_file",
    )
    languages: dict[str, str] = Field(
        default_factory=dict,
        description='language by the digits that a number begins with, such as {"852" = '
        '"zh-Hant"}; the longest prefix decides',
    )
    texts_file: Path | None = Field(
        None, description="TOML file with your own texts by language; they replace the shipped ones"
    )
    zone: str = Field("Asia/Shanghai", description="time zone of the texts (IANA name)")
    channel: Literal["file", "smpp", "jasmin", "webhook"] = Field(
        "file", description="how notices are sent; smpp has a section of its own"
    )
    file: Path = Field(
        Path("/var/lib/otpguard/notices.jsonl"), description="file of JSON lines, for channel file"
    )
    url: Url = Field(
        "", description="URL of Jasmin's /send, or a webhook; https, or http to this machine"
    )
    username: str = Field("", description="user name at Jasmin")
    password: Secret = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(None, description="file with Jasmin's password")
    secret: Secret = Field(SecretStr(""), description="better given as secret_file")
    secret_file: Path | None = Field(None, description="file with a webhook's key")
    ca_file: Path | None = Field(
        None,
        description="PEM file of the authority that signed the server's certificate; "
        "without it the system's authorities",
    )
    answer_s: float = Field(
        10,
        gt=0,
        le=60,
        description="seconds to wait for an answer; after that the notice may have been "
        "sent, and is not repeated",
    )
    gateways: list[str] = Field(
        default_factory=list,
        description="gateways whose confirmed lease causes a notice; without it: any "
        "gateway. Leave out adapters that only log",
    )
    hold_off_h: float = Field(
        24, ge=1, le=720, description="hours in which a number gets no second notice"
    )
    per_minute: int = Field(
        600,
        ge=1,
        le=60_000,
        description="maximum number of notices a minute: what the SMSC can carry, and a "
        "limit for a malfunction; 5,000 victims take 8 minutes",
    )
    per_day: int = Field(
        50_000,
        ge=1,
        description="maximum number of notices a day (UTC) to all numbers; enough for a "
        "campaign against 30,000 subscribers, and a limit for a malfunction",
    )
    to_prefixes: dict[
        Annotated[str, Field(pattern=r"^\+?[1-9][0-9]{0,14}$")], Annotated[int, Field(ge=1)]
    ] = Field(
        default_factory=dict,
        description="maximum number of notices a day (UTC) by the digits that a number "
        'begins with, such as {"86" = 50000, "852" = 500}; the longest prefix '
        "decides. Other numbers get none, because some numbers abroad earn money "
        "by each message. Empty: the numbers of input.country",
    )
    age_max_s: Seconds = Field(
        600,
        ge=10,
        description="maximum age of a notice in seconds; an older one would announce what is over",
    )
    end: bool = Field(default=False, description="also notify victims when the flood is over")
    taken_back: bool = Field(
        default=False,
        description="notify a number when somebody releases or exempts it, because an agent "
        "may have been deceived",
    )
    reply: bool = Field(
        default=False,
        description="let victims open new platforms by a reply, for one code each within 10 "
        "minutes; off by default, because it teaches people to reply to messages",
    )
    reply_command: str = Field(
        "KX", pattern=r"^[A-Za-z]{2,8}$", description="text of the reply, in upper or lower case"
    )
    reply_to: list[str] = Field(
        default_factory=list, description="numbers that replies are sent to, such as 10086"
    )
    reply_gateways: list[str] = Field(
        default_factory=list,
        description="gateways that vouch for the sender of a message from a phone: those of "
        "your own radio network. Elsewhere anybody could claim to be the sender",
    )
    reply_topic: str = Field(
        "",
        description="topic of messages from phones, in the contract of the input; empty: the input",
    )
    reply_platforms_max: int = Field(
        8,
        ge=1,
        le=64,
        description="platforms that a reply opens for one code each, the newest first. In "
        "any case a gateway lets only three such codes and codes of retry "
        "windows pass in 12 minutes",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.reply and not (self.reply_to and self.reply_gateways):
            raise ValueError(
                tr("reply needs reply_to and reply_gateways: else anybody could reply for anybody")
            )
        return self


class Smpp(Section):
    """The SMSC to which notices are submitted if `notify.channel` is `smpp`."""

    host: str = Field("127.0.0.1", description="host of the SMSC, such as Jasmin's SMPP server")
    port: int = Field(2775, ge=1, le=65_535, description="port of the SMSC; 2775 is usual")
    system_id: str = Field("", max_length=15, description="system_id of the bind")
    password: Secret = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(
        None, description="file with the bind's password; SMPP allows at most 8 characters"
    )
    system_type: str = Field(
        "", max_length=12, description="system_type of the bind; most SMSCs need none"
    )
    source_ton: int = Field(
        0, ge=0, le=6, description="type of number of notify.sender: 0 unknown, 3 short, 5 a name"
    )
    source_npi: int = Field(0, ge=0, le=18, description="numbering plan of notify.sender")
    validity_s: int = Field(
        3600,
        ge=0,
        le=604_800,
        description="seconds after which the SMSC gives up a notice; 0: the SMSC's default",
    )
    tls: bool = Field(
        default=False, description="use TLS; without it the connection must be private"
    )
    ca_file: Path | None = Field(
        None,
        description="PEM file of the authority that signed the SMSC's certificate; "
        "without it the system's authorities",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(self.password.get_secret_value()) > 8:
            raise ValueError(tr("a password of SMPP has 8 characters at most"))
        return self


class Reports(Section):
    """Abuse reports to platforms whose pages were used in floods, and how they are sent."""

    contacts_file: Path | None = Field(
        None,
        description="file of the contacts of platforms (TOML); without it nobody gets a report",
    )
    org: str = Field(
        "",
        max_length=200,
        description="name of the operator in reports",
    )
    mail_from: str = Field(
        "", description="mail address of the sender of reports, which also receives the answers"
    )
    mail: Literal["maildir", "smtp"] = Field(
        "maildir",
        description="how reports are sent; maildir: they wait in a folder until "
        "somebody sends them",
    )
    maildir: Path = Field(
        Path("/var/lib/otpguard/reports"),
        description="folder of the reports; created if it is missing",
    )
    smtp_host: str = Field("127.0.0.1", description="host of the mail server")
    smtp_port: int = Field(
        25, ge=1, le=65_535, description="port of the mail server; 465 means TLS from the start"
    )
    smtp_tls: bool = Field(default=True, description="use STARTTLS, with a valid certificate")
    smtp_username: str = Field("", description="user at the mail server; empty: none")
    password: Secret = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(None, description="file with the mail server's password")
    messages_min: int = Field(
        20,
        ge=1,
        description="minimum number of messages of a day for a report; a platform "
        "that was abused less gets none",
    )
    at_once: int = Field(
        500,
        ge=1,
        description="messages of a day above which `--at-once` sends a report before the day ends",
    )
    days: int = Field(
        14,
        ge=2,
        le=180,
        description="days to look back, to see whether a platform improves after a report",
    )
