"""Holds what the Go client printed against the topics."""

import json
import sys
from datetime import datetime, timezone

from expect import CALLS, EXTRA, TASKS, equal, table


def micros(text):
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    since = at - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def plain(name, value):
    # In a map, what is of a union comes under the name of its branch.
    if name != "extra" and isinstance(value, dict):
        ((_, value),) = value.items()
    return micros(value) if name.endswith("_at") and isinstance(value, str) else value


for of in (CALLS, TASKS):
    rows, records, tombstones = {}, 0, 0
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if line["topic"] != of["topic"]:
                continue
            records += 1
            event = line["event"]
            if event is None:
                tombstones += 1
                rows.pop(line["key"], None)
            elif event["after"] is not None:
                after = event["after"]
                # A record in a union comes under its name.
                if len(after) == 1:
                    after = next(iter(after.values()))
                rows[line["key"]] = {name: plain(name, value) for name, value in after.items()}
    equal(f"{of['topic']}, records", records, of["records"])
    equal(f"{of['topic']}, tombstones", tombstones, of["tombstones"])
    table(of["topic"], rows, of["rows"])
    equal("`extra`", {json.dumps(row["extra"]) for row in rows.values()}, {json.dumps(EXTRA)})
