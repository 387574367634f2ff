"""Builders that test_row.py shares with other tests."""

from __future__ import annotations

import numpy as np

from detectors.model.times import EPOCH_S
from detectors.recipients.sieve import SieveParams
from detectors.recipients.table import Table
from tests.detectors.recipients.sifting import sift
from tests.detectors.stand_in import START_MS

DAY, HOUR = 86_400, 3600


START = START_MS // 1000 - EPOCH_S


PARAMS = SieveParams()


def seen_by_sieve(table: Table, platform: int, at: int) -> None:
    sift(
        PARAMS,
        table,
        np.array([7], np.uint64),
        np.array([platform], np.uint32),
        np.array([at], np.int64),
    )
