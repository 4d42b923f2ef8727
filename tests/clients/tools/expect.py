"""What clients are held against."""

import json
import os
import sys

with open(os.environ["EXPECTED"], encoding="utf-8") as _file:
    EXPECTED = json.load(_file)
EXTRA = EXPECTED["extra"]
CALLS, TASKS = EXPECTED["field-service.call"], EXPECTED["field-service.call_task"]
CALLS_MS, TASKS_MS = EXPECTED["field-service-ms.call"], EXPECTED["field-service-ms.call_task"]


def equal(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: found {shorten(found)}, expected {shorten(expected)}")
    print(f"  {what}: {shorten(expected)}")


def table(what, found, expected):
    """Two tables by key, the fields that are expected of each row."""
    equal(f"{what}, keys", sorted(found), sorted(expected))
    for key, row in expected.items():
        mine = {name: found[key].get(name) for name in row}
        if mine != row:
            sys.exit(f"{what}, key {key}: found {mine}, expected {row}")
    print(f"  {what}: {len(expected)} rows are those of the upstream")


def shorten(value):
    text = json.dumps(value, default=str)
    return text if len(text) < 200 else f"{text[:200]} …"
