"""Metrics and health as a scraper and a supervisor see them."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.common.errors import Exit, UnavailableError
from streams.telemetry import metrics_server as http
from streams.telemetry.metrics import Metrics
from tests.waiting import END_S


def get(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=END_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_health_says_what_is_wrong_and_metrics_can_be_scraped() -> None:
    metrics = Metrics()
    wrong = {"live": "", "ready": "3 of 4 partitions loaded"}
    with http.serve(
        "127.0.0.1", 0, metrics.registry, live=lambda: wrong["live"], ready=lambda: wrong["ready"]
    ) as address:
        assert get(address, "/health/live") == (200, "ok\n")
        assert get(address, "/health/ready") == (503, "3 of 4 partitions loaded\n")
        wrong["ready"] = ""
        assert get(address, "/health/ready?from=probe") == (200, "ok\n")
        status, body = get(address, "/metrics")
        assert status == 200
        assert "otpguard_events" in {f.name for f in text_string_to_metric_families(body)}
        assert get(address, "/")[0] == 404
        assert get(address, "/health")[0] == 404
    with pytest.raises(urllib.error.URLError):
        get(address, "/metrics")


def test_a_client_that_says_nothing_holds_nobody_up() -> None:
    with http.serve(
        "127.0.0.1", 0, Metrics().registry, live=lambda: "", ready=lambda: ""
    ) as address:
        host, port = address.split(":")
        with socket.create_connection((host, int(port))):
            assert get(address, "/health/live")[0] == 200


def test_connections_without_end_take_no_more_threads_than_are_allowed_and_keep_no_probe_out() -> (
    None
):
    before = threading.active_count()
    with (
        http.serve(
            "127.0.0.1", 0, Metrics().registry, live=lambda: "", ready=lambda: ""
        ) as address,
        ExitStack() as stack,
    ):
        host, port = address.split(":")
        most = 0
        for _ in range(50):
            stack.enter_context(socket.create_connection((host, int(port)))).sendall(b"GET /")
            most = max(most, threading.active_count() - before)
        assert get(address, "/health/live")[0] == 200
        most = max(most, threading.active_count() - before)
        assert most <= http.THREADS_MAX + 2  # that of the server, and one that ends


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(UnavailableError, match=f"127.0.0.1:{port}: Address already in use") as e,
            http.serve("127.0.0.1", port, Metrics().registry, live=lambda: "", ready=lambda: ""),
        ):
            pass
        assert e.value.exit_code is Exit.TRY_AGAIN
        assert f"OTPGUARD_HTTP_PORT={port + 10} " in str(e.value)  # of this process alone
