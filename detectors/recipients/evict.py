"""Eviction: forgets the recipients that were idle longest when a table is nearly full.

Suspects (recipients under exact rules) are never evicted.
"""

from typing import Final

import numpy as np

from detectors.model.arrays import indices
from detectors.model.event import TICK_OFFSETS
from detectors.recipients.row import MEMORY_WORDS, SUSPECT
from detectors.recipients.table import Table

_SHARE: Final = 16
"""One 16th of the recipients is evicted at once: finding the oldest requires a scan of all."""


def make_room(table: Table, least: int = TICK_OFFSETS, newest_window: int = 1 << 32) -> int:
    """Evict recipients until `least` new recipients fit; return how many were evicted.

    Recipients are evicted in the order of their newest window, then of their key. A window after
    `newest_window` came from a clock that was ahead. Such a recipient's idle time is unknown, so it
    is evicted first.
    """
    if table.room >= least:
        return 0
    words = table.words[: table.used]
    idle = indices((words[:, 0] != 0) & (words[:, MEMORY_WORDS.start] & np.uint64(SUSPECT) == 0))
    window = (words[idle, 1] >> np.uint64(32)).astype(np.uint32)
    window[window > newest_window] = 0
    enough = max(2 * TICK_OFFSETS, table.rows_max // _SHARE, least - table.room)
    count = min(len(idle), enough)
    if not count:
        return 0
    newest = np.partition(window, count - 1)[count - 1]
    older, last = idle[window < newest], words[idle[window == newest], 0]
    more = count - len(older)
    return table.drop(np.append(words[older, 0], np.partition(last, more - 1)[:more]))
