"""What all episodes share: names for records, and the platforms with the small budget."""

from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.platform_names import Name
from detectors.model.event import Trust
from detectors.model.records import seconds, utc_ms
from detectors.recipients.row import Memory
from detectors.suspects.suspect import Suspect
from tests.detectors.stand_in import START_MS

START_S = seconds(START_MS)


def test_a_platform_whose_name_was_forgotten_is_told_by_its_number() -> None:
    book = EpisodeLog()
    book.names[7] = Name("sig:淘宝", Trust.BANK, 1)
    told = book.sighting(7, START_S, novel=True)
    assert (told.platform, told.trust, told.at_ms) == ("sig:淘宝", Trust.BANK, utc_ms(START_S))
    assert book.sighting(8, START_S, novel=True).platform == "#8"


def test_platforms_of_the_earlier_flood_share_the_budget_of_hot_platforms() -> None:
    book, suspect = EpisodeLog(), Suspect(8613800000001, "8613800000001", 0, [], Memory())
    book.hot.platforms = frozenset({5})
    assert book.hot_for(suspect) == {5}
    suspect.barred = frozenset({7})
    assert book.hot_for(suspect) == {5, 7}
