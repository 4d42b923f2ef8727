"""Holds what the Java consumer printed against the topics."""

import json
import sys

from expect import CALLS, CALLS_MS, EXTRA, TASKS, equal, table


def read(isolation):
    found = {}
    with open(f"{sys.argv[1]}/{isolation}.lines", encoding="utf-8") as lines:
        for line in lines:
            topic, key, event = line.rstrip("\n").split("\t")
            found.setdefault(topic, []).append((key, json.loads(event)))
    return found


def rows(events):
    kept = {}
    for key, event in events:
        if event is None:
            kept.pop(key, None)
        elif event["after"] is not None:
            kept[key] = event["after"]
    return kept


committed, default = read("committed"), read("default")
for expected in (CALLS, CALLS_MS, TASKS):
    topic = expected["topic"]
    equal(f"{topic}, records", len(committed[topic]), expected["records"])
    by_unit = {key: {name: value // 1000 if "-ms" in topic and name.endswith("_at") and value else value for name, value in row.items()} for key, row in expected["rows"].items()}
    table(topic, rows(committed[topic]), by_unit)
    equal(f"{topic}, records of no commit by default", len(default[topic]) - len(committed[topic]), expected["aborted"])
equal("`extra`", {json.dumps(row["extra"]) for row in rows(committed[CALLS["topic"]]).values()}, {json.dumps(EXTRA)})
equal("deletes", sorted(key for key, event in committed[TASKS["topic"]] if event and event["op"] == "d"), TASKS["deleted"])
equal("tombstones", sum(event is None for _, event in committed[TASKS["topic"]]), TASKS["tombstones"])
