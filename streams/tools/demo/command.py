"""The command `otpguard demo`: replays the incident of Dalian on this machine."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich import console as consoles

from streams.common import Exit, OtpguardError, tr
from streams.common.extras import how_to_install
from streams.tools.demo import (
    audience as audiences,
    desk_process,
    run,
    run_report,
    script,
    story as stories,
)
from streams.tools.demo.event_clock import clock

SEED: Final = 24
"""Default seed. Its run is like the median run: throttled after 6 messages, with the bank's code in
the middle."""


SeedOption = Annotated[
    int, typer.Option(min=0, help="Another seed, another incident of the same kind.")
]
SubscribersOption = Annotated[
    int, typer.Option(min=200, max=1_000_000, help="Number of other subscribers.")
]
ReportOption = Annotated[
    Path, typer.Option(dir_okay=False, writable=True, help="Where the report goes.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write the run as JSON to standard output.")
]


def demo(
    *,
    seed: SeedOption = SEED,
    subscribers: SubscribersOption = 20_000,
    speed: Annotated[
        float,
        typer.Option(min=1, max=600, help="Seconds of the incident in a second of real time."),
    ] = 60,
    report: ReportOption = Path("report.html"),
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Port of /metrics during the demo; 0: any free port.",
            show_default="a worker's, or any other while that is in use",
        ),
    ] = None,
    as_json: JsonOption = False,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Don't open the desk and the report in a browser.")
    ] = False,
    no_desk: Annotated[
        bool, typer.Option("--no-desk", help="Don't open the abuse desk on the incident.")
    ] = False,
) -> None:
    r"""Watch a flood of verification codes being noticed and throttled, in about a minute.

    Starts an embedded broker and a worker, sends a week of ordinary traffic, then 68 codes within
    35 minutes to one subscriber, and plays the gateway that obeys the throttle and the abuse desk,
    whose address it prints. On a terminal the desk stays open afterwards, until Enter is pressed.
    All of it runs on loopback with made-up numbers, and nothing stays
    behind but the report.

    \b
    Examples:
      otpguard demo
      otpguard demo --seed 7 --report seed-7.html
      otpguard demo --subscribers 2000 --speed 20 --no-open
      otpguard demo --json --no-open | jq '.claims'

    \b
    Exit codes:
      0    all claims of the demo were shown
      2    wrong usage
      70   one of the claims failed
      75   try again: memory, or a process that did not start
      78   a port is in use, or something is not installed
      130  interrupted
    """
    screen = consoles.Console(stderr=True, highlight=False)

    def tell(story: stories.Story) -> bool:
        held = _tell(story, report, as_json=as_json)
        if not no_open:
            _open(report.resolve().as_uri())
        return held

    try:
        desk = not no_desk and _desk(screen)
        stay = desk and not as_json and _somebody_there(screen)
        browse = (lambda _: None) if no_open else _open
        options = run.Options(seed, subscribers, speed, metrics_port, desk, stay, browse)
        _ = run_report.write_page  # loads its libraries: a missing one is told before the run
        audience = audiences.Audience(screen, lambda at: clock(script.UTC_OFFSET_MIN, at))
        with audience:
            held = run.run(options, audience, tell)
    except OtpguardError as error:
        screen.print(f"otpguard demo: {error}", markup=False, style="red", soft_wrap=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        screen.print(tr("Stopped. All its processes have ended, its temporary files are gone."))
        raise typer.Exit(Exit.INTERRUPTED) from None
    raise typer.Exit(Exit.DONE if held else Exit.INVARIANT)


def _desk(screen: consoles.Console) -> bool:
    """Return true if the desk can be opened; otherwise print how to install its packages."""
    found = desk_process.is_installed()
    if not found:
        how = how_to_install("demo")
        screen.print(
            tr("Without the abuse desk, whose packages are missing: {how}.").format(how=how)
        )
    return found


def _somebody_there(screen: consoles.Console) -> bool:
    return sys.stdin.isatty() and screen.is_terminal and not os.environ.get("CI")


def _tell(story: stories.Story, report: Path, *, as_json: bool) -> bool:
    """Write and print the report; return true if all claims are true."""
    machinery = story.machinery
    command = f"otpguard demo --seed {machinery.seed} --subscribers {story.background.subscribers}"
    run_report.write_page(story, report, command)
    verdicts = list(stories.claims(story))
    if as_json:
        held = [{"text": claim.text, "held": claim.true} for claim in verdicts]
        text = msgspec.json.encode({"claims": held, "report": str(report), "run": story})
        sys.stdout.write(msgspec.json.format(text).decode() + "\n")
    else:
        run_report.print_report(story, report, consoles.Console(highlight=False))
    return all(claim.true for claim in verdicts)


def _open(address: str) -> None:
    """Open a page in a browser if a person sits in front of a screen."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.stdout.isatty() and (screen or sys.platform == "darwin"):
        webbrowser.open(address)
