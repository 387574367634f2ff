"""An attacker can neither use up the votes of victims nor put a line of business on the list.

Two campaigns are 18 s of computing, in `make integration`.
"""

from __future__ import annotations

import pytest

from tests.adversary.votes import missed_in_campaign, throttled_at_a_line_of_business


@pytest.mark.integration
def test_a_campaign_is_found_though_its_victims_were_flooded_on_the_day_before() -> None:
    plain, spent = missed_in_campaign(spent=False), missed_in_campaign(spent=True)
    assert plain <= 0.2
    assert spent <= plain + 0.05


def test_four_numbers_of_an_attacker_do_not_throttle_a_line_of_business() -> None:
    assert throttled_at_a_line_of_business(4) == 0
