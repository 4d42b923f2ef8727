"""Holds the changes that Flink's queries gave against the upstream."""

import sys
from datetime import datetime, timedelta, timezone

from expect import CALLS, CALLS_MS, EXTRA, TASKS, equal, table

changes = {}
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        name, kind, *fields = line.rstrip("\n").split("\t")
        changes.setdefault(name, []).append((kind, fields))


def rows(name, *names):
    """What the changes of a query leave."""
    kept = {}
    for kind, fields in changes.get(name, []):
        if kind == "error":
            sys.exit(f"flink, {name}: {fields}")
        fields = [None if field == "null" else field for field in fields]
        if kind in ("+I", "+U"):
            kept[fields[0]] = dict(zip(names, fields[1:]))
        elif kind == "-D":
            kept.pop(fields[0], None)
    return kept


def utc(micros):
    return None if micros is None else datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=micros)


def sql(micros):
    """As Flink writes a TIMESTAMP(3)."""
    at = utc(micros)
    return None if at is None else f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"


def texts(expected, instant):
    times = {"created_at": instant, "finished_at": instant}
    return {key: {name: times.get(name, lambda same: same)(value) for name, value in row.items()} for key, row in expected.items()}


number = lambda micros: None if micros is None else str(micros)
extra = "{" + ", ".join(f"{name}={text}" for name, text in sorted(EXTRA.items())) + "}"

calls = rows("calls", "status", "number", "created_at", "finished_at", "created", "extra")
table("calls", calls, texts(CALLS["rows"], number))
equal("TO_TIMESTAMP_LTZ(created_at / 1000, 3)", {key: row["created"] for key, row in calls.items()}, {key: sql(row["created_at"]) for key, row in CALLS["rows"].items()})
equal("`extra`", {row["extra"] for row in calls.values()} , {extra})
equal("updates", sum(kind == "+U" for kind, _ in changes["calls"]), CALLS["updates"])
table("calls in milliseconds as TIMESTAMP(3)", rows("calls_ms", "status", "number", "created_at", "finished_at"), texts(CALLS_MS["rows"], sql))
table("tasks by upsert-kafka", rows("tasks", "status", "title", "extra"), TASKS["rows"])
table("tasks by debezium-avro-confluent", rows("debezium", "status", "title"), TASKS["rows"])
years = {row["created_at"].split("-")[0] for row in rows("misread", "created_at").values()}
equal("microseconds as TIMESTAMP(3) are wrong, without an error", years.isdisjoint({"2023", "2024", "2025", "2026", "2027"}), True)
print("  their years:", sorted(years)[:3])
inserted = [kind for kind, _ in changes["uncommitted"]]
print("  without the isolation level, changes:", len(inserted), "instead of", len(changes["calls"]))
