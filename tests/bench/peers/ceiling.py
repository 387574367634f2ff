"""The ceiling: librdkafka and msgspec, and nothing done with what was read.

usage: ceiling.py BOOTSTRAP TOPIC GROUP EVENTS
"""

import json
import sys

import msgspec
from confluent_kafka import Consumer, TopicPartition


class Event(msgspec.Struct, gc=False):
    recipient: str
    event_time_ms: int
    category: str = ""


bootstrap, topic, group, total = sys.argv[1:3] + [sys.argv[3], int(sys.argv[4])]
consumer = Consumer(
    {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        # with its defaults librdkafka pauses for a second whenever its queue is full
        "fetch.queue.backoff.ms": 10,
        "queued.min.messages": 1_000_000,
        "queued.max.messages.kbytes": 1 << 20,
    }
)
consumer.subscribe([topic])
decode = msgspec.json.Decoder(Event).decode
events = codes = 0
while events < total:
    for message in consumer.consume(20_000, 0.2):
        codes += decode(message.value()).category == "otp"
        events += 1
    print(json.dumps({"events": events}), flush=True)
print(json.dumps({"events": events, "codes": codes, "sum": codes, "done": True}), flush=True)
consumer.close()
