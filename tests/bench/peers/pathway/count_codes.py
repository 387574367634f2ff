"""Pathway: a tumbling window by event time, as its documentation shows.

usage: count_codes.py BOOTSTRAP TOPIC GROUP EVENTS CYCLE_S memory|persistence [OUTPUT]

With `persistence` what it reads goes to a folder every CYCLE_S, from which it would count again:
to keep the state of operators in its place asks for a licence key. With OUTPUT each
change of a count is written to that topic, with the recipient as its key. The sum of all windows is
one more row that Pathway keeps, and the only one that comes to Python.

It runs without a licence key, which is what its telemetry and its reports to a server ask for.
"""

import json
import os
import sys
import tempfile

for name in [name for name in os.environ if name.startswith("PATHWAY_")]:
    del os.environ[name]  # no key, no server to report to

import pathway as pw

bootstrap, topic, group = sys.argv[1:4]
total, cycle_s, kept = int(sys.argv[4]), int(sys.argv[5]), sys.argv[6]
EPOCH_MS = 100  # what comes within so long is worked on together; by default 1,500


class Event(pw.Schema):
    recipient: str
    event_time_ms: int
    category: str


events = pw.io.kafka.read(
    {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"},
    topic,
    schema=Event,
    format="json",
    autocommit_duration_ms=EPOCH_MS,
    name="events",
)
codes = events.filter(pw.this.category == "otp")
counts = codes.windowby(
    pw.this.event_time_ms, window=pw.temporal.tumbling(60_000), instance=pw.this.recipient
).reduce(
    recipient=pw.this._pw_instance,
    window=pw.this._pw_window_start,
    codes=pw.reducers.count(),
)
if len(sys.argv) > 7:
    settings = {"bootstrap.servers": bootstrap}
    pw.io.kafka.write(counts, settings, sys.argv[7], format="json", key=counts.recipient)

said = {"events": 0, "codes": 0, "sum": 0}
ended = dict.fromkeys(said, -1)  # the newest epoch of each row that is over


def follow(name, table):
    def change(key, row, time, is_addition):
        if is_addition:
            said[name] = row["value"]

    def over(time):
        ended[name] = time
        if name == "events":
            print(json.dumps({"events": said["events"], "all": said["events"] >= total}), flush=True)
        if said["events"] >= total and min(ended.values()) == max(ended.values()):
            print(json.dumps(said | {"done": True}), flush=True)
            os._exit(0)

    pw.io.subscribe(table, on_change=change, on_time_end=over)


follow("events", events.reduce(value=pw.reducers.count()))
follow("codes", codes.reduce(value=pw.reducers.count()))
follow("sum", counts.reduce(value=pw.reducers.sum(counts.codes)))
persistence = None
scratch = tempfile.TemporaryDirectory(prefix="pathway-", ignore_cleanup_errors=True)
if kept == "persistence":
    persistence = pw.persistence.Config(
        pw.persistence.Backend.filesystem(scratch.name),
        snapshot_interval_ms=1_000 * cycle_s,
    )
pw.run(monitoring_level=pw.MonitoringLevel.NONE, persistence_config=persistence)
