"""Updates the memories of many recipients at once, after one sighting of each.

The rules are explained in `detectors.recipients.row`, whose class `Memory` applies the same rules
to a single recipient.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.recipients.extents import Extents
from detectors.recipients.row import PRINTS, shift


class Moves(NamedTuple):
    """The platforms that one sighting of each of m rows moves between ring and memory.

    The ring has the eight newest sightings.
    """

    print: NDArray[np.uint16]  # 16-bit hash of the platform that leaves the ring; 0: none
    known: NDArray[np.bool_]  # true if this platform came on two days or more
    crowd: NDArray[np.bool_]  # true if its sighting is younger than `row.CROWD_S`
    place: NDArray[np.int16]  # index of the print that comes back into the ring; -1: none
    written: NDArray[np.bool_]  # false for rows that are promoted: they do not change


def recall(memory: NDArray[np.uint16], moves: Moves, extents: Extents) -> NDArray[np.bool_]:
    """Update the prints as platforms enter and leave the rings.

    The ring of a row has the eight newest sightings.

    `memory` (16, m) and the extents change in place. Returns which rows of `memory` changed.
    """
    if len(extents.at):  # these rows store the position of the extent in place of the count
        memory[1, extents.at] = 0
    leaving = _overflow(memory, moves, extents)
    changed: NDArray[np.bool_] = (leaving != 0) | (moves.place >= 0)
    _move(memory, leaving, moves.known, moves.place)
    if len(extents.at):
        changed[extents.at] = True
        memory[1, extents.at] = extents.links()[1]
    return changed


def _move(
    memory: NDArray[np.uint16],
    leaving: NDArray[np.uint16],
    known: NDArray[np.bool_],
    place: NDArray[np.int16],
) -> None:
    """Insert the prints `leaving` (m,; 0: none), and remove those that come back, in place.

    Without a free place the last print is dropped. A print at ONCE is dropped itself if all others
    are KEPT.
    """
    count = memory[1].astype(np.int16)
    here = place >= 0
    leaves = leaving != 0
    leaves &= here | known | (count < PRINTS)
    at = np.where(leaves, np.where(known, 0, count), PRINTS)
    gap = np.where(here, place, np.where(leaves, PRINTS - 1, PRINTS))
    shift(memory[2:], at, gap, leaving * leaves)
    count += leaves & known
    count -= here & (place < memory[1])
    memory[1] = np.minimum(count, PRINTS)


def _overflow(memory: NDArray[np.uint16], moves: Moves, extents: Extents) -> NDArray[np.uint16]:
    """Move prints into the extents. Returns the other platforms that leave the rings.

    A row whose prints are full gets an extent. The extent has the row's KEPT platforms, and those
    of its ONCE platforms that do not fit into its 14 prints.
    """
    leaving, known, crowd, place, written = moves
    if not (len(extents.at) or len(indices(memory[-1]))):
        return leaving
    leaving = leaving.copy()
    full = (memory[-1] != 0) & (place < 0)
    closed = full.copy()
    closed[extents.at] = True
    leaving[closed & crowd & ~known] = 0
    full &= written & (leaving != 0)
    rows, at = indices(full), extents.at
    if len(at):
        last = np.where(full[at] & ~known[at], memory[-1, at], 0).astype(np.uint16)
        extents.move(leaving[at] * known[at], last, written[at])
        leaving[at[known[at]]] = 0
    for i in extents.without(rows).tolist():
        count = int(memory[1, i])
        kept, once = memory[2 : 2 + count, i].tolist(), memory[2 + count :, i].tolist()
        (kept if known[i] else once).insert(0, int(leaving[i]))
        extents.spill(i, kept, once[PRINTS:])
        memory[1:, i] = 0
        memory[2 : 2 + len(once[:PRINTS]), i] = once[:PRINTS]
        leaving[i] = 0
    return leaving
