"""Runs the recipe on the topics and holds what it gives against the upstream."""

import glob
import json
import os
import sys
import urllib.request
from datetime import datetime, timezone

from expect import CALLS, CALLS_MS, EXTRA, TASKS, equal, table

work = sys.argv[1]
os.environ["TZ"] = "UTC"

from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql.avro.functions import from_avro  # noqa: E402
from pyspark.sql.functions import col, expr  # noqa: E402

jars = [jar for jar in glob.glob(os.path.join(os.environ["CLIENTS"], "spark/jars/*.jar")) if any(name in jar for name in ("kafka", "avro_2", "commons-pool2"))]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", ",".join(jars))
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)
with open(f"{work}/recipe.py", encoding="utf-8") as file:
    RECIPE = file.read()


def events(name, text):
    """All rows that the stream of a recipe has when it ends."""
    scope = {"spark": spark, "json": json, "urllib": urllib, "from_avro": from_avro, "col": col, "expr": expr}
    exec(text, scope)
    found = []
    query = (
        scope["events"].writeStream.trigger(availableNow=True)
        .option("checkpointLocation", f"{work}/{name}")
        .foreachBatch(lambda batch, _: found.extend(batch.collect()))
        .start()
    )
    query.awaitTermination()
    return found


def micros(at):
    if at is None:
        return None
    since = at.replace(tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def rows(found):
    kept = {}
    for row in found:
        if row["event"] is None:
            kept.pop(row["key"], None)
        elif row["event"]["after"] is not None:
            after = row["event"]["after"].asDict()
            for name in ("created_at", "finished_at"):
                if name in after:
                    after[name] = micros(after[name])
            kept[row["key"]] = after
    return kept


calls = events("calls", RECIPE)
equal("calls, records", len(calls), CALLS["records"])
table("calls", rows(calls), CALLS["rows"])
equal("`extra`", {json.dumps(row["extra"]) for row in rows(calls).values()}, {json.dumps(EXTRA)})
millis = events("millis", RECIPE.replace("field-service.call", "field-service-ms.call"))
truncated = {key: {name: value // 1000 * 1000 if name.endswith("_at") and value else value for name, value in row.items()} for key, row in CALLS_MS["rows"].items()}
table("calls in milliseconds", rows(millis), truncated)
tasks = events("tasks", RECIPE.replace("field-service.call", "field-service.call_task"))
equal("tasks, records", len(tasks), TASKS["records"])
table("tasks", rows(tasks), TASKS["rows"])
equal("null rows are the tombstones", sum(row["event"] is None for row in tasks), TASKS["tombstones"])
default = events("default", "\n".join(line for line in RECIPE.split("\n") if "isolation" not in line))
equal("without the isolation level, records of no commit", len(default) - CALLS["records"], CALLS["aborted"])
try:
    events("prefix", RECIPE.replace('expr("substring(value, 6, length(value) - 5)")', 'col("value")'))
    sys.exit("with the five bytes it works now")
except Exception as error:
    text = str(error)
    if "Malformed records are detected" not in text:
        sys.exit(f"with the five bytes it fails in another way: {text}")
    print("  with the five bytes: Malformed records are detected")
spark.stop()
