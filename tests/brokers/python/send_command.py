"""Sends a command with stock clients, in Avro with the registry's newest schema of the topic, as a downstream
service would.

    send_command.py --bootstrap HOST:PORT --topic T --registry URL --key KEY COMMAND

COMMAND is the command as JSON; its "params" are written as the record named by its "type".
"""

import argparse
import json
import warnings

warnings.filterwarnings("ignore", module="authlib")

from confluent_kafka import Producer  # noqa: E402
from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: E402
from confluent_kafka.schema_registry.avro import AvroSerializer  # noqa: E402
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402

TIMEOUT = 60


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("command")
    chosen = parser.parse_args()

    registry = SchemaRegistryClient({"url": chosen.registry})
    schema = registry.get_latest_version(f"{chosen.topic}-value").schema
    serialize = AvroSerializer(registry, schema, conf={"auto.register.schemas": False, "use.latest.version": True})
    command = json.loads(chosen.command)
    namespace = json.loads(schema.schema_str)["namespace"]
    command["params"] = (f"{namespace}.{command['type']}", command["params"])
    for name in ("issued_at", "expires_at", "expect", "as"):
        command.setdefault(name, None)
    value = serialize(command, SerializationContext(chosen.topic, MessageField.VALUE))
    producer = Producer({"bootstrap.servers": chosen.bootstrap})
    producer.produce(chosen.topic, value, chosen.key)
    if producer.flush(TIMEOUT):
        raise SystemExit("the command was not acknowledged")


if __name__ == "__main__":
    main()
