"""The ceiling of `feed kafka`: librdkafka reads and writes, and nothing is done with the values.

usage: relay.py BOOTSTRAP SOURCE TARGET GROUP EVENTS
"""

from __future__ import annotations

import json
import sys

from confluent_kafka import Consumer, Producer


def main(bootstrap: str, source: str, target: str, group: str, total: int) -> None:
    """Relay so many records, a batch at a time, with commits, as the feed does."""
    clients = {"bootstrap.servers": bootstrap}
    consumer = Consumer(
        {
            **clients,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer(
        {
            **clients,
            "enable.idempotence": True,
            "linger.ms": 5,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    consumer.subscribe([source])
    events = 0
    while events < total:
        records = consumer.consume(20_000, 0.2)
        for record in records:
            value = record.value()
            producer.produce(target, value, value[:16])
        producer.flush()
        if records:
            consumer.commit(asynchronous=True)
        events += len(records)
        print(json.dumps({"events": events}), flush=True)
    print(json.dumps({"events": events, "done": True}), flush=True)
    consumer.close()


if __name__ == "__main__":
    where, read, written, name, number = sys.argv[1:]
    main(where, read, written, name, int(number))
