"""Rules on submissions: one lease lookup, one classification, one event, without waiting.

A submission is one message that the gateway is about to send. The ruling is pass or refuse. The
rule is the same for every gateway (`detectors.leases.gateway_rule.rule`). The leases come from the
adapter of `streams.gateways.enforce` in this process. All code here runs in the event loop's
thread.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Final

from detectors.leases.gateway_rule import Lease, Ruling
from detectors.leases.parts import FirstPart, LongMessages
from detectors.leases.retry_budget import SecondPasses
from detectors.model.event import platform_id
from streams.common import clock
from streams.gateways.gate.contract import (
    PASSES,
    QUESTION_BYTES_MAX,
    AnswerReason,
    Submission,
    Told,
    decode_reported,
    encode,
    question,
    questions,
    refuse_by,
)
from streams.gateways.gate.gate_events import EventReading, Reporter
from streams.gateways.gate.http_server import Reply, Turns
from streams.gateways.gate.leases import LeaseMemory
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers

log = logging.getLogger(__name__)

# answers after which the metrics are updated even without a call of `tell`
UNTOLD_MAX: Final = 1_000
QUIET_S: Final = 2.0  # minimum time between two log lines about failed requests

_WHYS: Final = {ruling: AnswerReason(ruling.value) for ruling in Ruling}
_PASSED: Final[Mapping[AnswerReason, Reply]] = {
    why: Reply(HTTPStatus.OK, encode(told)) for why, told in PASSES.items()
}
FAILED: Final = _PASSED[AnswerReason.UNREADABLE].body


class Gate:
    """Handles the API requests of a gateway.

    `rebuilt` returns true once all leases have been read.
    """

    def __init__(
        self,
        numbers: Numbers,
        reporter: Reporter,
        memory: LeaseMemory,
        publish: Callable[[bytes, bytes], None],
        metrics: Metrics,
        *,
        rebuilt: Callable[[], bool],
        timeout_s: float,
        clock_ms: Callable[[], int] = clock.now_ms,
        lease_ms: Callable[[], int] | None = None,
    ) -> None:
        """`publish` takes key and value of an event. `timeout_s` is the timeout of the clients.

        `clock_ms` gives event timestamps. `lease_ms` decides when leases expire; the default is
        `clock_ms`.
        """
        self._numbers = numbers
        self._reporter = reporter
        self._memory = memory
        self._publish = publish
        self._metrics = metrics
        self._count = {why: metrics.counter("gate_answers_total", why=why) for why in AnswerReason}
        self._observe_s = metrics.histogram("gate_answer_seconds")
        # reasons and durations that the metrics do not contain yet
        self._answers: list[tuple[AnswerReason, float]] = []
        self._rebuilt = rebuilt
        self._timeout_s = timeout_s
        self._clock_ms = clock_ms
        self._lease_ms = lease_ms or clock_ms
        self._long = LongMessages()
        self._second = SecondPasses()
        self._quiet_until = 0.0

    # -- requests

    def submit(self, body: bytes) -> Reply:
        """Handle `POST /v1/submit`: rule on one message."""
        began = time.perf_counter()
        asked = question(body)
        if asked is None:
            if len(body) > QUESTION_BYTES_MAX:
                return self._unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return self._unreadable()
        told = self.ask(asked)
        self._count_answer(told, time.perf_counter() - began)
        return _PASSED[told.why] if told.action_id is None else Reply(HTTPStatus.OK, encode(told))

    def submit_bulk(self, body: bytes) -> Turns:
        """Handle `POST /v1/submit/bulk`: rule on several messages, yielding between them."""
        began = time.perf_counter()
        asked = questions(body)
        if asked is None:
            return self._unreadable()
        answers: list[Told] = []
        for each in asked:
            answers.append(PASSES[AnswerReason.UNREADABLE] if each is None else self.ask(each))
            yield
        took_s = time.perf_counter() - began
        for told in answers:
            self._count_answer(told, took_s)
        return Reply(HTTPStatus.OK, encode({"answers": answers}))

    def report(self, body: bytes) -> Reply | Turns:
        """Handle `POST /v1/report`: publish events of messages that the gateway already decided on.

        The body is one submission or a bulk.
        """
        asked = decode_reported(body)
        if asked is None:
            return self._unreadable()
        if isinstance(asked, Submission):
            return _PASSED[self._answer_reported(asked)]
        return self._all_reported(asked)

    def _all_reported(self, asked: Iterator[Submission | None]) -> Turns:
        for each in asked:
            self._answer_reported(each)
            yield
        return _PASSED[AnswerReason.REPORTED]

    def count_broken(self, error: BaseException) -> None:
        """Count a request that failed with an error. Its message passes."""
        self._metrics.add("gate_failures_total")
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_S
            # A traceback would show the request.
            log.error("a message passes unseen: %s", type(error).__name__)

    def tell(self) -> None:
        """Add all answers since the last call to the metrics.

        Adding them together is needed for speed: one update per answer costs three times as much.
        """
        self._lease_ms()  # this clock notices a changed wall clock only when it is read
        answers, self._answers = self._answers, []
        for why, count in Counter(why for why, _ in answers).items():
            self._count[why](count)
        for _, took_s in answers:
            self._observe_s(took_s)
        if late := sum(took_s > self._timeout_s for _, took_s in answers):
            self._metrics.add("gate_late_answers_total", late)

    def count_unasked(self) -> None:
        """Count a request without a valid submission. Its message passes unchecked."""
        self._count[AnswerReason.UNREADABLE](1)

    # -- one question

    def _answer_reported(self, asked: Submission | None) -> AnswerReason:
        recipient = None if asked is None else self._numbers.canonical(asked.recipient)
        if asked is None:
            why = AnswerReason.UNREADABLE
        elif recipient is None:
            why = AnswerReason.BAD_RECIPIENT
        else:
            self._send(asked, recipient, self._reporter.read(asked), None)
            why = AnswerReason.REPORTED
        self._count[why](1)
        return why

    def ask(self, asked: Submission) -> Told:
        """Return the ruling on one submission, and publish its event."""
        recipient = self._numbers.canonical(asked.recipient)
        if recipient is None:
            return PASSES[AnswerReason.BAD_RECIPIENT]
        read = self._reporter.read(asked)
        if asked.direction == "mo":
            told = PASSES[AnswerReason.MOBILE_ORIGINATED]
        else:
            told = self._apply_rule(asked, recipient, read, self._memory.leases.get(recipient))
        refuses = told.action_id is not None
        if refuses:
            # a later part of a long message does not show its platform
            known = asked.segment == 1 and read.platform
            self._memory.count(told.action_id or "", platform_id(read.platform) if known else 0)
        self._send(asked, recipient, read, "refused" if refuses else "accepted")
        return told

    def _apply_rule(
        self, asked: Submission, recipient: str, read: EventReading, lease: Lease | None
    ) -> Told:
        if lease is None and asked.segments == 1:  # the usual case
            return PASSES[AnswerReason.NO_LEASE if self._rebuilt() else AnswerReason.REBUILDING]
        now_ms, now_s = self._lease_ms(), time.monotonic()
        long = recipient, asked.sender, asked.reference
        fate: Ruling | None = None
        if asked.segment > 1 and lease is not None:
            fate = self._long.fate(long, asked.segment, asked.segments, lease, now_ms, now_s)
        ruling = fate or self._second.rule(
            lease,
            recipient,
            otp=read.otp,
            platform=read.platform,
            trust=read.trust,
            now_ms=now_ms,
            first_attempt=asked.attempt == 1,
        )
        refuses = ruling is Ruling.REFUSE
        if asked.segment > 1:
            if refuses and fate is None and lease is not None:
                self._long.refuse(long, asked.segments, lease, now_ms, now_s)
        elif asked.segments > 1:
            # The code may be in a later part.
            owner = (read.platform, read.trust) if read.otp else self._reporter.owner(asked)
            self._long.begin(long, FirstPart(asked.segments, *owner, refuses), lease, now_s)
        else:  # an earlier message with the same reference number was a different message
            self._long.forget(long)
        if refuses and lease is not None:
            return refuse_by(lease.action_id)
        if ruling is Ruling.NO_LEASE and not self._rebuilt():
            return PASSES[AnswerReason.REBUILDING]
        return PASSES[_WHYS[ruling]]

    def _send(
        self, asked: Submission, recipient: str, read: EventReading, status: str | None
    ) -> None:
        event = self._reporter.event(asked, recipient, read, self._clock_ms(), status)
        self._publish(recipient.encode(), event)

    def _unreadable(self, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Reply:
        self.count_unasked()
        return Reply(status, FAILED)

    def _count_answer(self, told: Told, took_s: float) -> None:
        self._answers.append((told.why, took_s))
        if len(self._answers) >= UNTOLD_MAX:
            self.tell()
