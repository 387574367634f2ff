"""The tree of RFC 9162: known roots, a proof for every leaf, none for another."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, strategies as st

from streams.people.evidence.standalone import Wrong, root_by
from streams.people.evidence.tree import prove

LEAVES = [bytes.fromhex(each) for each in ("", "00", "10", "2021", "3031", "40414243")]


def test_roots_are_those_of_certificate_transparency() -> None:
    """The first leaves of the test vectors that RFC 6962's own implementation has."""
    assert prove([], ())[0] == hashlib.sha256(b"").digest()
    assert prove(LEAVES[:1], ())[0].hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert prove(LEAVES, ())[0].hex() == (
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"
    )


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=70), st.data())
def test_a_proof_leads_from_its_own_leaf_alone_to_the_root(
    leaves: list[bytes], data: st.DataObject
) -> None:
    n = data.draw(st.integers(0, len(leaves) - 1))
    root, proofs = prove(leaves, [n])
    path = [each.hex() for each in proofs[n]]
    assert root_by(leaves[n], n, len(leaves), path) == root
    assert root_by(b"other" + leaves[n], n, len(leaves), path) != root
    for place, other in (
        (n, [*path, "00" * 32]),
        (len(leaves), path),
        *([(n, path[:-1])] if path else ()),
    ):
        with pytest.raises(Wrong):
            root_by(leaves[n], place, len(leaves), other)
