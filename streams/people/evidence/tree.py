"""Merkle tree of RFC 9162, section 2.1: one root for all records, a short proof for each. Pure."""

from collections.abc import Collection, Sequence

from streams.people.evidence.standalone import leaf, node, root_over


def prove(lines: Sequence[bytes], wanted: Collection[int]) -> tuple[bytes, dict[int, list[bytes]]]:
    """Return the root over lines, and a proof for each wanted line, by its index.

    A proof has the hashes that lead from the line to the root, from the lowest level up. Without
    lines, the root is the hash of the empty string (RFC 9162).

    >>> root, proofs = prove([b"a", b"b", b"c"], [2])
    >>> root.hex()[:8], len(proofs[2])
    ('36642e73', 1)
    """
    if len(lines) < 2:
        return root_over([leaf(line) for line in lines]), {n: [] for n in wanted}
    middle = 1 << ((len(lines) - 1).bit_length() - 1)
    left, first = prove(lines[:middle], [n for n in wanted if n < middle])
    right, second = prove(lines[middle:], [n - middle for n in wanted if n >= middle])
    proofs = {n: [*path, right] for n, path in first.items()}
    proofs |= {n + middle: [*path, left] for n, path in second.items()}
    return node(left, right), proofs
