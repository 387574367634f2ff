"""`otpguard recognise`: shows what the detector recognises in a text, and why."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich import console as consoles, table as tables, text as texts

from detectors.model import event
from detectors.recognise import decide, why as reasons
from detectors.recognise.platform import registry as registries
from streams import config as configs
from streams.cli.shared import (
    TOGETHER,
    JsonOption,
    SettingsOption,
    open_lines,
    plain_bytes,
    progress,
    write_table,
)
from streams.common import UsageError, tr
from streams.common.shown import in_page


def recognise(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT|FILE…|-",
            help="A text; or files of JSON lines (.gz too), - for stdin.",
            show_default=False,
        ),
    ],
    settings: SettingsOption,
    *,
    sender: Annotated[str, typer.Option(help="Who sent the text, as the network shows it.")] = "",
    why: Annotated[
        bool, typer.Option("--why", help="Also print the rule and everything that was weighed.")
    ] = False,
    json: JsonOption = False,
) -> None:
    r"""Recognise for each text whether it is a verification code, its platform, and the trust.

    An argument that is no file, and contains a space or a non-ASCII letter, is a text. Its answer
    is a table, or JSON with --json. Files have JSON lines with "text", and optionally "sender",
    "signature", "category", "platform_id" and "template_id". On a terminal each line gets a row of
    a table, or a few lines with --why. Else, or with --json, each line gets a JSON line: "otp",
    "confidence", "code_span" (position of the code within the text, or null), "platform", "trust".

    \b
    Examples:
      otpguard recognise "【淘宝】验证码 583921，5分钟内有效" --why
      otpguard recognise "Your Tandem code is 482913" --sender AUTHMSG
      otpguard recognise texts.jsonl --why | jq -c 'select(.otp)'
    """
    if len(given) == 1 and _is_text(given[0]):
        _answer_text(settings, given[0], sender, why=why, json=json)
    else:
        if len(given) == 1 and given[0].isascii() and not _is_name(given[0]):
            raise UsageError(
                tr(
                    "{name}: no such file; a text of one word is given as a line: echo "
                    '\'{{"text": "…"}}\' | otpguard recognise -'
                ).format(name=given[0])
            )
        _answer_files(settings, given, why=why, is_shown=sys.stdout.isatty() and not json)


def _is_name(argument: str) -> bool:
    """Return True if an argument is, or looks like, a file name: with a folder or an ending."""
    return argument == "-" or _exists(argument) or not argument.isalnum()


def _is_text(argument: str) -> bool:
    if argument == "-" or (len(argument) < 1024 and "\0" not in argument and _exists(argument)):
        return False
    return any(letter.isspace() or not letter.isascii() for letter in argument)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except OSError:  # longer than a name can be
        return False


def _answer_text(
    settings: configs.Settings, text: str, sender: str, *, why: bool, json: bool
) -> None:
    registry, _ = settings.registry()
    least = settings.recognise.confidence_min
    verdict = decide.recognise(registry, text, sender=sender, confidence_min=least)
    told = _why(registry, text, sender, verdict) if why else None
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(_as_json(verdict, told)) + b"\n")
        sys.stdout.buffer.flush()
        return
    _print_table(text, verdict, told, least)


def _why(
    registry: registries.Registry, text: str, sender: str, verdict: decide.Verdict
) -> reasons.Why:
    trusted = verdict.trust is not event.Trust.NONE
    return reasons.why(registry, text, sender, verdict.rule, trusted=trusted)


def _as_json(verdict: decide.Verdict, told: reasons.Why | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "otp": verdict.otp,
        "confidence": verdict.confidence,
        "code_span": verdict.code_span,
        "platform": verdict.platform,
        "trust": verdict.trust.name.lower(),
    }
    if told is not None:
        answer["rule"] = verdict.rule
        answer["why"] = {
            "says": told.says,
            "words": [{"word": word, "kind": kind} for word, kind in told.words],
            "parts": [
                {"kind": part.kind, "says": part.says, "adds": round(part.adds, 2)}
                for part in told.parts
            ],
            "odds": told.odds,
            "without": list(told.without),
        }
    return answer


def _print_table(
    text: str, verdict: decide.Verdict, told: reasons.Why | None, least: float
) -> None:
    console = consoles.Console(highlight=False)
    begin, end = verdict.code_span or (len(text), len(text))
    before, code, rest = map(in_page, (text[:begin], text[begin:end], text[end:]))
    shown = texts.Text.assemble(before, (code, "bold reverse"), rest)
    colour = "green" if verdict.otp else "yellow"
    answer = tr("a verification code") if verdict.otp else tr("no verification code")
    table = tables.Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row(tr("text"), shown)
    table.add_row(tr("answer"), texts.Text(answer, style=f"bold {colour}"))
    counts = tr("{confidence} (counts from {least})")
    table.add_row(
        tr("confidence"), counts.format(confidence=f"{verdict.confidence:.2f}", least=f"{least:g}")
    )
    if verdict.code_span:
        table.add_row(tr("code"), texts.Text(code, style="bold"))
    table.add_row(tr("platform"), texts.Text(in_page(verdict.platform)))
    table.add_row(tr("trust"), tr(verdict.trust.name.lower()))
    if told is not None:
        table.add_row(tr("rule"), texts.Text(f"{told.rule}: {tr(told.says)}"))
        for what, row in _rows(told):
            table.add_row(what, row)
    console.print(table)


def _rows(told: reasons.Why) -> Iterator[tuple[str, Any]]:
    if told.words:
        yield (
            tr("words"),
            texts.Text(", ".join(f"{word.strip()} ({tr(kind)})" for word, kind in told.words)),
        )
    if told.odds is None:
        return
    for place, part in enumerate(told.parts[:12]):
        line = texts.Text(f"{part.adds:+.2f}  ", style="green" if part.adds > 0 else "red").append(
            f"{tr(part.kind)}: {_translate_part(part.says)}", ""
        )
        yield "" if place else tr("weighed"), line
    yield tr("in all"), texts.Text(tr("{odds} (over 0 is a code)").format(odds=f"{told.odds:+.2f}"))
    changed = "; ".join(map(_translate_part, told.without)) or tr("no single part")
    yield tr("else if not"), texts.Text(changed)


def _translate_part(part: str) -> str:
    """Return the name of a part of the sum in the current language."""
    if not part.startswith("«"):
        return tr(part)
    return re.sub(r"\[(\d+) digits\]", lambda found: tr("[{n} digits]").format(n=found[1]), part)


HEADINGS: Final = ("answer", "confidence", "platform", "trust", "text")


def _row(message: decide.Message, verdict: decide.Verdict) -> tuple[str, ...]:
    answer = tr("a code") if verdict.otp else tr("no code")
    trust = tr(verdict.trust.name.lower())
    return answer, f"{verdict.confidence:.2f}", verdict.platform, trust, message.text


def _answer_files(
    settings: configs.Settings, files: list[str], *, why: bool, is_shown: bool
) -> None:
    fields = ("text", "sender", "signature", "category", "platform_id", "template_id")
    text_type = msgspec.defstruct("Text", [(name, str | None, None) for name in fields])
    decoder = msgspec.json.Decoder(text_type)
    registry, _ = settings.registry()
    out = sys.stdout.buffer
    least = settings.recognise.confidence_min

    def answer(messages: list[decide.Message]) -> None:
        found = decide.recognise_many(registry, messages, least)
        if is_shown and not why:
            rows = list(map(_row, messages, found))
            write_table([tr(heading) for heading in HEADINGS], rows)
            return
        for message, verdict in zip(messages, found, strict=True):
            told = _why(registry, message.text, message.sender, verdict) if why else None
            if is_shown:
                _print_table(message.text, verdict, told, least)
                continue
            out.write(msgspec.json.encode(_as_json(verdict, told)) + b"\n")
        out.flush()

    with progress("", plain_bytes(files), of_bytes=True, quiet=is_shown) as show:
        for path in files:
            number = 0
            with open_lines(path) as file:
                while lines := list(islice(file, TOGETHER)):
                    messages: list[decide.Message] = []
                    for line in lines:
                        number += 1
                        try:
                            given: Any = decoder.decode(line)
                        except (ValueError, RecursionError) as error:
                            answer(messages)
                            raise UsageError(
                                tr("{path}, line {number}: {error}").format(
                                    path=path, number=number, error=error
                                )
                            ) from None
                        messages.append(
                            decide.Message(*(getattr(given, name) or "" for name in fields))
                        )
                    answer(messages)
                    show(sum(map(len, lines)))
