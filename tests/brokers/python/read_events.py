"""Reads events as a consumer with stock clients would, and prints one JSON line for each.

A line is {"key", "value", "headers", "partition", "offset"}; a value of null is a tombstone.
Bytes are hexadecimal, times ISO 8601, decimals strings.

Three ways to get at the values:

    read_events.py --bootstrap HOST:PORT --topic T --count N --registry URL
    read_events.py --bootstrap HOST:PORT --topic T --count N --single-object SCHEMA.avsc
    read_events.py --payloads FILE --single-object SCHEMA.avsc

The first decodes the Confluent wire format with the registry's schemas, the second Avro single-object encoding.
The third takes payloads from a file of hexadecimal lines, for events that came over something other than Kafka; its lines have only a "value".
Ends with status 1 if fewer than N records come in time, and where a record does not decode.
"""

import argparse
import datetime
import decimal
import io
import json
import sys
import time
import uuid
import warnings

import fastavro
import fastavro.schema

# authlib tells of a change of its own on every import.
warnings.filterwarnings("ignore", module="authlib")

from confluent_kafka import Consumer  # noqa: E402
from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: E402
from confluent_kafka.schema_registry.avro import AvroDeserializer  # noqa: E402
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402

MARKER = b"\xc3\x01"


def single_object_decoder(path):
    """Decodes payloads that carry the fingerprint of exactly this schema."""
    schema = fastavro.schema.load_schema(path)
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    # fastavro gives the bytes in little-endian order, as they are on the wire.
    expected = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))

    def decode(payload):
        if payload[:2] != MARKER:
            raise ValueError(f"no single-object marker but {payload[:2].hex()}")
        if payload[2:10] != expected:
            raise ValueError(f"fingerprint {payload[2:10].hex()}, the schema has {expected.hex()}")
        body = io.BytesIO(payload[10:])
        value = fastavro.schemaless_reader(body, schema)
        if body.read(1):
            raise ValueError("bytes after the end of the datum")
        return value

    return decode


def registry_decoder(url, topic):
    context = SerializationContext(topic, MessageField.VALUE)
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": url}))
    return lambda payload: deserialize(payload, context)


def records(bootstrap, topic, count, timeout):
    """The first `count` committed records of the topic, from its beginning."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"read-events-{uuid.uuid4()}",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    deadline = time.monotonic() + timeout
    last_error = None
    try:
        read = 0
        while read < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{read} of {count} records in {timeout} s, last error: {last_error}")
            message = consumer.poll(min(left, 1.0))
            if message is None:
                continue
            # The client goes on by itself, as while a topic is still spreading; the deadline ends what does not pass.
            if message.error():
                last_error = message.error()
                continue
            read += 1
            yield message
    finally:
        consumer.close()


def headers_of(message):
    headers = {}
    for name, value in message.headers() or []:
        if name in headers:
            raise ValueError(f"header `{name}` is repeated")
        headers[name] = text_or_hex(value)
    return headers


def text_or_hex(value):
    if value is None:
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.hex()


def as_json(value):
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    raise TypeError(f"no JSON for {type(value)}")


def print_line(line):
    print(json.dumps(line, default=as_json, ensure_ascii=False), flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--bootstrap", help="Kafka's address")
    source.add_argument("--payloads", metavar="FILE", help="a file of hexadecimal payloads, one a line")
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--registry", metavar="URL", help="base url of the Confluent-compatible API")
    form.add_argument("--single-object", metavar="SCHEMA.avsc", help="the schema the payloads must name")
    parser.add_argument("--topic")
    parser.add_argument("--count", type=int)
    parser.add_argument("--timeout", type=float, default=60, help="seconds for all records (default: 60)")
    parsed = parser.parse_args()
    if parsed.bootstrap and not (parsed.topic and parsed.count):
        parser.error("--bootstrap needs --topic and --count")
    if parsed.payloads and parsed.registry:
        parser.error("--payloads needs --single-object")
    return parsed


def main():
    chosen = arguments()
    if chosen.single_object:
        decode = single_object_decoder(chosen.single_object)
    else:
        decode = registry_decoder(chosen.registry, chosen.topic)
    if chosen.payloads:
        with open(chosen.payloads, encoding="ascii") as lines:
            for line in filter(None, map(str.strip, lines)):
                print_line({"value": decode(bytes.fromhex(line))})
        return
    for message in records(chosen.bootstrap, chosen.topic, chosen.count, chosen.timeout):
        payload = message.value()
        print_line(
            {
                "key": text_or_hex(message.key()),
                "value": None if payload is None else decode(payload),
                "headers": headers_of(message),
                "partition": message.partition(),
                "offset": message.offset(),
            }
        )


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"read_events: {error}")
