"""Recognises and decodes texts that gateways log in hexadecimal UCS-2 or in base64. Pure.

The form is guessed from many texts of one column, never from a single text: a plain text must not
be changed because it happens to look like an encoded one.
"""

import base64
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from streams.common import UsageError, suggest, tr

LEAST: Final = 2  # Encoded texts that make a column an encoded one.
MOST: Final = 0.9  # Share of the texts that look encoded and must read as text.
USUAL_SHARE: Final = 0.02
"""Share of the decoded letters that must be ASCII, or marks of Chinese. Chosen: four random hex
digits give such a letter in one of 160 cases, and a message with a code has at least four digits
in about 60 letters."""
SAMPLE: Final = 500  # Texts of a batch from which the form is guessed.

_USUAL: Final = re.compile(r"[\n -~　-〿＀-￯]")
_NO_TEXT: Final = frozenset({"Cc", "Cn", "Co", "Cs"})
_SHAPES: Final = {
    "hex": re.compile("(?:[0-9A-Fa-f]{4}){4,}"),
    "base64": re.compile("(?:[A-Za-z0-9+/]{4}){3,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"),
}
FORMS: Final = ("plain", *_SHAPES)
"""Values of the option --text. In a column of the form `hex`, texts that are not in hexadecimal are
left as they are: gateways log only those in hexadecimal that have letters beyond GSM 7-bit."""


def guess_form(texts: Sequence[str]) -> str:
    """Return the form of a column's texts, one of `FORMS`."""
    for form, shape in _SHAPES.items():
        like = [text for text in texts if shape.fullmatch(text) and not text.isdigit()]
        # A single word of Latin letters is base64, too.
        if len(like) < (LEAST if form == "hex" else max(LEAST, MOST * len(texts))):
            continue
        read = [found for text in like if (found := _decode(form, text)) is not None]
        letters = "".join(read)
        usual = len(_USUAL.findall(letters))
        if len(read) >= MOST * len(like) and usual >= USUAL_SHARE * len(letters):
            return form
    return "plain"


def text_reader(form: str) -> Callable[[Any], str]:
    """Return the function that decodes a text of this form, and leaves other texts as they are.

    Raise UsageError if there is no such form.
    """
    if form not in FORMS:
        sentence = tr("--text {form}: one of {forms}").format(form=form, forms=", ".join(FORMS))
        raise UsageError(suggest(sentence, form, FORMS))
    if form == "plain":
        return str
    shape = _SHAPES[form]

    def read(written: Any) -> str:
        text = str(written)
        found = _decode(form, text) if shape.fullmatch(text) else None
        return text if found is None else found

    return read


def describe_form(form: str) -> str:
    """Return the sentence that says how texts of this form are read."""
    if form == "hex":
        return tr("texts in hexadecimal are decoded as UCS-2 (--text hex)")
    return tr("texts in base64 are decoded (--text base64)")


def decode_lines(
    chunks: Iterable[list[bytes]], tell: Callable[[str], None]
) -> Iterator[list[bytes]]:
    """Yield chunks of JSON lines with decoded texts, once a chunk shows that they are encoded.

    `tell` is called once, with the sentence about the form. Lines without an encoded text are
    yielded byte for byte.
    """
    form = "plain"
    for lines in chunks:
        if form == "plain":
            form = guess_form([text for line in lines[:SAMPLE] if (text := _text(line))])
            if form != "plain":
                tell(describe_form(form))
        yield lines if form == "plain" else [_decode_line(form, line) for line in lines]


def _decode_line(form: str, line: bytes) -> bytes:
    text = _text(line)
    decoded = text_reader(form)(text)
    if decoded == text:
        return line
    return msgspec.json.encode({**msgspec.json.decode(line), "text": decoded})


class _Line(msgspec.Struct):
    text: str | None = None


_line: Final = msgspec.json.Decoder(_Line).decode


def _text(line: bytes) -> str:
    """Return the text of an event; empty if the line has none or is no event."""
    try:
        return _line(line).text or ""
    except (ValueError, RecursionError):
        return ""


def _decode(form: str, text: str) -> str | None:
    """Return the decoded text; None if the bytes are no text, or it has no usual letter."""
    try:
        data = bytes.fromhex(text) if form == "hex" else base64.b64decode(text, validate=True)
        found = data.decode("utf-16-be" if form == "hex" else "utf-8")
    except ValueError:
        return None
    if not _USUAL.search(found) or any(
        unicodedata.category(each) in _NO_TEXT and each not in "\t\r\n" for each in found
    ):
        return None
    return found
