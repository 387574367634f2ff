"""Pages for a shift: hand a case over, see one's own cases, and print the log of a shift."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from detectors.model.times import DAY_MS, HOUR_MS
from streams.common import UsageError, tr
from streams.people.desk.call_pages import IDENTIFIED, CasePages
from streams.people.desk.desk_context import Desk, receivers_of
from streams.people.desk.masks import mask_mentions
from streams.people.desk.render import Flash
from streams.people.desk.visit import Visit

HANDED_MS: Final = 30 * DAY_MS
"""Age (ms) of the oldest handover in a person's own list. Chosen: by then somebody else has it."""

SHIFTS_H: Final = (8, 12, 24)  # Choices for the length of the shift log, in hours.


@dataclass(slots=True)
class ShiftPages:
    """The form that hands a case over, the list of own cases, and the log of a shift."""

    desk: Desk
    cases: CasePages

    def hand_over(self, visit: Visit) -> Response:
        """Hand a case over to a colleague or a team. The text becomes a note of the case too."""
        line = self.cases.open_case(visit, visit.read_field("episode"), visit.read_field("k")).line
        self.desk.take("forms", visit)
        to, text = visit.read_field("to", 80), visit.read_field("text", 1_000)
        receivers = self.desk.receivers(visit)
        if to not in receivers or not text:
            raise UsageError(tr("Choose who takes the case over, and write what is to be done."))
        text, name = mask_mentions(text, line.recipient), visit.person.account.name
        about: dict[str, Any] = {"recipient": line.recipient, "episode_id": line.episode_id}
        self.desk.audit(visit, "note", "done", detail=f"handover to {to}", subject=line.recipient,
                        episode_id=line.episode_id)  # fmt: skip
        self.desk.store.papers.hand_over(name, to, text, **about)
        self.desk.store.papers.add_note(name, f"→ {receivers[to]}: {text}", **about)
        told = tr("Handed over to {who}.").format(who=receivers[to])
        return self.cases.again(visit, Flash(told))

    def mine(self, visit: Visit) -> Response:
        """Show cases that were handed to a person or her teams, and the cases of her own calls.

        Each way into a case carries a grant. Without it a handed case could not be opened, because
        its receiver has not searched for the number.
        """
        papers, now_ms = self.desk.store.papers, self.desk.now_ms()
        handed = papers.list_handovers(now_ms - HANDED_MS, receivers_of(visit))
        calls = papers.list_calls(now_ms - DAY_MS, visit.person.account.name)
        return self.desk.page(
            visit, "mine", handed=handed, path=lambda each: self.cases.path(visit, each),
            calls={each.episode_id: each for each in calls if each.episode_id}.values(),
        )  # fmt: skip

    def shift(self, visit: Visit) -> Response:
        """Show calls by hour and by person, the calls and the handovers of the last hours."""
        asked = visit.request.query_params.get("hours", "")
        hours = int(asked) if asked in map(str, SHIFTS_H) else SHIFTS_H[0]
        papers, since_ms = self.desk.store.papers, self.desk.now_ms() - hours * HOUR_MS
        by_hour, by_person = Counter[int](), Counter[str]()
        for hour, name, n in papers.count_calls(since_ms):
            by_hour[hour * HOUR_MS] += n
            by_person[name] += n
        return self.desk.page(
            visit, "shift", hours=hours, choices=SHIFTS_H, since_ms=since_ms, by_hour=by_hour,
            by_person=by_person.most_common(), calls=papers.list_calls(since_ms),
            handed=papers.list_handovers(since_ms), ways=IDENTIFIED,
            receivers=self.desk.receivers(visit),
        )  # fmt: skip
