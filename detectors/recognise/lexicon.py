"""Compile many words to one regular expression. Words with a common beginning are merged to a tree.

A plain alternation of 300 words tries all 300 at every place of a text. A tree tries only the few
that can still match, so reading a text becomes 20 times faster. Longer words are tried first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import product
from typing import Final

_ATOM = re.compile(
    r"(?:\\.|\[(?:\\.|[^\]\\])+\]|\(\?[<=!]+(?:\\.|[^()\\])*\)|[^\\()|])(?:[?*+]|\{\d+,?\d*\})?"
)

_SPELLINGS_MAX = (
    48  # spellings per word, at most; chosen: compiles in .3 s, and more do not read faster
)

_GROUP = 18  # first characters per group; chosen: about the square root of the 320 in Chinese

_Tree = dict[str, "_Tree"]

_KEY_CHARS: Final = 4
"""Words that begin with the same characters, this many, are compiled together. Chosen: least CPU
time until the first answer."""

_AT_MAX: Final = 4_096
"""Size of the cache of compiled patterns by the first characters of a place in a text; about .5 MB.
A flood of invented words fills the cache, and then each place costs as much as without it."""

_Spelling = tuple[int, int]  # number of a word, and of one of its spellings
_HEAD_CHARS: Final = 2
_HEAD: Final = re.compile(2 * r"(?:([^\\\[(.^$ ])|\[([^\\\]^-]+)\])(?![?*+{])")
"""The first two characters of a word, if each is a plain character or a character class."""

_BARS: Final = re.compile("([()|])")
_FEW: Final = re.compile(r"\[([^\\\]^-]+)\]")  # a class that lists its characters
_PLAIN: Final = re.compile(r"[^\\\[(.^$]")  # a plain character without repetition


def any_of(words: Iterable[str], before: str = "", after: str = "") -> re.Pattern[str]:
    r"""Return a pattern that finds any of the words, the longest at each place, without groups.

    If there are no words, the pattern finds nothing. (An empty pattern would match everywhere.)

    A word is a regular expression of characters, classes, look-arounds and `(?:a|b)` groups. A
    space matches any white space or none. `before` and `after` are put around all words.

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
    """Finds many words of several kinds, as `any_of` does, and gives the kind of each word.

    A single pattern of all 8,000 spellings in Latin letters would take a second to compile, and
    listing the spellings a tenth of a second. Therefore one small pattern finds the places where
    words may begin. Spellings are listed per first two characters, and compiled per first four
    characters, when a text first has such a place.
    """

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
        self._before, self._after = f"{before}{prefix}", after
        self._open_ended = open_ended
        self._words = [(kind, word) for kind, words in enumerate(kinds) for word in words]
        self._spelled: dict[_Spelling, tuple[str, ...]] = {}
        self._by_key: dict[str, list[_Spelling]] = {}
        self._waiting: dict[str, list[int]] = {}  # words by first characters, without spellings yet
        self._written: set[int] = set()
        for number, (_, word) in enumerate(self._words):
            heads = None if prefix else _heads(word)
            if heads is None:
                self._spell(number, keyed=not prefix)
            for head in heads or ():
                self._waiting.setdefault(head, []).append(number)
        self._begin = self._beginnings()
        self._bundles: dict[str, list[tuple[int, re.Pattern[str]]]] = {}
        self._at: dict[str, list[tuple[int, re.Pattern[str]]]] = {}  # by characters of a text
        self._of_kind: dict[tuple[int, str], re.Pattern[str]] = {}
        self._all: dict[tuple[int, str], re.Pattern[str]] = {}

    def has_any(self, text: str) -> bool:
        """Return whether a text contains any word."""
        return any(True for _ in self.places(text))

    def first(self, text: str) -> int | None:
        """Return the place of the first word in a text, or None."""
        return next((start for start, _ in self.places(text)), None)

    def places(self, text: str) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Yield each place where words begin, with (kind, end) of the longest word per kind."""
        at = self._at
        for begin in self._begin.finditer(text):
            start = begin.start()
            head = text[start : start + _KEY_CHARS]
            bundle = at.get(head)
            if bundle is None:
                bundle = self._bundle(self._key(text, start))
                if len(at) >= _AT_MAX:
                    at.clear()
                at[head] = bundle
            if bundle and (
                ends := [
                    (kind, found.end())
                    for kind, pattern in bundle
                    if (found := pattern.match(text, start))
                ]
            ):
                yield start, ends

    def longest(self, text: str, start: int, kinds: int) -> int:
        """Return the end of the longest word at a place that `places` gave, or 0 if there is none.

        Only words of the first `kinds` kinds count.
        """
        key = self._key(text, start)
        pattern = self._all.get((kinds, key))
        if pattern is None:
            tree: _Tree = {}
            for spelling in self._under(key):
                if self._words[spelling[0]][0] < kinds:
                    _plant(tree, self._spelled[spelling])
            pattern = self._pattern(tree, self._after) if tree else re.compile("(?!)")
            self._all[kinds, key] = pattern
        found = pattern.match(text, start)
        return found.end() if found else 0

    def prepare(self) -> Iterator[None]:
        """Compile all words that no text has needed yet, in small steps.

        Texts can be read between two steps.
        """
        for head in list(self._waiting):
            self._write_out(head)
            yield
        for key in list(self._by_key):
            if key not in self._bundles:
                self._compile(key)
                yield

    def _beginnings(self) -> re.Pattern[str]:
        """Return a pattern for the places where a word may begin, by its first character."""
        firsts = {begun[0] for begun in (*self._waiting, *self._by_key) if begun}
        ways = [f"[{re.escape(''.join(sorted(firsts)))}]"] if firsts else []
        rest: _Tree = {}
        for spelling in self._by_key.get("", ()):
            _plant(rest, self._spelled[spelling])
        ways += [f"(?:{_by_first(rest)}){'' if self._open_ended else self._after}"] if rest else []
        return re.compile(f"{self._before}(?={'|'.join(ways)})" if ways else "(?!)")

    def _spell(self, number: int, *, keyed: bool = True) -> None:
        """List all spellings of a word and index them by their first characters."""
        if number in self._written:
            return
        self._written.add(number)
        for at, atoms in enumerate(_spellings(self._words[number][1])):
            self._spelled[number, at] = atoms
            for key in _keys(atoms) if keyed else [""]:
                self._by_key.setdefault(key, []).append((number, at))

    def _write_out(self, head: str) -> None:
        for number in self._waiting.pop(head, ()):
            self._spell(number)

    def _key(self, text: str, start: int) -> str:
        """Return the longest text from a place on, up to four characters, that begins a word."""
        head = text[start : start + _HEAD_CHARS]
        if head in self._waiting:
            self._write_out(head)
        for end in range(start + _KEY_CHARS, start, -1):
            if (key := text[start:end]) in self._by_key:
                return key
        return ""

    def _bundle(self, key: str) -> list[tuple[int, re.Pattern[str]]]:
        bundle = self._bundles.get(key)
        return self._compile(key) if bundle is None else bundle

    def _compile(self, key: str) -> list[tuple[int, re.Pattern[str]]]:
        """Compile the patterns of a key, one per kind.

        If a kind has no words for the whole key, the pattern of a shorter key is shared.
        """
        under: dict[int, list[_Spelling]] = {}
        for spelling in self._under(key):
            under.setdefault(self._words[spelling[0]][0], []).append(spelling)
        bundle = self._bundles[key] = []
        for kind in sorted(under):
            own = self._own(kind, key)
            pattern = self._of_kind.get((kind, own))
            if pattern is None:
                tree: _Tree = {}
                for spelling in under[kind]:
                    _plant(tree, self._spelled[spelling])
                after = "" if kind in self._open_ended else self._after
                pattern = self._of_kind[kind, own] = self._pattern(tree, after)
            bundle.append((kind, pattern))
        return bundle

    def _own(self, kind: int, key: str) -> str:
        """Return the longest beginning of a key with which a word of this kind begins."""
        ends = range(len(key), 0, -1)
        return next(
            (
                key[:end]
                for end in ends
                if any(self._words[n][0] == kind for n, _ in self._by_key.get(key[:end], ()))
            ),
            "",
        )

    def _under(self, key: str) -> list[_Spelling]:
        """Return the spellings of a key and of all its beginnings, in order."""
        begun = (self._by_key.get(key[:length], ()) for length in range(len(key) + 1))
        return sorted({spelling for spellings in begun for spelling in spellings})

    def _pattern(self, tree: _Tree, after: str) -> re.Pattern[str]:
        return re.compile(f"{self._before}(?:{_by_first(tree)}){after}")


def list_beginnings(words: Iterable[str]) -> set[str]:
    """Return the first characters of words, up to four, in all their spellings.

    >>> sorted(list_beginnings(["already used", "(?:an)?nul"]))
    ['alre', 'annu', 'nul']
    """
    return {key for word in words for atoms in _spellings(word) for key in _keys(atoms)}


def _heads(word: str) -> list[str] | None:
    """Return the first two characters of a word in all its spellings.

    Returns None for a complicated beginning. Then all spellings of the word have to be listed.
    """
    plain = _HEAD.match(word)
    if plain is not None:
        one, one_of, two, two_of = plain.groups()
        return ["".join(pair) for pair in product(one or one_of, two or two_of)]
    if not word.startswith("(?:"):
        return None
    end = _closing(word, 0)
    rest = word[end + 1 :]
    if rest[:1] in ("*", "+", "{"):
        return None
    begun = [f"{branch}{rest.removeprefix('?')}" for branch in branches(word[3:end])]
    if rest.startswith("?"):
        begun.append(rest[1:])
    found = [_heads(each) for each in begun]
    known = [heads for heads in found if heads is not None]
    return [head for heads in known for head in heads] if len(known) == len(found) else None


def _plant(tree: _Tree, atoms: Iterable[str]) -> None:
    for atom in atoms:
        tree = tree.setdefault(atom, {})
    tree[""] = {}


def _keys(atoms: tuple[str, ...]) -> Iterator[str]:
    """Yield the first characters of a spelling, up to four, with all choices of its classes.

    A look-behind at the beginning is skipped.
    """
    choices: list[str] = []
    start = next((at for at, atom in enumerate(atoms) if not atom.startswith("(?<")), len(atoms))
    for atom in atoms[start : start + _KEY_CHARS]:
        few = _FEW.fullmatch(atom)
        if few is None and not (len(atom) == 1 and _PLAIN.fullmatch(atom)):
            break
        choices.append(few[1] if few else atom)
    return map("".join, product(*choices))


def _by_first(tree: _Tree) -> str:
    """Return the pattern of a tree. Many different first characters are tested in groups.

    An alternation tries all beginnings one by one. In Chinese these are 320 at each character.
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
    """Yield the spellings of a word as tuples of atoms, with its groups expanded.

    A group that repeats, or that would give too many spellings, stays a single atom. The group at
    the beginning of a word is always expanded, so that words merge by their beginnings.
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
                parts.append([(atom[0][0],), ()])  # words merge by their beginnings
            else:
                parts.append([(r"\s*" if atom[0][0] == " " else atom[0],)])
            place = atom.end()
    for choice in product(*parts):
        yield tuple(atom for atoms in choice for atom in atoms)


def _closing(word: str, start: int) -> int:
    """Return the place of the bracket that closes the bracket at `start`."""
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


def _pattern(tree: _Tree) -> str:
    """Return the regular expression of a tree. Longer words come before shorter ones."""
    parts = []
    for atom, below in tree.items():
        if atom:
            rest = "" if below.keys() == {""} else _pattern(below)
            parts.append(atom + (f"(?:{rest})" if len(below) > 1 else rest))
    return "|".join([*parts, ""] if "" in tree else parts)
