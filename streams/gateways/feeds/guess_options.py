"""Guesses the options of `feed csv` and `feed jsonl` from the first rows. Pure.

A guess is the same options that a person could give, so they can be shown, copied and refused. What
can be read in two ways is asked for.
"""

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import Any, Final

import msgspec

from streams.common import UsageError, join_list, tr
from streams.gateways.feeds import guess, text_form
from streams.gateways.feeds.file_records import FileLayout, column_names
from streams.gateways.feeds.mapping import REQUIRED, flatten, time_reader
from streams.wire import Numbers

Ask = Callable[[str, str, Sequence[str]], str]
"""Asks a person: a question, the option that answers it, and the possible answers; any if there are
none. Raises UsageError where nobody can answer."""

Row = Mapping[str, str]
Columns = Mapping[str, list[str]]
"""Name of a column -> its values that are not empty."""

NAMES: Final = {
    "event_time_ms": (
        "eventtime submittime submitdate submittedat submitted senttime sentat sendtime senddate "
        "sent createdat createtime created timestamp datetime time ts date at "
        "提交时间 发送时间 下发时间 时间 日期 дата datahora fecha"
    ),
    "recipient": (
        "recipient to called calledparty callednumber destination destinationnumber "
        "destinationaddress destinationaddr destaddr dest dst da tonumber receiver msisdn mobile "
        "mobilenumber phone phonenumber subscriber number "
        "被叫 被叫号码 接收号码 接收方 收件人 目的号码 手机号 手机号码 手机 号码 "
        "получатель destinatario telefone"
    ),
    "text": (
        "text content message messagetext smstext msg body sms shortmessage msgdata "
        "内容 短信内容 消息内容 正文 短信 текст сообщение mensagem texto mensaje"
    ),
    "sender": (
        "sender from calling callingparty callingnumber source sourcenumber sourceaddress "
        "sourceaddr src sa oa originator senderid fromnumber shortcode "
        "主叫 主叫号码 发送方 发送号码 发件人 源号码 接入号 端口号 отправитель remetente remitente"
    ),
    "message_id": "messageid msgid smsid uuid guid id 消息id 短信id 流水号",
}  # fmt: skip
"""Field -> usual names of its column without blanks and marks, the most certain one first."""

SHAPES: Final = {
    "ms": r"\d{13}",
    "s": r"\d{10}(\.\d+)?",
    "us": r"\d{16}",
    "ns": r"\d{19}",
    "%Y%m%d%H%M%S": r"\d{14}",
    "iso": r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*",
    "%Y-%m-%d %H:%M:%S %z": r"\d{4}-.*[+-]\d+",
    "%d/%b/%Y:%H:%M:%S %z": r"\d+/\w+/\d.*",
    "%a, %d %b %Y %H:%M:%S %z": r"\w+, .*",
    "%d-%b-%Y %H:%M:%S": r"\d+-\w+-\d.*",
    "%Y年%m月%d日 %H:%M:%S": r"\d{4}年.*",
    **{
        f"{day.replace('/', mark)} {time}": rf"\d+[{mark}]\d+[{mark}]\d+ .*"
        for mark, day, time in product(
            "/.-",
            ("%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y"),
            ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p"),
        )
        if (mark, day) != (".", "%m/%d/%Y")  # with dots the day comes first
    },
}
"""Form of a time as `--time` names it -> expression that such a time matches. A date without a time
of day is none: all events would be of midnight."""

SINCE_MS: Final = 946_684_800_000  # 2000-01-01
AHEAD_MS: Final = 2 * 86_400_000  # A local time that is read as UTC may lie 14 hours ahead.
MOST: Final = 0.9  # Share of a column's values that have to fit. Single rows may be damaged.
HALF: Final = 0.5  # The same, for a column whose name says what it is.
LONG: Final = 12  # Letters of a text on average.

_VALUE: Final = re.compile(r"[\d+:. /TZ-]*\d{5,}[\d+:. /TZ-]*|\d+[-/.]\d+[-/.]\d+.*")
"""Matches a number or a time: what no header line names a column."""


_ZONED: Final = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")
_SENDER: Final = re.compile("[^【】，。]{1,21}")
"""Matches a sender: a name of eleven letters, or the digits of a port, and no text."""
_ROUNDED: Final = re.compile(r"\d[.,]\d+E\+1\d")
"""Matches a long number as a spreadsheet shows and writes it."""
_JSON: Final = re.compile(r'\s*(\[\s*)?\{\s*"')
_WORDS: Final = re.compile(rf"(?!(?:{_VALUE.pattern})\Z).*", re.DOTALL)
"""Matches a text: whatever is no number and no time."""


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """Options of the command `feed` that say how a file is laid out; None: not given."""

    maps: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    time_format: str | None = None
    zone: str | None = None
    columns: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    text_form: str | None = None

    def added(self, before: "FeedOptions") -> str:
        """Return the words of a command line that make these options of others."""
        words: list[str] = []
        for option, name in _OPTIONS.items():
            new, old = getattr(self, name), getattr(before, name)
            if isinstance(new, tuple):
                words += [word for each in new[len(old) :] for word in (option, each)]
            elif new != old:
                words += [option, new.replace("\t", "\\t")]
        return shlex.join(words)


