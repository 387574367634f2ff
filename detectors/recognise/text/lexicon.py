"""Find many words in a text: one pass finds where words begin, and `re` tries only those.

A word is a small regular expression. Its spellings begin with plain characters, their *head*. An
Aho-Corasick automaton finds all heads in one pass over a text. The words of a head are compiled
when a text first contains the head, which takes about .2 ms. Building the automata of all scripts
takes .03 s, and compiling all words 1.5 s.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, product
from typing import Final

from ahocorasick_rs import AhoCorasick

_ATOM: Final = re.compile(
    r"(?:\\.|\[(?:\\.|[^\]\\])+\]|\(\?[<=!]+(?:\\.|[^()\\])*\)|[^\\()|])(?:[?*+]|\{\d+,?\d*\})?"
)
_SPELLINGS_MAX: Final = 48
"""Largest number of spellings and of heads per word. More of them are not found faster."""
_MANY: Final = 16
"""Number of spellings from which a head is compiled before a text needs it. Of 15,600 heads, 120
have so many, and take .26 s. The others take .3 ms each, 3 ms at most (one: 7 ms), and most of them
are never needed. (All of them took 1 s of CPU at every start, and those with four spellings .7.)"""
_SPACE: Final = r"\s*"  # a space in a word
_HEAD_CHARS: Final = 5
"""A head goes on behind a space if it is shorter. There the text must have one space or none."""
_BARS: Final = re.compile("([()|])")
_FEW: Final = re.compile(r"\[([^\\\]^-]+)\]")  # a class that lists its characters
_SIGNS: Final = "\\[(.^$\n"  # atoms of one character that are not plain

_Patterns = list[tuple[int, re.Pattern[str]]]  # kind, and the words of the kind with one head


def join(words: Iterable[str]) -> str:
    r"""Return a pattern of any of the words, the longest at each place, without groups.

    A word is a regular expression of characters, classes, look-arounds and `(?:a|b)` groups. A
    space matches any white space or none. If there are no words, the pattern finds nothing. (An
    empty pattern would match everywhere.)

    >>> join(["login", "log(?:on|in) code"])
    '(?=[l])(?:l(?:o(?:g(?:i(?:n(?:\\s*code|))|on\\s*code))))'
    """
    spelled = [atoms for word in words for atoms in _spellings(word)]
    firsts = {atoms[0] if atoms else "" for atoms in spelled}
    plain = all(len(first) == 1 for first in firsts)
    guard = f"(?=[{re.escape(''.join(sorted(firsts)))}])" if plain and firsts else ""
    return f"{guard}(?:{_tree(spelled)})" if spelled else "(?!)"


def _tree(spelled: Iterable[Sequence[str]]) -> str:
    """Return a pattern of spellings in which common beginnings stand once.

    A plain alternation tries each of 700 words at every place of a text.
    """
    below: dict[str, list[Sequence[str]]] = {}
    for atoms in spelled:
        below.setdefault(atoms[0] if atoms else "", []).append(atoms[1:])
    ends = [] if below.pop("", None) is None else [""]  # longer words come first
    trees = ((atom, _tree(rest)) for atom, rest in below.items())
    return "|".join(
        [*(f"{atom}(?:{tree})" if "|" in tree else atom + tree for atom, tree in trees), *ends]
    )


class Words:
    """Finds many words of several kinds, and gives the kind of each word."""

    def __init__(
        self,
        kinds: Sequence[Iterable[str]],
        before: str = "",
        after: str = "",
        prefix: str = "",
        open_ended: Collection[int] = (),
    ) -> None:
        """Build the patterns. `kinds` maps each kind to its words.

        `prefix` is a pattern for letters that may be attached before a word. Words of the kinds in
        `open_ended` are beginnings of words, so `after` is not required after them.
        """
        self._edge = re.compile(f"{before}(?=\\w)") if before and not prefix else None
        self._lead = re.compile(f"{before}(?:{prefix})$") if prefix else None
        self._after = ["" if kind in open_ended else after for kind in range(len(kinds))]
        self._spelled: dict[str, dict[int, list[tuple[str, ...]]]] = {}  # head, kind -> spellings
        for kind, words in enumerate(kinds):
            for atoms in (atoms for word in words for atoms in _spellings(word)):
                for head in _heads(atoms):
                    self._spelled.setdefault(head, {}).setdefault(kind, []).append(atoms)
        self._heads = list(self._spelled)
        self._automaton = AhoCorasick(self._heads)
        self._patterns: dict[int, _Patterns] = {}

    def find_heads(self, text: str) -> list[tuple[int, int, int]]:
        """Return where words may begin: the head's number, its place, the place of its prefix."""
        hits = self._automaton.find_matches_as_indexes(text.replace("\n", " "), overlapping=True)
        if self._lead is not None:
            leads = [self._lead.search(text, max(0, start - _PREFIX_CHARS), start)
                     for _, start, _ in hits]  # fmt: skip
            pairs = zip(hits, leads, strict=True)
            return [(at, start, lead.start()) for (at, start, _), lead in pairs if lead]
        begins = self._edge.match if self._edge else None
        return [(at, start, start) for at, start, _ in hits
                if begins is None or begins(text, start)]  # fmt: skip

    def places(
        self, text: str, heads: Iterable[tuple[int, int, int]] | None = None
    ) -> list[tuple[int, list[tuple[int, int]]]]:
        """Find words: return (place, [(kind, end), ...]) for each place where words begin.

        `end` is the end of the longest word of this kind at the place. `kind` is an index into the
        `kinds` of the constructor. `heads` is the result of `find_heads(text)`, if the caller has
        it already: the places where the first characters of a word stand.
        """
        found: dict[int, dict[int, int]] = {}
        for at, start, begin in self.find_heads(text) if heads is None else heads:
            for kind, pattern in self._patterns.get(at) or self._compile(at):
                if word := pattern.match(text, start):
                    ends = found.setdefault(begin, {})
                    ends[kind] = max(ends.get(kind, 0), word.end())
        return [(start, sorted(ends.items())) for start, ends in sorted(found.items())]

    def prepare(self) -> Iterator[None]:
        """Compile large patterns that no text has needed yet, one in each step.

        A head is the beginning of words. Its pattern is large if the words have `_MANY` spellings.
        """
        for at, head in enumerate(self._heads):
            spellings = sum(map(len, self._spelled[head].values()))
            if spellings >= _MANY and at not in self._patterns:
                self._compile(at)
                yield

    def _compile(self, at: int) -> _Patterns:
        spelled = self._spelled[self._heads[at]]
        made = [
            (kind, re.compile(f"(?:{_tree(some)}){self._after[kind]}"))
            for kind, some in spelled.items()
        ]
        self._patterns[at] = made
        return made


