"""Quix Streams: a tumbling window by event time with its changelog, as its documentation shows.

usage: quix.py BOOTSTRAP TOPIC GROUP EVENTS CYCLE_S

The newest count of each window is kept in a dictionary besides, to check the sum; that is under a
hundredth of the cost.
"""

import json
import logging
import sys
import tempfile
from datetime import timedelta

from quixstreams import Application

bootstrap, topic, group = sys.argv[1:4]
total = int(sys.argv[4])
seen = codes = 0
newest = {}

scratch = tempfile.TemporaryDirectory(prefix="quix-", ignore_cleanup_errors=True)
app = Application(
    broker_address=bootstrap,
    consumer_group=group,
    auto_offset_reset="earliest",
    commit_interval=float(sys.argv[5]),
    state_dir=scratch.name,
    loglevel=logging.ERROR,
)


def is_code(value):
    global seen, codes
    seen += 1
    if seen % 100 == 0:
        print(json.dumps({"events": seen}), flush=True)
    code = value["category"] == "otp"
    codes += code
    return code


def keep(window, key, timestamp, headers):
    newest[key, window["start"]] = window["value"]


source = app.topic(
    topic,
    value_deserializer="json",
    timestamp_extractor=lambda value, headers, timestamp, kind: value["event_time_ms"],
)
frame = app.dataframe(source).filter(is_code)
frame = frame.tumbling_window(timedelta(seconds=60), grace_ms=300_000).count().current()
frame.update(keep, metadata=True)
app.run(count=total)
done = {"events": seen, "codes": codes, "sum": sum(newest.values()), "done": True}
print(json.dumps(done), flush=True)
