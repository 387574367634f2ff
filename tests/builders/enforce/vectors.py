"""Builders that test_vectors.py shares with other tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from detectors.leases.gateway_rule import Lease
from detectors.model.event import Trust
from detectors.model.records import AgainWindow, Scope

VECTORS: Final = json.loads(Path("deploy/gateways/vectors.json").read_text("utf-8"))


def lease_of(fields: dict[str, Any] | None) -> Lease | None:
    if fields is None:
        return None
    trust = tuple(Trust[name.upper()] for name in fields["trust"])
    scope = Scope(fields["category"], trust, tuple(fields["ids"]), tuple(fields["prints"]))
    again = tuple(
        AgainWindow(each["id"], each["from"], each["until"], each.get("hot", False))
        for each in fields.get("again", ())
    )
    refused = frozenset(fields.get("refused", ()))
    return Lease(fields["action"], fields["until"], scope, again, refused, fields["v"] == 2)
