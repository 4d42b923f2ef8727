"""Sends a command with stock clients, in the ways in which downstream services do.

    send_command.py --bootstrap HOST:PORT --topic T --registry URL --key KEY [--schema S] [--branch B] COMMAND

COMMAND is the command as JSON. It is written

* with the registry's newest schema of the topic (`newest`), with the same one in another spelling that the sender
  registers under a subject of its own (`respelled`), with one of an earlier version that lacks a field of most
  commands (`older`), or in JSON behind the id of a JSON Schema, as `JSONSerializer` does (`json`);
* as a tuple that names the branch of the parameters (`named`), as a plain dict of which the serialiser finds the
  branch (`plain`), or with the branch in the dict (`typed`).
"""

import argparse
import json
import warnings

warnings.filterwarnings("ignore", module="authlib")

from confluent_kafka import Producer  # noqa: E402
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient  # noqa: E402
from confluent_kafka.schema_registry.avro import AvroSerializer  # noqa: E402
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402

TIMEOUT = 60

DRAFT = "http://json-schema.org/draft-07/schema#"


def plain(value):
    """A schema without what only people and Talon read, its keys in another order."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in sorted(value.items()) if key != "doc" and not key.startswith("talon.")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def respelled(text):
    return json.dumps(plain(json.loads(text)), indent=2)


def older(text):
    schema = json.loads(text)
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "as"]
    (params,) = [field for field in schema["fields"] if field["name"] == "params"]
    params["type"].reverse()
    for record in params["type"]:
        optional = [field for field in record["fields"] if "default" in field]
        if optional:
            record["fields"].remove(optional[-1])
    return json.dumps(schema)


def in_avro(registry, chosen, command):
    schema = registry.get_latest_version(f"{chosen.topic}-value").schema
    namespace = json.loads(schema.schema_str)["namespace"]
    conf = {"auto.register.schemas": False, "use.latest.version": True}
    if chosen.schema != "newest":
        schema = Schema({"respelled": respelled, "older": older}[chosen.schema](schema.schema_str), "AVRO")
        subject = f"sender-{chosen.schema}-{chosen.topic}"
        conf = {"auto.register.schemas": True, "subject.name.strategy": lambda *_: subject}
    name = f"{namespace}.{command['type']}"
    if chosen.branch == "named":
        command["params"] = (name, command["params"])
    elif chosen.branch == "typed":
        command["params"]["-type"] = name
    for name in ("issued_at", "expires_at", "expect", "as"):
        command.setdefault(name, None)
    serialize = AvroSerializer(registry, schema, conf=conf)
    return serialize(command, SerializationContext(chosen.topic, MessageField.VALUE))


def in_json(registry, chosen, command):
    schema = Schema(json.dumps({"$schema": DRAFT, "title": "Command", "type": "object"}), "JSON")
    schema_id = registry.register_schema(f"sender-json-{chosen.topic}", schema)
    return b"\x00" + schema_id.to_bytes(4, "big") + json.dumps(command).encode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--schema", choices=["newest", "respelled", "older", "json"], default="newest")
    parser.add_argument("--branch", choices=["named", "plain", "typed"], default="named")
    parser.add_argument("command")
    chosen = parser.parse_args()

    registry = SchemaRegistryClient({"url": chosen.registry})
    write = in_json if chosen.schema == "json" else in_avro
    value = write(registry, chosen, json.loads(chosen.command))
    producer = Producer({"bootstrap.servers": chosen.bootstrap})
    producer.produce(chosen.topic, value, chosen.key)
    if producer.flush(TIMEOUT):
        raise SystemExit("the command was not acknowledged")


if __name__ == "__main__":
    main()
