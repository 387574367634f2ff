"""Builders that test_fanout.py shares with other tests."""

from __future__ import annotations

BRANDS = [
    "Tandem",
    "Kestrel",
    "Larkbank",
    "Fernway",
    "Okapi",
    "Quokka",
    "Tessel",
    "Glimmer",
    "Nubex",
    "Colibri",
    "Medora",
    "Foldr",
]
