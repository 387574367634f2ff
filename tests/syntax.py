"""Syntax trees of sources, for tests that hold rules over all of them."""

from __future__ import annotations

import ast
from functools import cache


@cache
def parsed(text: str) -> ast.Module:
    """The syntax tree of a source text: several rules read the same trees."""
    return ast.parse(text)


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
