"""Runs the sieve over one table, for tests and benchmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.model.log_time import LogTime, LogTimes
from detectors.recipients.sieve import SieveParams, Sifted, sift_together
from detectors.recipients.table import Table
from detectors.recipients.tables import Tables


def sift(
    params: SieveParams,
    table: Table,
    recipient: NDArray[np.uint64],
    platform: NDArray[np.uint32],
    at_s: NDArray[np.int64],
) -> Sifted:
    """Apply codes (n,) to one table in the order of its log, by whose codes alone it has a time.

    The result and the table are the same however a log is cut into passes.
    """
    one = Tables([table], [0, len(recipient)])
    time = LogTimes([LogTime([], at_s, 0)], one.edges)
    later = np.zeros(len(recipient), np.bool_)
    return sift_together(params, one, recipient, platform, at_s, at_s, time, later)
