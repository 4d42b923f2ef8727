"""Runs the recipe in ClickHouse (chDB), and holds its tables against the topics."""

import json
import os
import sys
import time

from chdb import session
from expect import CALLS, EXPECTED, EXTRA, TASKS, equal, table

work = sys.argv[1]
clickhouse = session.Session(f"{work}/data")


def ask(statement):
    return [json.loads(line) for line in clickhouse.query(statement, "JSONEachRow").data().splitlines() if line]


ask("CREATE DATABASE clients ENGINE = Atomic")
ask("USE clients")
with open(f"{work}/recipe.sql", encoding="utf-8") as file:
    recipe = file.read()


def run(text):
    for statement in text.split(";\n"):
        if statement.strip():
            try:
                ask(statement)
            except Exception as error:
                # chDB 26.9 says so of a table of the Kafka engine, and has made it, and it works.
                if "Shutdown was called" not in str(error):
                    raise


def until(what, met):
    deadline = time.monotonic() + 240
    while not met():
        if time.monotonic() > deadline:
            sys.exit(f"clickhouse: waited until {what}")
        time.sleep(0.5)


def read(name):
    found = ask(f"SELECT toUInt64(sum(num_messages_read)) AS records FROM system.kafka_consumers WHERE table = '{name}'")
    return int(found[0]["records"])


run(recipe)
until("all records are read", lambda: read("tasks_queue") >= TASKS["records"])
rows = {}
until("the deletes are in the table", lambda: ask("SELECT count() AS rows FROM tasks WHERE deleted")[0]["rows"] == len(TASKS["deleted"]))
equal("records, with the tombstones, none of which stops it", read("tasks_queue"), TASKS["records"])
rows = {row["key"]: row for row in ask("SELECT * FROM tasks FINAL")}
table("tasks", rows, TASKS["rows"])
equal("`extra`", {json.dumps(row["extra"]) for row in rows.values()}, {json.dumps(EXTRA)})

# What stands in files is read with a structure that ClickHouse infers.
registry = f"SETTINGS format_avro_schema_registry_url = '{os.environ['REGISTRY']}'"
for name, unit in (("field-service.call", 6), ("field-service-ms.call", 3)):
    path = os.path.join(os.environ["WORK"], f"{name}.values")
    inferred = ask(f"DESCRIBE file('{path}', AvroConfluent) {registry}")
    after = next(column["type"] for column in inferred if column["name"] == "after")
    equal(f"{name}, inferred type of an instant", f"created_at Nullable(DateTime64({unit}))" in after, True)
    last = f"SELECT toString(after.id) AS key, argMax(toUnixTimestamp64Micro(toDateTime64(after.created_at, 6)), ts_ms) AS created_at FROM file('{path}', AvroConfluent) GROUP BY key {registry}"
    found = {row["key"]: int(row["created_at"]) for row in ask(last)}
    cut = 10 ** (6 - unit)
    equal(f"{name}, instants", found, {key: row["created_at"] // cut * cut for key, row in EXPECTED[name]["rows"].items()})
path = os.path.join(os.environ["WORK"], "field-service.call_task.values")
try:
    ask(f"SELECT after FROM file('{path}', AvroConfluent, 'after Tuple(id Int64, status Nullable(String))') {registry}")
    sys.exit("a declared tuple with fewer fields works now")
except Exception as error:
    equal("a declared tuple with fewer fields than the record", "Code: 117" in str(error), True)
