"""Runs the recipe on the topics and holds what it gives against the upstream."""

import json
import sys
import time
import warnings
from datetime import datetime, timezone

warnings.filterwarnings("ignore", module="authlib")

from confluent_kafka import Consumer  # noqa: E402
from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: E402
from confluent_kafka.schema_registry.avro import AvroDeserializer  # noqa: E402
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402
from expect import CALLS, CALLS_MS, EXTRA, TASKS, equal, table  # noqa: E402

with open(sys.argv[1], encoding="utf-8") as file:
    exec(file.read())


def micros(value):
    if not isinstance(value, datetime):
        return value
    since = value - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


consumer.subscribe([of["topic"] for of in (CALLS, CALLS_MS, TASKS)])
events = {of["topic"]: [] for of in (CALLS, CALLS_MS, TASKS)}
deadline = time.monotonic() + 120
while sum(map(len, events.values())) < sum(of["records"] for of in (CALLS, CALLS_MS, TASKS)):
    if time.monotonic() > deadline:
        sys.exit("python: not all records came")
    message = consumer.poll(1.0)
    if message is None or message.error():
        continue
    value = decode(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
    events[message.topic()].append((message.key().decode(), value))
consumer.close()

for of in (CALLS, CALLS_MS, TASKS):
    found = events[of["topic"]]
    rows = {}
    for key, event in found:
        if event is None:
            rows.pop(key, None)
        elif event["after"] is not None:
            rows[key] = {name: micros(value) for name, value in event["after"].items()}
            equal_extra = event["after"]["extra"] == EXTRA
            if not equal_extra:
                sys.exit(f"python: {key} has {event['after']['extra']}")
    cut = 1000 if "-ms" in of["topic"] else 1
    expected = {key: {name: value // cut * cut if isinstance(value, int) else value for name, value in row.items()} for key, row in of["rows"].items()}
    equal(f"{of['topic']}, records", len(found), of["records"])
    table(of["topic"], rows, expected)
equal("tombstones", sum(event is None for _, event in events[TASKS["topic"]]), TASKS["tombstones"])
