"""Writes a few events with stock clients, for the tests of the fixtures themselves.

    write_events.py --bootstrap HOST:PORT --topic T --registry URL
    write_events.py --bootstrap HOST:PORT --topic T --single-object SCHEMA.avsc

Creates the topic if it is not there; then writes, of the record {"name": string, "amount": long} in `schema.avsc`,
one transaction that is aborted and one of two events and a tombstone that is committed.
"""

import argparse
import io
import pathlib
import warnings

import fastavro
import fastavro.schema

warnings.filterwarnings("ignore", module="authlib")

from confluent_kafka import KafkaError, KafkaException, Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: E402
from confluent_kafka.schema_registry.avro import AvroSerializer  # noqa: E402
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402

TIMEOUT = 60


def create(bootstrap, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    try:
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(TIMEOUT)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def single_object_encoder(path):
    schema = fastavro.schema.load_schema(path)
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    head = b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))

    def encode(value):
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, value)
        return head + body.getvalue()

    return encode


def registry_encoder(url, topic):
    schema = pathlib.Path(__file__).with_name("schema.avsc").read_text(encoding="utf-8")
    serialize = AvroSerializer(SchemaRegistryClient({"url": url}), schema)
    context = SerializationContext(topic, MessageField.VALUE)
    return lambda value: serialize(value, context)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--registry")
    form.add_argument("--single-object")
    chosen = parser.parse_args()

    create(chosen.bootstrap, chosen.topic)
    if chosen.single_object:
        encode = single_object_encoder(chosen.single_object)
    else:
        encode = registry_encoder(chosen.registry, chosen.topic)
    producer = Producer({"bootstrap.servers": chosen.bootstrap, "transactional.id": chosen.topic})
    producer.init_transactions(TIMEOUT)

    producer.begin_transaction()
    producer.produce(chosen.topic, encode({"name": "aborted", "amount": 0}), "a")
    # Written and then aborted; what is still in the client's queue would be dropped unseen.
    producer.flush(TIMEOUT)
    producer.abort_transaction(TIMEOUT)

    producer.begin_transaction()
    headers = [("kind", b"test"), ("raw", b"\xff\x00")]
    producer.produce(chosen.topic, encode({"name": "első", "amount": 1}), "a", headers=headers)
    producer.produce(chosen.topic, encode({"name": "second", "amount": -2}), "b")
    producer.produce(chosen.topic, None, "a")
    producer.commit_transaction(TIMEOUT)


if __name__ == "__main__":
    main()
