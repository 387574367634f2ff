"""The Kafka side of a notifier: read who must be notified, record each step, send the notices.

A notice leaves only after its `sending` record is on the log *and was read back from the log*. All
records of a notice are in one partition. If two notifiers want to send the same notice, both write
`sending`. Both read the two records in the same order, and only the writer of the first one sends.

A process that dies between `sending` and the result leaves one notice in an unknown state. The
process that replaces it sends this notice once more. So a victim gets the same notice at most
twice, and only if a process died or froze while it was sending.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import AuthorizationError, KafkaError

from detectors.model.times import HOUR_MS, MINUTE_MS
from streams.cluster.admin import unusable
from streams.cluster.read import LOOKING, Places, partitions_of
from streams.common import UnavailableError, tr
from streams.config import Topics
from streams.people.notices.channels import Channel, Delivered, Delivery, SmsNotice
from streams.people.notices.notice_book import EPISODE_KEPT_MS, NoticeBook, PendingNotice, Unsent
from streams.people.notices.reply import (
    ACTOR,
    AGE_MAX_MS as REPLY_AGE_MAX_MS,
    REASON,
    VIA,
    HeardReply,
    Opening,
    Replies,
)
from streams.people.notices.texts import NoticeTexts, is_plain
from streams.telemetry.metrics import Metrics
from streams.wire import (
    AuditRecord,
    Event,
    Notice,
    UnreadableError,
    chain_start,
    decode_ack,
    decode_action,
    decode_episode,
    decode_incident,
    decode_notice,
    decode_override,
    encode_audit,
    encode_notice,
    encode_override,
    hash_record,
    key_parts,
    override_key,
)
from streams.wire.desired_state import forget_override
from streams.wire.events import decode_event

log = logging.getLogger(__name__)

POLL_MS: Final = 50
POLL_RECORDS: Final = 2_000
REBUILD_S: Final = 300.0
WRITTEN_S: Final = 30.0  # longest wait for a write; after that the broker counts as unavailable
LEFT_MS: Final = 3 * MINUTE_MS
"""Age after which a `sending` record of another process counts as abandoned.

It is longer than every timeout of a channel and of the broker.
"""
LOST_S: Final = 2.0  # pause between tries to write while a right is missing
PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses after the first, second, ... failure of the channel in a row. The last value repeats."""

NAMES: Final[Mapping[str, str]] = {
    "victim_start": "start",
    "victim_opened": "opened",
    "victim_end": "end",
    "victim_released": "released",
}
"""Kind of notice -> name of its text in `texts.toml`."""


