"""Translations of error messages that libraries show to users.

The libraries produce English only. A message without a translation here is shown as it is.
"""

import re
from functools import cache
from re import Pattern
from typing import Final

from streams.common.language import ENGLISH, current_language, tr

SENTENCES: Final = (
    # messages of typer, about the command line
    "Missing option {what}.",
    "Missing argument {what}.",
    "Missing command.",
    "Invalid value for {what}: {why}",
    "Invalid value: {why}",
    "No such option: {what} (Possible options: {near})",
    "No such option: {what}",
    "Got unexpected extra argument(s) ({what})",
    "Option {what} does not take a value.",
    "Option {what} requires an argument.",
    # messages of pydantic, about settings and option values
    "Input should be a valid integer, unable to parse string as an integer",
    "Input should be a valid integer",
    "Input should be a valid number, unable to parse string as a number",
    "Input should be a valid number",
    "Input should be a valid boolean, unable to interpret input",
    "Input should be a valid boolean",
    "Input should be a valid string",
    "Input should be greater than or equal to {bound}",
    "Input should be less than or equal to {bound}",
    "Input should be greater than {bound}",
    "Input should be less than {bound}",
    "Field required",
    "Input should be {given} or {other}",
)
"""Message templates. Braces mark the variable parts. The first template that matches is used."""


@cache
def _fitting() -> list[tuple[Pattern[str], str]]:
    found = []
    for sentence in SENTENCES:
        parts = re.split(r"\{(\w+)\}", sentence)
        shape = "".join(
            f"(?P<{part}>.+)" if n % 2 else re.escape(part) for n, part in enumerate(parts)
        )
        found.append((re.compile(shape, re.DOTALL), sentence))
    return found


def translate_message(said: str) -> str:
    """Translate a library's message into the current language.

    >>> translate_message("Missing option '--events'.")
    "Missing option '--events'."
    """
    if current_language() == ENGLISH:
        return said
    for shape, sentence in _fitting():
        if (match := shape.fullmatch(said)) is not None:
            return tr(sentence).format(
                **{name: translate_message(part) for name, part in match.groupdict().items()}
            )
    return said
