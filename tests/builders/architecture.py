"""Builders that test_architecture.py shares with other tests."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.syntax import dotted, nodes, parsed

ROOT = Path(__file__).parents[2]


@cache
def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@cache
def imports(text: str, *, run: bool = False) -> frozenset[str]:
    """Every dotted name that a module imports, anywhere in it.

    `from a.b import c` gives a.b.c where that is a module of this tree, else a.b. With `run`, the
    imports that run: those for the type checker alone make no module wait for another.
    """
    found: set[str] = set()
    for_types = {
        id(below)
        for node in parsed(text).body
        if run and isinstance(node, ast.If) and dotted(node.test) == "TYPE_CHECKING"
        for below in ast.walk(node)
    }
    for node in nodes(text):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "imports are absolute"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if is_module(name) else node.module for name in inner}
    return frozenset(found)
