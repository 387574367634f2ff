"""Settings of notices to victims and of reports to platforms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from streams.config.sections.section import Seconds, Secret, Section, Url
from streams.language import tr


class Notify(Section):
    """Notices to victims: their sender, language, channel and rate limits."""

    operator: str = Field("", description="name that notices are signed with, such as 中国移动")
    operators: dict[str, str] = Field(
        default_factory=dict,
        description="language -> the name in it, where it is another: "
        '{"en" = "China Mobile"}; a Chinese name leaves a text in English 70 characters',
    )
    sender: str = Field(
        "", description="number or name that notices come from, such as 10086; known to everybody"
    )
    language: str = Field("zh-Hans", description="of the texts: zh-Hans, zh-Hant, en, or a file's")
    languages: dict[str, str] = Field(
        default_factory=dict,
        description="digits that a number begins with -> its language; the longest counts, such "
        'as {"852" = "zh-Hant"}',
    )
    texts_file: Path | None = Field(
        None, description="TOML with texts of one's own, by language; over the shipped ones"
    )
    zone: str = Field("Asia/Shanghai", description="the clock of the texts, by its IANA name")
    channel: Literal["file", "smpp", "jasmin", "webhook"] = Field(
        "file", description="the way to phones; smpp has a section of its own"
    )
    file: Path = Field(
        Path("/var/lib/otpguard/notices.jsonl"), description="lines of JSON, for channel file"
    )
    url: Url = Field(
        "", description="of Jasmin's /send, or of a webhook; https, or http to this machine"
    )
    username: str = Field("", description="user at Jasmin")
    password: Secret = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(None, description="file that holds Jasmin's password")
    secret: Secret = Field(SecretStr(""), description="better given as secret_file")
    secret_file: Path | None = Field(None, description="file that holds a webhook's key")
    ca_file: Path | None = Field(
        None, description="PEM of the authority of the server's certificate; none: the system's"
    )
    answer_s: float = Field(
        10,
        gt=0,
        le=60,
        description="for an answer; later the notice may have gone, and is not sent again",
    )
    gateways: list[str] = Field(
        default_factory=list,
        description="gateways whose lease is told of once they hold it; none: any. An adapter that "
        "only logs has to be left out",
    )
    hold_off_h: float = Field(
        24, ge=1, le=720, description="a number gets no second notice for so long"
    )
    per_minute: int = Field(
        600,
        ge=1,
        le=60_000,
        description="notices a minute: what the SMSC may carry, and the most that a machine gone "
        "wrong may send; 5,000 victims take 8 min",
    )
    per_day: int = Field(
        50_000,
        ge=1,
        description="notices a day (UTC) to all numbers: a campaign against 30,000 subscribers "
        "fits, and a machine gone wrong stops there",
    )
    to_prefixes: dict[
        Annotated[str, Field(pattern=r"^\+?[1-9][0-9]{0,14}$")], Annotated[int, Field(ge=1)]
    ] = Field(
        default_factory=dict,
        description="digits that a number begins with -> most notices a day (UTC) to such "
        'numbers, such as {"86" = 50000, "852" = 500}; the longest counts. Other numbers get none: '
        "some abroad earn by each message. Empty: the numbers of input.country",
    )
    age_max_s: Seconds = Field(
        600, ge=10, description="a notice that could not go for so long says what is over"
    )
    end: bool = Field(default=False, description="tell victims too when it is over")
    taken_back: bool = Field(
        default=False,
        description="tell a number when somebody releases or exempts it: an agent may be deceived",
    )
    reply: bool = Field(
        default=False,
        description="let victims open new platforms for one code within 10 min by a reply; "
        "teaches people to reply to messages, so it is off",
    )
    reply_command: str = Field(
        "KX", pattern=r"^[A-Za-z]{2,8}$", description="the whole reply, in any case"
    )
    reply_to: list[str] = Field(
        default_factory=list, description="numbers that replies are sent to, such as 10086"
    )
    reply_gateways: list[str] = Field(
        default_factory=list,
        description="gateways that vouch for the sender of a message from a phone: those of one's "
        "own radio network. Of others anybody could be named as the sender",
    )
    reply_topic: str = Field(
        "",
        description="topic of messages from phones, in the contract of the input; empty: the input",
    )
    reply_platforms_max: int = Field(
        8,
        ge=1,
        le=64,
        description="platforms that a reply opens for one code each, the newest first; a gateway "
        "lets three such codes and second requests through in 12 min, whatever this says",
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

    host: str = Field("127.0.0.1", description="of the SMSC; Jasmin's SMPP server will do")
    port: int = Field(2775, ge=1, le=65_535, description="its port; 2775 is the usual one")
    system_id: str = Field("", max_length=15, description="user of the bind")
    password: Secret = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(
        None, description="file that holds the bind's password; 8 characters at most, by SMPP"
    )
    system_type: str = Field("", max_length=12, description="of the bind; most SMSCs ask for none")
    source_ton: int = Field(
        0, ge=0, le=6, description="type of number of notify.sender: 0 unknown, 3 short, 5 a name"
    )
    source_npi: int = Field(0, ge=0, le=18, description="numbering plan of notify.sender")
    validity_s: int = Field(
        3600, ge=0, le=604_800, description="the SMSC then forgets a notice; 0: as it likes"
    )
    tls: bool = Field(default=False, description="TLS; else the line has to be one's own")
    ca_file: Path | None = Field(
        None, description="PEM of the authority of the SMSC's certificate; none: the system's"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(self.password.get_secret_value()) > 8:
            raise ValueError(tr("a password of SMPP has 8 characters at most"))
        return self


class Reports(Section):
    """Abuse reports to platforms whose pages were used in floods, and how they are sent."""

    contacts_file: Path | None = Field(
        None, description="whom to tell of which platform, TOML or CSV; none: nobody is told"
    )
    org: str = Field(
        "", max_length=200, description="name of the operator in reports; XARF takes no longer one"
    )
    mail_from: str = Field("", description="address that reports come from, and answers go to")
    mail: Literal["maildir", "smtp"] = Field(
        "maildir", description="maildir: reports lie in a folder until somebody sends them"
    )
    maildir: Path = Field(
        Path("/var/lib/otpguard/reports"), description="the folder; made if it is not there"
    )
    smtp_host: str = Field("127.0.0.1", description="of the mail server")
    smtp_port: int = Field(25, ge=1, le=65_535, description="its port; 465 is TLS from the start")
    smtp_tls: bool = Field(default=True, description="STARTTLS, with a certificate that is right")
    smtp_username: str = Field("", description="user at the mail server; empty: none")
    password: Secret = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(None, description="file that holds its password")
    messages_min: int = Field(
        20, ge=1, description="of a day; a platform that was used less gets no letter"
    )
    at_once: int = Field(
        500, ge=1, description="messages of a day over which `--at-once` does not wait for its end"
    )
    days: int = Field(
        14, ge=2, le=180, description="looked back, to tell if a platform that was told improves"
    )
