"""Which failures of a Kafka client may pass, and which stay until somebody changes a setting."""

from __future__ import annotations

import logging

import pytest
from kafka import errors

from streams.cluster.admin import in_a_sentence
from streams.errors import ConfigError, OtpguardError, UnavailableError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.RequestTimedOutError(), UnavailableError),  # a broker that starts under load
        (errors.CoordinatorLoadInProgressError(), UnavailableError),
        (errors.NotControllerError(), UnavailableError),
        (errors.KafkaTimeoutError(), UnavailableError),
        (errors.KafkaConnectionError(), UnavailableError),
        (errors.TopicAuthorizationFailedError(), ConfigError),
        (errors.InvalidPartitionsError(), ConfigError),
        (ValueError("no such address"), ConfigError),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception, expected: type[OtpguardError]) -> None:
    with pytest.raises(expected, match="at kafka:9092"), in_a_sentence("ask", "kafka:9092"):
        raise error


def test_a_librarys_event_loop_does_not_speak_in_our_logs_unless_it_crashes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    selector = logging.getLogger("kafka.net.selector")
    selector.warning("Task heartbeat left RUNNING after step; demoting to ready")
    assert caplog.records == []
    selector.error("IO loop crashed")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