_PREFIX_CHARS: Final = 4
"""Length of the longest prefix of a word, as in Arabic and Hebrew, with a margin."""


def list_heads(words: Iterable[str]) -> set[str]:
    """Return the plain beginnings of words in all their spellings.

    >>> sorted(list_heads(["already used", "(?:an)?nul"]))
    ['already', 'annul', 'nul']
    """
    return {head for word in words for atoms in _spellings(word) for head in _heads(atoms)}


def _heads(atoms: Sequence[str]) -> list[str]:
    skipped = (atom.startswith("(?<") or (len(atom) == 2 and atom[1] == "?") for atom in atoms)
    start = next((at for at, skip in enumerate(skipped) if not skip), len(atoms))
    heads = [""]
    for atom in atoms[start:]:
        choices: Sequence[str] = atom
        if atom == _SPACE and 0 < len(heads[-1]) < _HEAD_CHARS:
            choices = (" ", "")
        elif few := _FEW.fullmatch(atom) if len(atom) > 1 else None:
            choices = few[1]
        elif len(atom) != 1 or atom in _SIGNS:
            break
        longer = [head + letter for head in heads for letter in choices]
        if len(longer) > _SPELLINGS_MAX:
            break
        heads = longer
    if not heads[0]:
        raise ValueError(f"a word has to begin with a plain character: {''.join(atoms)!r}")
    return heads


def _spellings(word: str) -> Iterator[tuple[str, ...]]:
    """Yield the spellings of a word as tuples of atoms, with its groups expanded.

    A group that repeats, or that would give too many spellings, stays a single atom. The group at
    the beginning of a word is always expanded, because a head must be plain.
    """
    parts: list[list[tuple[str, ...]]] = []
    count = 1
    place = 0
    while place < len(word):
        if word.startswith("(?:", place):
            end = _closing(word, place)
            choices = [
                spelled
                for branch in branches(word[place + 3 : end])
                for spelled in _spellings(branch)
            ]
            place = end + 1
            repeat = word[place : place + 1]
            repeat = repeat if repeat and repeat in "*+?" else ""
            place += len(repeat)
            if repeat == "?":
                choices.append(())
            many = parts and count * len(choices) > _SPELLINGS_MAX
            if repeat in ("*", "+") or many:
                whole = "|".join(dict.fromkeys("".join(atoms) for atoms in choices))
                choices = [(f"(?:{whole}){repeat if repeat != '?' else ''}",)]
            count *= len(choices)
            parts.append(choices)
        else:
            atom = _ATOM.match(word, place)
            if atom is None:
                raise ValueError(f"cannot read {word!r} at {place}")
            if not parts and atom[0][1:] == "?" and atom[0] != " ?":
                parts.append([(atom[0][0],), ()])  # a head must be plain
            else:
                parts.append([(_SPACE if atom[0][0] == " " else atom[0],)])
            place = atom.end()
    for choice in product(*parts):
        yield tuple(chain.from_iterable(choice))


def _closing(word: str, start: int) -> int:
    depth = 0
    for place in range(start, len(word)):
        depth += (word[place] == "(") - (word[place] == ")")
        if depth == 0:
            return place
    raise ValueError(f"unbalanced bracket in {word!r}")


def branches(inner: str) -> list[str]:
    """Return the alternatives of a pattern, split at the bars outside groups.

    >>> branches("code|(?:pin|tan)s")
    ['code', '(?:pin|tan)s']
    """
    if "(" not in inner:
        return inner.split("|")
    parts = [""]
    depth = 0
    for piece in _BARS.split(inner):  # every other piece is a bar or a bracket
        depth += (piece == "(") - (piece == ")")
        if piece == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return parts
