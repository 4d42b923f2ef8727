"""Runs nats-py's recipe, and holds it and what the command line printed against the stream."""

import asyncio
import io
import json
import os
import re
import sys
import textwrap

import fastavro
import fastavro.schema
import nats
from expect import EXPECTED, EXTRA, equal
from nats.js.api import DeliverPolicy

work = sys.argv[1]
TASKS = EXPECTED["nats"]["call_task"]


async def subscribe(js):
    """The recipe's subscription."""
    with open(f"{work}/recipe.py", encoding="utf-8") as file:
        recipe = file.read()
    scope = {"DeliverPolicy": DeliverPolicy}
    exec(f"async def made(js):\n{textwrap.indent(recipe, '    ')}\n    return subscription", scope)
    return await scope["made"](js)


async def main():
    schema = fastavro.schema.load_schema(os.path.join(os.environ["HERE"], "../../schemas/golden/contractor.call_task.avsc"))
    connection = await nats.connect(os.environ["NATS"])
    js = connection.jetstream()
    subscription = await subscribe(js)
    newest = {}
    while True:
        message = await subscription.next_msg(timeout=10)
        newest[message.subject.split(".")[-1]] = message
        if message.metadata.num_pending == 0:
            break
    equal("nats-py, newest of each key", sorted(newest), TASKS["keys"])
    equal("nats-py, empty messages", sorted(key for key, message in newest.items() if not message.data), TASKS["tombstones"])
    rows = [fastavro.schemaless_reader(io.BytesIO(message.data[10:]), schema)["after"] for message in newest.values() if message.data]
    equal("nats-py, `extra`", {json.dumps(row["extra"]) for row in rows}, {json.dumps(EXTRA)})
    reader = await js.consumer_info("TALON_field-service", "reader")
    taken = len(EXPECTED["nats"]["call"]["keys"]) - reader.num_pending
    equal("nats, events that it took by the consumer that it added, and acknowledged", [taken, reader.ack_floor.consumer_seq], [5, 5])
    await connection.close()
    with open(f"{work}/cli", encoding="utf-8", errors="replace") as file:
        shown = re.findall(r"talon\.field-service\.call_task\.([^\s\"*]+)", file.read())
    equal("nats, keys whose newest headers it shows", sorted(set(shown)), TASKS["keys"])


asyncio.run(main())
