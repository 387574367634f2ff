"""The seed of the hashes: another in each process, the same for all partitions of one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streams.config import SEED, Settings

ASK = "from streams.config import Settings; print(Settings().params().seed)"


@pytest.mark.slow
def test_each_process_draws_a_seed_of_its_own() -> None:
    drawn = {
        subprocess.run([sys.executable, "-c", ASK], capture_output=True, check=True).stdout
        for _ in range(2)
    }
    assert len(drawn) == 2
    assert Settings().params().seed == SEED == Settings().params().seed
    assert Settings().fingerprint() == Settings().fingerprint()
