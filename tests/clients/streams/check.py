"""Holds the stores of Kafka Streams against the upstream."""

import json
import sys

from expect import CALLS, TASKS, equal, table


def read(name):
    records, rows = [], {}
    with open(f"{sys.argv[1]}/{name}.lines", encoding="utf-8") as lines:
        for line in lines:
            what, key, text = line.rstrip("\n").split("\t")
            if what == "record":
                records.append((key, text))
            else:
                rows[key] = json.loads(text)
    return records, rows


records, rows = read("calls")
equal("calls, records", len(records), CALLS["records"])
table("calls", rows, CALLS["rows"])
records, rows = read("tasks")
equal("tasks, records", len(records), TASKS["records"])
table("tasks", rows, TASKS["rows"])
equal("between a delete and its tombstone, values without `after`", sorted(key for key, text in records if text == "null"), TASKS["deleted"])
equal("tombstones", sum(text == "tombstone" for _, text in records), TASKS["tombstones"])
records, rows = read("default")
equal("without exactly_once_v2, records of no commit", len(records) - CALLS["records"], CALLS["aborted"])
