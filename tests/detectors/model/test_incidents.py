"""What a flood's record has of a message that passes: nothing by which a platform is known."""

from __future__ import annotations

from detectors.model.event import Trust
from detectors.model.incidents import EarlierSighting, FloodMessage, Listed, flood_messages


def test_whoever_gives_a_class_alone_gives_no_name() -> None:
    passing = FloodMessage(7, 5, "pass", novel=False, trust=Trust.BANK, gateway="gw-1")
    assert passing[6:] == ("", 0, "", "", "", -1)
    assert EarlierSighting(5, novel=False, trust=Trust.BANK)[3:] == ("", 0, False, -1)


def test_a_listed_message_has_its_names_back() -> None:
    listed: Listed = (8, 6, "pass", False, 1, "gw", "", 0, "", "", "", -1)
    assert flood_messages([listed])[0] == FloodMessage(8, 6, "pass", False, Trust.BANK, "gw")
    assert isinstance(flood_messages([listed])[0].trust, Trust)
