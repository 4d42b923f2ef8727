"""Holds what Connect's sinks were given against the topics."""

import json
import os
import sys
import time

from expect import CALLS, CALLS_MS, EXTRA, TASKS, equal, table

work, worker = sys.argv[1], int(sys.argv[2])


def lines(name, count):
    """The first `count` lines of a sink; what is not committed lies before the last of them."""
    deadline = time.monotonic() + 600
    while True:
        found = []
        if os.path.exists(f"{work}/{name}.lines"):
            with open(f"{work}/{name}.lines", encoding="utf-8") as file:
                found = [json.loads(line) for line in file if line.endswith("\n")]
        if len(found) >= count:
            return found
        if time.monotonic() > deadline or not os.path.exists(f"/proc/{worker}"):
            sys.exit(f"connect, {name}: {len(found)} of {count} records")
        time.sleep(0.1)


def rows(found):
    """The newest value of each key."""
    kept = {}
    for line in found:
        if line["value"] is None:
            kept.pop(line["key"], None)
        else:
            kept[line["key"]] = line["value"]
    return kept


calls = lines("calls", CALLS["records"])
equal("calls, records", len(calls), CALLS["records"])
table("calls", rows(calls), CALLS["rows"])
types = calls[-1]["types"]
equal("type of an instant in microseconds", types["created_at"], "io.debezium.time.MicroTimestamp")
equal("`extra`", calls[-1]["value"]["extra"], EXTRA)
equal("added fields", sorted(name for name in types if name.startswith("__")), ["__deleted", "__op", "__source_table", "__source_ts_ms"][1:])
equal("`__source_table`", calls[-1]["value"]["__source_table"], "call")
equal("ids stay texts", {line["headers"]["talon-event-id"].split()[0] for line in calls}, {"STRING"})
equal("updates", sum(line["value"]["__op"] == "u" for line in calls), CALLS["updates"])

millis = lines("calls-ms", CALLS_MS["records"])
equal("type of an instant in milliseconds", millis[-1]["types"]["created_at"], "org.apache.kafka.connect.data.Timestamp")
expected = {key: {**row, **{name: row[name] and row[name] // 1000 for name in ("created_at", "finished_at")}} for key, row in CALLS_MS["rows"].items()}
table("calls in milliseconds", rows(millis), expected)

tasks = lines("tasks", TASKS["records"] - TASKS["tombstones"])
equal("tasks, records: the delete is the null record, the tombstone is dropped", len(tasks), TASKS["records"] - TASKS["tombstones"])
equal("tasks, null records", sorted(line["key"] for line in tasks if line["value"] is None), TASKS["deleted"])
table("tasks", rows(tasks), TASKS["rows"])
deletes = [line["headers"]["talon-event-id"] for line in tasks if line["value"] is None]

rewritten = lines("tasks-rewritten", TASKS["records"])
equal("rewrite-with-tombstone, records", len(rewritten), TASKS["records"])
gone = [line for line in rewritten if line["value"] and line["value"].get("__deleted") in (True, "true")]
equal("rewrite-with-tombstone, rows marked as deleted", sorted(line["key"] for line in gone), TASKS["deleted"])
equal("the null record has the id of the delete event", sorted(deletes), sorted(line["headers"]["talon-event-id"] for line in gone))

missing = lines("tasks-missing", TASKS["records"] - TASKS["tombstones"])
names = {name for line in missing for name in line["types"] if name.startswith("__")}
equal("fields to add that are not there are left out", sorted(names), ["__op"])

whole = lines("tasks-whole", TASKS["records"])
equal("without the transformation, records", len(whole), TASKS["records"])
equal("without it, tombstones", sum(line["value"] is None for line in whole), TASKS["tombstones"])

uncommitted = lines("calls-uncommitted", CALLS["records"] + CALLS["aborted"])
equal("without the isolation level, records of no commit besides", len(uncommitted) - CALLS["records"], CALLS["aborted"])