_OPTIONS: Final = {
    "--delimiter": "delimiter", "--encoding": "encoding", "--columns": "columns", "--map": "maps",
    "--time": "time_format", "--zone": "zone", "--text": "text_form",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guesser:
    """What a guess depends on beside the file. `now_ms` is UTC."""

    numbers: Numbers
    country: str
    now_ms: int
    ask: Ask

    def csv(self, options: FeedOptions, data: bytes) -> FeedOptions:
        """Return the options completed by what the first bytes of a CSV file show.

        Raise UsageError if that is not clear, or the encoding is none.
        """
        if options.encoding is None and (found := guess.encoding(data)) != "utf-8":
            options = replace(options, encoding=found)
        mark = "," if options.delimiter is None else options.delimiter.replace("\\t", "\t")
        layout = FileLayout(None, mark, options.encoding or "utf-8")
        if options.encoding is not None:
            _check_encoding(options.encoding, data)
        text = data.decode(layout.encoding, "replace").removeprefix("\ufeff")
        if _JSON.match(text):
            raise UsageError(tr("this is JSON: `otpguard feed jsonl` reads it"))
        if options.delimiter is None and (mark := guess.delimiter(text)) != ",":
            options = replace(options, delimiter=mark)
        rows = guess.rows(text, mark)
        fits = guess.delimiter(text)
        if rows and len(rows[0]) == 1 < len(guess.rows(text, fits)[0]):
            raise UsageError(
                tr("--delimiter {given!r}: line 1 has one field; {fits!r} would fit").format(
                    given=mark, fits=fits
                )
            )
        head = [each.strip() for each in rows[0]] if rows else []
        sources = {each.partition("=")[2] for each in options.maps}
        if 2 * sum(map(bool, head)) < max(map(len, rows), default=0):  # a title, or Excel's `sep=;`
            raise UsageError(
                tr("the first line names no columns; delete what is above the head line")
            )
        if options.columns is not None:
            return self._fields(options, _table(options.columns.split(","), rows))
        if len(rows) == 1 and text[0] not in "\r\n" and not sources & set(head):
            raise UsageError(tr("a single line does not show what its columns are: --map …"))
        if sources & set(head) or not any(map(_VALUE.fullmatch, head)):
            return self._fields(options, _table(column_names(head), rows[1:]))
        width = Counter(map(len, rows)).most_common(1)[0][0]
        names = [f"column{n}" for n in range(1, 1 + width)]
        filled = self._fields(options, _table(names, rows))
        own = {each.partition("=")[2]: each for each in filled.maps[len(options.maps) :]}
        columns = ",".join(own.get(name, name).partition("=")[0] for name in names)
        return replace(filled, maps=options.maps, columns=columns)

    def json(self, options: FeedOptions, data: bytes) -> FeedOptions:
        """Return the options completed by what the first JSON lines show."""
        rows: list[Row] = []
        for line in data.splitlines()[: guess.ROWS_MAX]:
            with suppress(ValueError, RecursionError):
                row = flatten(msgspec.json.decode(line, type=dict[str, Any]))
                rows.append({k: str(v) for k, v in row.items() if isinstance(v, str | int | float)})
        if not rows and (data.endswith(b"\n") or data[:1] == b"["):
            raise UsageError(
                tr(
                    "no line is a JSON object: `jq -c '.[]'` makes lines of an array, "
                    "`otpguard feed csv` reads CSV"
                )
            )
        return self._fields(options, rows, more=False)

    def _fields(
        self, options: FeedOptions, rows: Sequence[Row], *, more: bool = True
    ) -> FeedOptions:
        """Return the options with the columns of fields and the form of times.

        Without `more`, no optional field is guessed where the required ones are known.
        """
        names = dict.fromkeys(chain.from_iterable(rows))
        columns = {name: [row[name] for row in rows if row.get(name)] for name in names}
        sources = dict(each.partition("=")[::2] for each in options.maps)
        known = {name: sources.get(name, name) for name in NAMES}
        found = {name: source for name, source in known.items() if source in columns}
        found |= {each.partition("=")[0]: "" for each in options.constants}
        if found.get("text") == "text" and self._fit("text", columns["text"], 1) < HALF:
            del found["text"]  # It holds numbers, and another column may hold the texts.
        if not found.keys() >= REQUIRED or (more and not options.maps):
            for likely, target in product((self._named, self._fitting), NAMES):
                free = {n: v for n, v in columns.items() if v and n not in found.values()}
                if target not in found and (few := likely(target, free, len(rows))):
                    question = tr("{columns} may each be {target}")
                    question = question.format(columns=join_list(few), target=target)
                    one = len(few) == 1
                    found[target] = few[0] if one else self.ask(question, f"--map {target}=…", few)
                    options = replace(options, maps=(*options.maps, f"{target}={found[target]}"))
                elif target in REQUIRED - found.keys() and likely == self._fitting:
                    break  # No event can be made; which fields are lacking is reported.
        rounded = next(filter(_ROUNDED.fullmatch, chain.from_iterable(columns.values())), "")
        if rounded and "recipient" not in found:
            raise UsageError(
                tr("{number} was rounded by a spreadsheet; write numbers as text").format(
                    number=rounded
                )
            )
        texts = columns.get(found.get("text", ""), [])
        if options.text_form is None and (written := text_form.guess_form(texts)) != "plain":
            options = replace(options, text_form=written)
        times = columns.get(found.get("event_time_ms", ""), [])
        if times and options.time_format is not None:
            self._check_times(
                options.time_format, [row.get(found["event_time_ms"]) for row in rows]
            )
        if times and options.time_format is None and (form := self._form(times)) != "ms":
            options = replace(options, time_format=form)
            if options.zone is None and form[1:] != "s" and not all(map(_ZONED.search, times)):
                question = tr("{text!r} names no time zone").format(text=times[0])
                zone = guess.zone(self.country) or self.ask(question, "--zone", ())
                options = replace(options, zone=zone)
        return options

    def _named(self, target: str, columns: Columns, n: int) -> list[str]:
        """Return the columns whose names say that they are this field, and whose values can be."""
        wanted = NAMES[target].split()
        ranks = {
            name: wanted.index(plain)
            for name, values in columns.items()
            for each in (name, name.rpartition(".")[2])
            if (plain := re.sub(r"[\W_]", "", each.casefold())) in wanted
            and self._fit(target, values, n) >= HALF
        }
        return [name for name, rank in ranks.items() if rank == min(ranks.values())]

    def _fitting(self, target: str, columns: Columns, n: int) -> list[str]:
        """Return the columns whose values are like those of a field."""
        if target == "message_id":
            return []  # A wrong id would make two messages one.
        found = [name for name, values in columns.items() if self._fit(target, values, n) >= MOST]
        if target == "text":
            found = [name for name in found if sum(map(len, columns[name])) >= LONG * n]
            return found if len(found) == 1 else []
        return found

    def _fit(self, target: str, values: list[str], n: int) -> float:
        """Return the share of n rows in which a column's value could be of this field."""
        if target == "event_time_ms":
            return max(self._shares(values).values()) * len(values) / n
        if target == "message_id":
            return len(values) / n if len(set(values)) == len(values) else 0
        if target == "recipient":
            return sum(self.numbers.canonical(each) is not None for each in values) / n
        wanted = _SENDER if target == "sender" else _WORDS
        return sum(bool(wanted.fullmatch(each)) for each in values) / n

    def _shares(self, values: list[str]) -> dict[str, float]:
        """Return the share of values that are a time of this century, by form."""
        shares = {}
        for form, shape in SHAPES.items():
            read, good = time_reader(form, "UTC"), 0
            for each in filter(re.compile(shape).fullmatch, values):
                with suppress(ValueError):
                    good += SINCE_MS <= read(each) <= self.now_ms + AHEAD_MS
            shares[form] = good / len(values)
        return shares

    def _check_times(self, form: str, times: Sequence[str | None]) -> None:
        """Raise UsageError if hardly any time has this form; the error names one that fits.

        A value that could be a phone number is not quoted.
        """
        given = [each for each in times if each]
        shares, read = self._shares(given), time_reader(form, "UTC")
        wrong = []
        for place, each in enumerate(times, 1):
            try:
                read(each or 0)
            except (ValueError, OverflowError):
                wrong.append((place, each))
        best = max(shares, key=lambda each: shares[each])
        if len(wrong) <= MOST * len(given) or shares[best] < HALF:
            return
        row, value = wrong[0]
        shown = "…" if self.numbers.canonical(str(value)) else value
        raise UsageError(
            tr("--time {form}: row {row} has {value!r}; --time {best!r} would fit").format(
                form=form, row=row, value=shown, best=best
            )
        )

    def _form(self, times: list[str]) -> str:
        """Return the form of these times; "ms", the default, if there is none."""
        shares = self._shares(times)
        best = max(shares.values())
        forms = [form for form, share in shares.items() if share == best]
        if best < HALF or forms[0] in ("ms", "iso") or len(forms) == 1:
            return forms[0] if best >= HALF else "ms"
        question = tr("{time} may be read in several ways").format(time=times[0])
        return self.ask(question, "--time", forms)


def _check_encoding(given: str, data: bytes) -> None:
    """Raise UsageError if the file is in another encoding than this one, and name that one."""
    try:
        data.decode(given)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        try:
            fits = guess.encoding(data)
        except UsageError:
            return  # Single lines are damaged, and are reported as rows.
        raise UsageError(
            tr("--encoding {given}: line {line} is not in it; {fits} would fit").format(
                given=given, line=line, fits=fits
            )
        ) from None


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[Row]:
    return [dict(zip(names, row, strict=False)) for row in rows]
