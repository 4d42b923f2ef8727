"""Reads events from JetStream as a consumer with stock clients would, and prints one JSON line for each.

    read_jetstream.py --servers nats://HOST:PORT --topic T --count N --single-object SCHEMA.avsc

The lines are those of read_events.py; the offset is the sequence in the stream, and a value of null is
the marker behind a delete.
Ends with status 1 if fewer than N records come in time, and where a record does not decode.
"""

import argparse
import asyncio
import sys

import nats
from read_events import print_line, single_object_decoder


async def read(chosen):
    decode = single_object_decoder(chosen.single_object)
    client = await nats.connect(chosen.servers)
    try:
        subscription = await client.jetstream().subscribe(f"{chosen.topic}.>", ordered_consumer=True)
        for _ in range(chosen.count):
            message = await subscription.next_msg(timeout=chosen.timeout)
            print_line(
                {
                    "key": message.subject.rsplit(".", 1)[1],
                    "value": decode(message.data) if message.data else None,
                    "headers": dict(message.headers or {}),
                    "offset": message.metadata.sequence.stream,
                }
            )
    finally:
        await client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--single-object", metavar="SCHEMA.avsc", required=True, help="the schema the payloads must name")
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait for a record (default: 60)")
    asyncio.run(read(parser.parse_args()))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, asyncio.TimeoutError, nats.errors.Error) as error:
        sys.exit(f"read_jetstream: {error}")