class Notifier:
    """The process that sends notices. `ready` is set once all existing records are read."""

    def __init__(
        self,
        book: NoticeBook,
        channel: Channel,
        texts: NoticeTexts,
        clients: Mapping[str, Any],
        topics: Topics,
        metrics: Metrics,
        clock_ms: Callable[[], int],
        *,
        replies: Replies | None = None,
        reply_topic: str = "",
    ) -> None:
        """`clients`: connection arguments for the Kafka clients (servers, security)."""
        self._book = book
        self._channel = channel
        self._texts = texts
        self._topics = topics
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._replies = replies
        self._consumer = KafkaConsumer(
            **clients,
            client_id="otpguard-notifier",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=POLL_RECORDS,
            isolation_level="read_committed",
            **LOOKING,
        )
        self._places = Places(self._consumer)
        self._make_producer = partial(
            KafkaProducer, **clients, client_id="otpguard-notifier", acks="all"
        )
        self._producer = self._make_producer()
        self._has_written = False
        self._stop = threading.Event()
        self._enter: dict[str, Callable[[Any, int], None]] = {
            topics.override: self._enter_word,
            topics.everyone: self._enter_word,
            topics.notice: self._enter_notice,
            topics.throttle: self._enter_lease,
            topics.acks: self._enter_ack,
            topics.episode: self._enter_episode,
        }
        self._reply_topic = reply_topic or topics.input
        if replies is not None:
            self._enter[topics.incident] = self._enter_incident
            self._enter[self._reply_topic] = self._enter_message
        self._own: set[tuple[int, int]] = set()  # partition, offset of own records not read back
        self._claims: dict[str, int] = {}  # notice id -> offset of its first `sending` record
        self._failures = 0  # failures of the channel in a row
        self._resume_at = 0.0  # monotonic
        self._swept_ms = 0
        self._chain = f"notify/{uuid.uuid4().hex[:12]}"
        self._audited = (0, chain_start(self._chain))
        self._broker_at = time.monotonic()
        metrics.follow("broker_silence_seconds", lambda: time.monotonic() - self._broker_at)
        metrics.follow("notices_waiting", lambda: len(book.queue))
        self.ready = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set. Raise UnavailableError if only a restart helps."""
        try:
            self._stop = stop
            self._rebuild(stop)
            self._places.had_rights = True
            while not stop.is_set():
                self._take(POLL_MS)
                self._turn(stop)
        finally:
            self._channel.close()
            self._producer.close(timeout=5)
            self._consumer.close()

    # -- reading

    def _rebuild(self, stop: threading.Event) -> None:
        """Read the relevant part of each topic to its end, before the first notice is sent."""
        now_ms = self._clock_ms()
        told_ms = max(self._book.params.hold_off_ms, EPISODE_KEPT_MS) + HOUR_MS
        since = {
            self._topics.notice: now_ms - told_ms,
            self._topics.episode: now_ms - EPISODE_KEPT_MS,
            # Notices that became due while no notifier ran are sent, or recorded as not sent.
            self._topics.acks: now_ms - EPISODE_KEPT_MS,
            # The longest lease, and the hour in which it is remembered.
            self._topics.incident: now_ms - 2 * HOUR_MS,
            self._reply_topic: now_ms - REPLY_AGE_MAX_MS,
        }
        places = [place for name in self._enter for place in partitions_of(self._consumer, name)]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning()
        asked = {place: since[place.topic] for place in places if place.topic in since}
        ends = self._consumer.end_offsets(places)
        for place, found in self._consumer.offsets_for_times(asked).items():
            self._consumer.seek(place, ends[place] if found is None else found.offset)
        deadline = time.monotonic() + REBUILD_S
        while any(self._consumer.position(each) < end for each, end in ends.items()):
            self._take(POLL_MS)
            if stop.is_set():
                return
            if time.monotonic() > deadline:
                raise UnavailableError(tr("the topics of notices could not be read to their ends"))
        self._sweep(now_ms=self._clock_ms(), before_ms=self._clock_ms() + 1)
        log.info("read everything; %d notices are due", len(self._book.queue))
        self.ready.set()

    def _take(self, timeout_ms: int) -> None:
        """Process the records of one poll. An unreadable record is logged, counted and skipped."""
        polled = self._places.follow(timeout_ms, POLL_RECORDS)
        if polled:
            self._broker_at = time.monotonic()
        now_ms = self._clock_ms()
        words = (self._topics.override, self._topics.everyone)
        # Overrides first: one poll may return a release together with the lease that it releases.
        for place in sorted(polled, key=lambda each: each.topic not in words):
            enter = self._enter[place.topic]
            for record in polled[place]:
                try:
                    if record.value is not None:
                        enter(record, now_ms)
                    elif place.topic in words:
                        self._forget(place.topic, record.key)
                except UnreadableError as error:
                    at = place.topic, place.partition, record.offset
                    log.error("passed over a %s record at %s[%d]@%d", error.kind, *at)  # noqa: TRY400
                    self._metrics.add("records_refused_total", kind=error.kind)

    def _forget(self, topic: str, key: bytes | None) -> None:
        """Remove a deleted override, if it belongs to this topic. Other keys are ignored."""
        parts = key_parts(key)
        if parts and topic == self._topics.of_override(parts[0]):
            forget_override(self._book.desired, *parts)

    def _enter_word(self, record: Any, now_ms: int) -> None:
        word = decode_override(record.value)
        if record.topic != self._topics.of_override(word.recipient):
            # Permission to write about one recipient must not be enough to stop everything.
            raise UnreadableError
        self._book.word(word, record.offset, now_ms)

    def _enter_lease(self, record: Any, now_ms: int) -> None:
        action = decode_action(record.value)
        self._book.action(action, now_ms)
        if self._replies is not None:
            self._replies.lease(action)

    def _enter_ack(self, record: Any, now_ms: int) -> None:
        self._book.ack(decode_ack(record.value), now_ms)

    def _enter_episode(self, record: Any, now_ms: int) -> None:
        episode = decode_episode(record.value)
        self._book.episode(episode, now_ms)
        if self._replies is not None:
            self._replies.episode(episode)
            self._go_on_opening(episode.recipient, now_ms)

    def _enter_incident(self, record: Any, now_ms: int) -> None:
        assert self._replies is not None
        incident = decode_incident(record.value)
        self._replies.incident(incident)
        self._go_on_opening(incident.recipient, now_ms)

    def _enter_notice(self, record: Any, now_ms: int) -> None:
        place = record.partition, record.offset
        notice = decode_notice(record.value)
        if notice.state == "sending":
            self._claims.setdefault(notice.notice_id, record.offset)
        if place in self._own:
            self._own.discard(place)
            return
        self._book.take_notice(notice)
        if self.ready.is_set():
            self._book.remove(notice.notice_id)  # another notifier sends this notice
            if notice.state == "sending":
                self._book.count_sending(now_ms)  # all notifiers together have one limit per minute

    def _enter_message(self, record: Any, now_ms: int) -> None:
        """Process a message that a phone sent. All others are skipped without decoding them."""
        if b'"mo"' not in record.value or self._replies is None:
            return
        try:
            event: Event = decode_event(record.value)
        except UnreadableError:
            return  # the workers count unreadable events
        what, opening = self._replies.evaluate(event, now_ms)
        if what is HeardReply.OTHER:
            return
        self._metrics.add("notice_replies_total", outcome=what)
        if opening is not None:
            self._go_on_opening(opening.recipient, now_ms)

    # -- sending

    def _turn(self, stop: threading.Event) -> None:
        now_ms = self._clock_ms()
        self._book.turn(now_ms)
        if self._replies is not None:
            self._replies.turn(now_ms)
        if not 0 <= now_ms - self._swept_ms <= LEFT_MS // 6:  # negative: the clock was set back
            self._sweep(now_ms, now_ms - LEFT_MS)
        while not stop.is_set():
            found = self._book.next(self._clock_ms())
            if isinstance(found, tuple):
                self._drop(*found)
            elif found is None or time.monotonic() < self._resume_at:
                break
            else:
                self._tell(found)
                self._take(0)
        self._channel.rest()
        is_full = self._book.full or self._book.is_day_full(self._clock_ms())
        self._metrics.put("notice_cap_reached", is_full)
        self._metrics.put("notice_channel_up", not self._failures)

    def _sweep(self, now_ms: int, before_ms: int) -> None:
        self._swept_ms = now_ms
        for notice in self._book.resume(before_ms):
            self._say(msgspec.structs.replace(notice, at_ms=now_ms, channel=self._channel.name))
            self._metrics.add("notices_total", kind=notice.kind, state=notice.state)

    def _drop(self, pending: PendingNotice, why: Unsent) -> None:
        state = "failed" if why is Unsent.UNKNOWN else "suppressed"
        self._book.remove(pending.notice_id)
        self._say(self._notice(pending, state, why))
        self._metrics.add("notices_total", kind=pending.kind, state=state)
        if why is Unsent.CAP:
            self._metrics.add("notices_capped_total")

    def _tell(self, pending: PendingNotice) -> None:
        """Record `sending`, send the notice, and record the result."""
        if not self._claim(pending):
            log.warning("another notifier sends a notice that was due here too")
            self._book.remove(pending.notice_id)
            return
        self._book.count_sending(self._clock_ms())
        delivery = self._send(pending)
        if delivery.state is Delivered.AWAY:
            if not pending.unresolved:  # otherwise it may have left earlier, which stays unknown
                self._say(self._notice(pending, "failed", Unsent.AWAY))
            pause = PAUSES_S[min(self._failures, len(PAUSES_S) - 1)]
            self._resume_at = time.monotonic() + pause
            self._failures += 1
            log.warning("the channel does not take notices (%s); again in %.0f s",
                        delivery.why, pause)  # fmt: skip
            self._metrics.add("notice_retries_total")
            return
        self._failures = 0
        self._book.remove(pending.notice_id)
        sent = delivery.state is Delivered.SENT
        state = "sent" if sent else "failed"
        why = "" if sent else f"{delivery.state} {delivery.why}".strip()
        if delivery.state is Delivered.UNKNOWN:
            why = Unsent.UNKNOWN
        self._say(self._notice(pending, state, why))
        self._metrics.add("notices_total", kind=pending.kind, state=state)
        if sent:
            waited_ms = self._clock_ms() - pending.due_ms
            self._metrics.observe("notice_delay_seconds", max(0, waited_ms) / 1000)
        else:
            log.warning("a notice failed: %s %s", delivery.state, delivery.why)

    def _send(self, pending: PendingNotice) -> Delivery:
        """Write the text and pass it to the channel. Errors do not stop other notices."""
        try:
            message = self._message(pending)
        except Exception as error:  # noqa: BLE001 - one bad notice must not stop all later ones
            return Delivery(Delivered.REFUSED, type(error).__name__)
        try:
            return self._channel.send(message)
        except Exception as error:  # noqa: BLE001 - for the same reason
            return Delivery(Delivered.UNKNOWN, type(error).__name__)

    def _claim(self, pending: PendingNotice) -> bool:
        """Write `sending` and read it back. Return false if another process wrote it first."""
        self._claims.clear()
        place = self._say(self._notice(pending, "sending", ""))
        partition = TopicPartition(self._topics.notice, place[0])
        deadline = time.monotonic() + WRITTEN_S
        # A partition that was added to the topic is assigned within seconds.
        while self._places.next.get(partition, 0) <= place[1]:
            self._take(POLL_MS)
            if time.monotonic() > deadline:
                raise UnavailableError(tr("the broker sends no more of {topic}").format(
                    topic=self._topics.notice))  # fmt: skip
        return self._claims.get(pending.notice_id, place[1]) == place[1]

    def _message(self, pending: PendingNotice) -> SmsNotice:
        texts = self._texts
        language = texts.language(pending.recipient)
        text = texts.render(self._name(pending), language, pending.facts)
        return SmsNotice(
            pending.notice_id, pending.kind, pending.recipient, texts.notify.sender, text,
            language, is_plain(text),
        )  # fmt: skip

    def _name(self, pending: PendingNotice) -> str:
        name = NAMES[pending.kind]
        if name == "start" and pending.facts.few:
            return "start_few"
        return "start_reply" if name == "start" and self._replies is not None else name

    def _notice(self, pending: PendingNotice, state: Any, why: str) -> Notice:
        language = self._texts.language(pending.recipient)
        return Notice(
            notice_id=pending.notice_id,
            episode_id=pending.episode_id,
            kind=pending.kind,
            to=pending.recipient,
            channel=self._channel.name,
            template=f"{self._name(pending)}.{language}",
            state=state,
            why=why,
            at_ms=self._clock_ms(),
        )

    def _say(self, notice: Notice) -> tuple[int, int]:
        """Publish a notice record and wait until it is written. Return its partition and offset."""
        place = self._write(self._topics.notice, notice.notice_id.encode(), encode_notice(notice))
        self._own.add(place)
        self._book.take_notice(notice)
        return place

    def _write(self, topic: str, key: bytes, value: bytes) -> tuple[int, int]:
        """Publish a record, and return its partition and offset.

        If a right is missing that was there before, try again until it is back or the process is
        asked to end. Such a record is not on the topic.
        """
        while True:
            try:
                written = self._producer.send(topic, value, key=key).get(timeout=WRITTEN_S)
            except KafkaError as error:
                lost = self._has_written and isinstance(error, AuthorizationError)
                if not lost or self._stop.wait(LOST_S):
                    what = tr("cannot publish to {topic}").format(topic=topic)
                    raise unusable(what, error) from None
                log.warning("cannot publish to %s: %s", topic, type(error).__name__)
                self._producer.close(timeout=0)  # a missing right has ended it
                self._producer = self._make_producer()
            else:
                self._broker_at, self._has_written = time.monotonic(), True
                return written.partition, written.offset

    # -- replies

    def _go_on_opening(self, recipient: str, now_ms: int) -> None:
        """Publish the overrides of a reply for the platforms known by now, and notify the victim.

        Does nothing if there is no reply or no further platform to open.
        """
        if self._replies is None or not self.ready.is_set():
            return
        opening = self._replies.openings.get(recipient)
        if opening is None or not (keys := self._replies.to_open(opening, now_ms)):
            return
        first = not opening.platforms
        self._audit(opening, len(keys), now_ms)
        for word in opening.words(keys):
            self._write(self._topics.override, override_key(word), encode_override(word))
        if first:
            self._book.ask(opening.episode_id, "victim_opened", recipient, now_ms)

    def _audit(self, opening: Opening, platforms: int, now_ms: int) -> None:
        """Write the victim's request to the audit log, before anything is opened."""
        seq, prev = self._audited
        value = encode_audit(
            AuditRecord(
                chain=self._chain, seq=seq, prev=prev, at_ms=now_ms, actor=ACTOR, channel=VIA,
                verb="allow", outcome="done", role=ACTOR, auth="msisdn",
                subject=opening.recipient, episode_id=opening.episode_id,
                detail=f"platforms: {platforms}", reason=REASON,
                until_ms=opening.until_ms,
            )
        )  # fmt: skip
        self._write(self._topics.audit, self._chain.encode(), value)
        self._audited = seq + 1, hash_record(value)
