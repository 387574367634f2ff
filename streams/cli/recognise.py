"""`otpguard recognise`: what the detector sees in a text, and why."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from streams.cli.shared import ConfigOption, opened, settings_of
from streams.errors import UsageError


def recognise(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…|-", help="JSON lines (.gz too), or - for stdin.")
    ],
    config: ConfigOption = None,
    *,
    why: Annotated[bool, typer.Option("--why", help="Name the rule that decided, too.")] = False,
) -> None:
    r"""Say whether each text is a verification code, of which platform, and how far it is trusted.

    Reads JSON lines with "text", and "sender", "signature", "category", "platform_id" and
    "template_id" if they are known. Writes a JSON line for each, in order: "otp", "confidence",
    "code_span" (of the code within the text, or null), "platform", "trust".

    \b
    Examples:
      echo '{"text": "【淘宝】验证码 583921，5分钟内有效"}' | otpguard recognise -
      otpguard recognise texts.jsonl --why | jq -c 'select(.otp)'
    """
    settings = settings_of(config)
    import msgspec  # noqa: PLC0415 - start-up time

    from detectors.recognise.recogniser import recognise as verdict_on  # noqa: PLC0415 - start-up time

    text_type = msgspec.defstruct(
        "Text",
        [
            ("text", str | None, None),
            ("sender", str | None, None),
            ("signature", str | None, None),
            ("category", str | None, None),
            ("platform_id", str | None, None),
            ("template_id", str | None, None),
        ],
    )
    decoder = msgspec.json.Decoder(text_type)
    registry, _ = settings.registry()
    out = sys.stdout.buffer
    for path in files:
        with opened(path) as file:
            for number, line in enumerate(file, 1):
                try:
                    given: Any = decoder.decode(line)
                except (ValueError, RecursionError) as error:
                    out.flush()
                    raise UsageError(f"{path}, line {number}: {error}") from None
                verdict = verdict_on(
                    registry,
                    given.text or "",
                    sender=given.sender or "",
                    signature=given.signature or "",
                    category=given.category or "",
                    platform=given.platform_id or "",
                    template=given.template_id or "",
                    confidence_min=settings.recognise.confidence_min,
                )
                answer: dict[str, Any] = {
                    "otp": verdict.otp,
                    "confidence": verdict.confidence,
                    "code_span": verdict.code_span,
                    "platform": verdict.platform,
                    "trust": verdict.trust.name.lower(),
                }
                if why:
                    answer["rule"] = verdict.rule
                out.write(msgspec.json.encode(answer) + b"\n")
    out.flush()
