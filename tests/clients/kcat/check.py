"""Holds what kcat printed against the topic."""

import json
import os
import sys

from expect import EXTRA, TASKS, equal, table

with open(f"{sys.argv[1]}/lines", encoding="utf-8") as lines:
    records = [line.rstrip("\n").split("\t") for line in lines]
equal("kcat, records", len(records), TASKS["records"])
equal("kcat, keys of the tombstones", sorted(key for key, _, size, _ in records if int(size) < 0), TASKS["deleted"])
names = {"talon-schema=talon.contractor.call_task.Envelope" in headers.split(",") for _, _, _, headers in records}
equal("kcat, header `talon-schema`", names, {True})
if os.path.exists(f"{sys.argv[1]}/avro"):
    rows = {}
    with open(f"{sys.argv[1]}/avro", encoding="utf-8") as lines:
        records = [line.rstrip("\n").split("\t") for line in lines]
    equal("kcat with libserdes, records", len(records), TASKS["records"])
    for key, text in records:
        event = json.loads(text) if text and text != "NULL" else None
        if event is None:
            rows.pop(key, None)
        elif event["after"] is not None:
            row = event["after"]["CallTask"]
            rows[key] = {name: next(iter(value.values())) if isinstance(value, dict) and name != "extra" else value for name, value in row.items()}
    table("kcat with libserdes", rows, TASKS["rows"])
    equal("kcat with libserdes, `extra`", {json.dumps(row["extra"]) for row in rows.values()}, {json.dumps(EXTRA)})
