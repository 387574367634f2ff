"""Stock Faust: one agent, one tumbling table, as its documentation shows, with a raw codec.

usage: faust_table.py BOOTSTRAP TOPIC GROUP EVENTS PARTITIONS

The table's windows go by the records' own time (the event time here). Windows are kept for three
days, because Faust lets them expire by the wall clock.
"""

import json
import os
import sys
from datetime import timedelta

import faust
import msgspec

bootstrap, topic, group = sys.argv[1:4]
total, partitions = int(sys.argv[4]), int(sys.argv[5])


class Event(msgspec.Struct, gc=False):
    recipient: str
    category: str = ""


decode = msgspec.json.Decoder(Event).decode
app = faust.App(
    group,
    broker=f"kafka://{bootstrap}",
    store="memory://",
    topic_partitions=partitions,
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
    broker_commit_every=10_000,
    broker_max_poll_records=5_000,
    stream_wait_empty=False,
    web_enabled=False,
    datadir=f"/tmp/{group}",
)
counts = app.Table("counts", default=int, partitions=partitions).tumbling(
    60.0, expires=timedelta(days=3)
)
seen = codes = 0


@app.agent(app.topic(topic, value_type=bytes, value_serializer="raw"))
async def count(stream):
    global seen, codes
    async for value in stream:
        event = decode(value)
        seen += 1
        if event.category == "otp":
            codes += 1
            counts[event.recipient] += 1
        if seen % 100 == 0:
            print(json.dumps({"events": seen}), flush=True)
        if seen >= total:
            held = sum(counts.table.values())
            done = {"events": seen, "codes": codes, "sum": held, "done": True}
            print(json.dumps(done), flush=True)
            os._exit(0)


app.finalize()
worker = faust.Worker(app, loglevel="ERROR", redirect_stdouts=False)
worker.execute_from_commandline()
