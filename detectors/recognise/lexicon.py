"""Many words, one pattern: alternatives merged by what they begin with, the longest tried first.

A plain alternation of 300 words tries all 300 at every place of a text; merged into a tree it tries
the few that can still match, which makes a text twenty times as cheap to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from operator import itemgetter
from typing import Final

_ATOM = re.compile(
    r"(?:\\.|\[(?:\\.|[^\]\\])+\]|\(\?[<=!]+(?:\\.|[^()\\])*\)|[^\\()|])(?:[?*+]|\{\d+,?\d*\})?"
)

_SPELLINGS_MAX = (
    48  # of one word; chosen: compiles in .3 s, and reads as fast as with all written out
)

_GROUP = 18  # beginnings asked for at once; chosen: the square root of the 320 in Chinese

_Tree = dict[str, "_Tree"]

_KEY_CHARS: Final = 4
"""Characters that words are bundled by. Chosen: fewest CPU seconds to the first answer."""

_BARS: Final = re.compile("([()|])")
_FEW: Final = re.compile(r"\[([^\\\]^-]+)\]")  # a class that names its characters
_PLAIN: Final = re.compile(
    r"[^\\\[(.^$]"
)  # a character that stands for itself, and does not repeat


def any_of(words: Iterable[str], before: str = "", after: str = "") -> re.Pattern[str]:
    r"""A pattern that finds any of the words, the longest at each place; no groups.

    Of no words it finds nothing: an empty pattern would find itself everywhere.

    A word is a regular expression of characters, classes, look-arounds and `(?:a|b)` groups; a
    space stands for any run of white space, or none. `before` and `after` stand around each.

    >>> any_of(["login", "log(?:on|in) code"]).pattern
    '(?:log(?:in(?:\\s*code|)|on\\s*code))'
    """
    tree: _Tree = {}
    for word in words:
        for atoms in _spellings(word):
            node = tree
            for atom in atoms:
                node = node.setdefault(atom, {})
            node[""] = {}
    if not tree:
        return re.compile("(?!)")
    return re.compile(f"{before}(?:{_by_first(tree)}){after}")


class Words:
    """Many words of several kinds, found like those of `any_of`, each with its kind.

    Of a kind without words nothing is found.

    One pattern of all 8,000 spellings in Latin letters takes a second to compile. Here one small
    pattern finds where words may begin, and those that begin with the same characters are compiled
    when a text has such a place.
    """

    def __init__(
        self,
        kinds: Sequence[Iterable[str]],
        before: str = "",
        after: str = "",
        prefix: str = "",
    ) -> None:
        """`prefix` is a pattern of what may be written together with a word, before it."""
        self._before, self._after = f"{before}{prefix}", after
        self._spelled = [
            (kind, atoms)
            for kind, words in enumerate(kinds)
            for word in words
            for atoms in _spellings(word)
        ]
        self._by_key: dict[str, list[int]] = {}
        begins: _Tree = {}
        rest: _Tree = {}
        for number, (_, atoms) in enumerate(self._spelled):
            for key in [""] if prefix else _keys(atoms):
                self._by_key.setdefault(key, []).append(number)
                _plant(*((begins, map(re.escape, key)) if key else (rest, atoms)))
        ways = [f"({_by_first(begins)})"] if begins else []
        ways += [f"(?:{_by_first(rest)}){after}"] if rest else []
        self._begin = re.compile(f"{self._before}(?={'|'.join(ways)})" if ways else "(?!)")
        self._keyed = bool(begins)
        self._bundles: dict[str, list[tuple[int, re.Pattern[str]]]] = {}
        self._all: dict[str, re.Pattern[str]] = {}
        self._whole: re.Pattern[str] | None = None

    def found(self, text: str) -> bool:
        """Tell if any word is in a text."""
        if self._whole is not None:
            return self._whole.search(text) is not None
        return any(True for _ in self.places(text))

    def places(self, text: str) -> Iterator[tuple[re.Match[str], list[tuple[int, int]]]]:
        """Yield the places where words begin, each with the kinds that do and the end of each."""
        for begin in self._begin.finditer(text):
            start = begin.start()
            ends = [
                (kind, found.end())
                for kind, pattern in self._bundle(begin)
                if (found := pattern.match(text, start))
            ]
            if ends:
                yield begin, ends

    def longest(self, text: str, begin: re.Match[str]) -> int:
        """The end of the longest word of all kinds at a place that `places` gave."""
        key = self._key(begin)
        pattern = self._all.get(key)
        if pattern is None:
            tree: _Tree = {}
            for number in self._under(key):
                _plant(tree, self._spelled[number][1])
            pattern = self._all[key] = self._pattern(tree)
        found = pattern.match(text, begin.start())
        return found.end() if found else 0

    def ready(self) -> None:
        """Compile all words now; what has one kind into one pattern, which is asked faster."""
        if {kind for kind, _ in self._spelled} == {0}:
            tree: _Tree = {}
            for _, atoms in self._spelled:
                _plant(tree, atoms)
            self._whole = self._pattern(tree)
        else:
            for key in self._by_key:
                self._compiled(key)

    def _key(self, begin: re.Match[str]) -> str:
        return (begin[1] or "") if self._keyed else ""

    def _bundle(self, begin: re.Match[str]) -> list[tuple[int, re.Pattern[str]]]:
        key = self._key(begin)
        bundle = self._bundles.get(key)
        return self._compiled(key) if bundle is None else bundle

    def _compiled(self, key: str) -> list[tuple[int, re.Pattern[str]]]:
        trees: dict[int, _Tree] = {}
        for number in self._under(key):
            kind, atoms = self._spelled[number]
            _plant(trees.setdefault(kind, {}), atoms)
        bundle = self._bundles[key] = [(kind, self._pattern(tree)) for kind, tree in trees.items()]
        bundle.sort(key=itemgetter(0))
        return bundle

    def _under(self, key: str) -> list[int]:
        """The words of a key and of what it begins with, in their order."""
        begun = (self._by_key.get(key[:length], ()) for length in range(len(key) + 1))
        return sorted({number for numbers in begun for number in numbers})

    def _pattern(self, tree: _Tree) -> re.Pattern[str]:
        return re.compile(f"{self._before}(?:{_by_first(tree)}){self._after}")


def _plant(tree: _Tree, atoms: Iterable[str]) -> None:
    for atom in atoms:
        tree = tree.setdefault(atom, {})
    tree[""] = {}


def _keys(atoms: tuple[str, ...]) -> Iterator[str]:
    """The characters that a word begins with: up to three, in each way that they may be written."""
    choices: list[str] = []
    for atom in atoms[:_KEY_CHARS]:
        few = _FEW.fullmatch(atom)
        if few is None and not (len(atom) == 1 and _PLAIN.fullmatch(atom)):
            break
        choices.append(few[1] if few else atom)
    return map("".join, product(*choices))


def _by_first(tree: _Tree) -> str:
    """The pattern of a tree; where words begin in very many ways, asked for in groups.

    An alternation tries one beginning after another: 320 Chinese ones at each character.
    """
    firsts = [atom for atom in tree if len(atom) == 1]
    if len(firsts) <= 4 * _GROUP:
        return _pattern(tree)
    groups = [firsts[at : at + _GROUP] for at in range(0, len(firsts), _GROUP)]
    parts = [
        f"(?=[{re.escape(''.join(group))}])(?:{_pattern({atom: tree[atom] for atom in group})})"
        for group in groups
    ]
    begins = f"(?=[{re.escape(''.join(firsts))}])(?:{'|'.join(parts)})"
    rest = {atom: below for atom, below in tree.items() if len(atom) != 1}
    return f"{begins}|{_pattern(rest)}" if rest else begins


def _spellings(word: str) -> Iterator[tuple[str, ...]]:
    """The word with its groups written out, as atoms, as long as that makes few spellings.

    A group that repeats, or that would make too many, stays one atom; not the one that the word
    begins with: what merges well is how words begin.
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
                parts.append([(atom[0][0],), ()])  # words merge by how they begin
            else:
                parts.append([(r"\s*" if atom[0][0] == " " else atom[0],)])
            place = atom.end()
    for choice in product(*parts):
        yield tuple(atom for atoms in choice for atom in atoms)


def _closing(word: str, start: int) -> int:
    """The place of the bracket that closes the one at `start`."""
    depth = 0
    for place in range(start, len(word)):
        depth += (word[place] == "(") - (word[place] == ")")
        if depth == 0:
            return place
    raise ValueError(f"unbalanced bracket in {word!r}")


def branches(inner: str) -> list[str]:
    """The alternatives of a pattern, split at the bars outside its groups.

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


def _pattern(tree: _Tree) -> str:
    """The regular expression of a tree; the end of a word comes last, so longer ones come first."""
    parts = []
    for atom, below in tree.items():
        if atom:
            rest = "" if below.keys() == {""} else _pattern(below)
            parts.append(atom + (f"(?:{rest})" if len(below) > 1 else rest))
    return "|".join([*parts, ""] if "" in tree else parts)
