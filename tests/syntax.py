"""Syntax trees of sources, for tests that hold rules over all of them."""

from __future__ import annotations

import ast
import gc
from functools import cache


@cache
def parsed(text: str) -> ast.Module:
    """The syntax tree of a source text: several rules read the same trees.

    Nothing is collected meanwhile. A future of an earlier test that nobody asked tells so when it
    is collected, with a traceback, which Python 3.11 underlines by means of `ast`: and a tree made
    inside the making of another one is a SystemError.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        if collects:
            gc.enable()


@cache
def nodes(text: str) -> tuple[ast.AST, ...]:
    """All nodes of a source text, those above before those below."""
    return tuple(ast.walk(parsed(text)))


def forget() -> None:
    """Let go of all trees: a million nodes would burden the tests that follow."""
    parsed.cache_clear()
    nodes.cache_clear()


def dotted(node: ast.expr) -> str:
    """The name that an expression is: a.b.c; empty for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (ahead := dotted(node.value)):
        return f"{ahead}.{node.attr}"
    return ""
