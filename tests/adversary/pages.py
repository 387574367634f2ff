"""`python -m tests.adversary.pages`: pages whose texts name nobody and come from a pool of numbers.

A person presses one page again and again, and each code comes from another number. That is one
platform. An attacker may ask many such pages, or one page at any pace.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from tests.adversary.arena import Played, play
from tests.adversary.moves import HOUR_MS, SECOND_MS, Field, Move, Shot, metronome, own_life

PEOPLE = 40
PRESSES = 8
TEXTS = (
    "您的验证码是{code}，5分钟内有效",
    "Your verification code is {code}. Do not share it.",
    "{code} is your one-time password",
)


def press(f: Field, at_ms: int, text: str, number: int) -> Shot:
    """A code of a text that names nobody, from one number of a pool."""
    code = f.rng.randrange(100_000, 1_000_000)
    sender = f"106900{number:06}"
    return f.shot(at_ms, f"{sender} {text}", sender=sender, text=text.format(code=code))


def play_shots(f: Field, busy_ms: int, before: Move, shots: list[Shot]) -> Played:
    """Play the shots after the victim's own life, beside ordinary messages to others."""
    end_ms = shots[-1].arrives_ms + 2 * HOUR_MS
    others = Move("others", "", [*metronome(busy_ms, end_ms)], end_ms)
    return play([before, Move("pages", "", shots, end_ms), others])


def count_throttled_people(people: int = PEOPLE) -> int:
    """Count the people who are throttled by pressing one page eight times, each 20 s."""
    throttled = 0
    for seed in range(people):
        f = Field(Random(f"pages/{seed}"))
        life = own_life(f)
        text = TEXTS[seed % len(TEXTS)]
        numbers = f.rng.sample(range(10**6), PRESSES)
        shots = [
            press(f, f.now_ms + i * 20 * SECOND_MS, text, number)
            for i, number in enumerate(numbers)
        ]
        throttled += play_shots(f, f.now_ms, life, shots).throttled > 0
    return throttled


def play_templates(templates: int, codes: int, gap_s: int) -> Played:
    """Play codes of so many unnamed pages in turn, each from a number of its own."""
    f = Field(Random("templates"))
    life = own_life(f)
    shots = [
        press(
            f,
            f.now_ms + i * gap_s * SECOND_MS,
            f"{_words(i % templates)} 您的验证码是{{code}}，5分钟内有效",
            i,
        )
        for i in range(codes)
    ]
    return play_shots(f, f.now_ms, life, shots)


def _words(number: int) -> str:
    """A greeting that no other number has."""
    return "".join("甲乙丙丁戊己庚辛壬癸"[int(digit)] for digit in f"{number:03}")


def report(played: Iterable[tuple[str, Played]]) -> None:
    """Print what became of each flood."""
    for name, found in played:
        print(
            f"{name}: {found.codes} codes, {found.reached} reached the victim,"
            f" {found.reached_most} in 10 min, throttled {found.throttled} times"
        )


def main() -> None:
    """Print the figures."""
    print(f"{count_throttled_people()} of {PEOPLE} people throttled by {PRESSES} presses")
    report(
        (f"{templates} pages, a code in {gap_s} s", play_templates(templates, codes, gap_s))
        for templates, codes, gap_s in (
            (60, 60, 20),
            (1, 1800, 2),
            (1, 360, 20),
            (1, 120, 60),
            (1, 960, 90),
        )
    )


if __name__ == "__main__":
    main()
