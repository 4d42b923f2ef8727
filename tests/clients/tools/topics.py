"""Makes the topics that the clients read, and says in expected.json what is on them.

Talon reads a simulated upstream whose rows have a field that Talon does not know, as two connectors:
`field-service`, and `field-service-ms` with `instants: millis`. It is killed in the middle of a
transaction and started again, rows are edited, and at last three tasks are gone. The same with NATS,
without the kill.

What is expected of a table comes from the upstream, what is expected of records from the topic as
librdkafka reads it. The values of each topic are also in a file, one behind the other.
"""

import asyncio
import atexit
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import warnings

warnings.filterwarnings("ignore", module="authlib")

import nats  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: E402
from confluent_kafka.schema_registry.avro import AvroDeserializer  # noqa: E402
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402
from nats.js.api import DeliverPolicy  # noqa: E402
from nats.js.errors import NotFoundError  # noqa: E402

BOOTSTRAP, REGISTRY, NATS = (os.environ[name] for name in ("BOOTSTRAP", "REGISTRY", "NATS"))
UPSTREAM, TALON, WORK = (os.environ[name] for name in ("UPSTREAM", "TALON", "WORK"))
CONNECTORS = ["field-service", "field-service-ms"]
GONE = 3
PATIENCE = 180


def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(UPSTREAM + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def until(what, met):
    deadline = time.monotonic() + PATIENCE
    while not (found := met()):
        if time.monotonic() > deadline:
            sys.exit(f"topics: waited {PATIENCE} s until {what}")
        time.sleep(0.05)
    return found


class Talon:
    """`talon run`, killed when this process ends."""

    def __init__(self, bus):
        lines = [
            "talon: {prefix: talon, group: talon}",
            'http: {listen: "127.0.0.1:0"}',
        ]
        if bus == "kafka":
            lines += [
                f'bus: {{kafka: {{bootstrap.servers: "{BOOTSTRAP}", group.instance.id: clients}}}}',
                f'schema.registry: {{url: "{REGISTRY}"}}',
            ]
        else:
            lines += [f'bus: {{nats: {{servers: "{NATS}", lease.ttl.ms: 1000}}}}']
        lines += ["connectors:"]
        for name in CONNECTORS:
            lines += [
                f"  {name}:",
                "    class: contractor",
                f'    upstream.url: "{UPSTREAM}"',
                "    auth.external.token: external-system-token",
                "    upstream.requests.per.second: 1000",
                "    feeds: call,call_task",
                "    call.poll.interval.ms: 50",
                "    call_task.poll.interval.ms: 200",
                f"    instants: {'millis' if name.endswith('-ms') else 'micros'}",
            ]
        path = os.path.join(WORK, f"talon-{bus}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.log = os.path.join(WORK, f"talon-{bus}.log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([TALON, "run", "--config", path], stdout=log, stderr=log)
        atexit.register(self.process.kill)

    def send(self, number):
        if self.process.poll() is not None:
            with open(self.log, encoding="utf-8") as log:
                sys.exit(f"topics: talon ended: {log.read()[-4000:]}")
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        self.send(number)
        return self.process.wait(60)


def consumer(isolation):
    return Consumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "group.id": f"topics-{isolation}",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )


COMMITTED, UNCOMMITTED = consumer("read_committed"), consumer("read_uncommitted")


def partitions(topic):
    metadata = COMMITTED.list_topics(topic, timeout=30).topics[topic]
    return [] if metadata.error else [TopicPartition(topic, number, 0) for number in sorted(metadata.partitions)]


def ends(reader, topic):
    return [reader.get_watermark_offsets(partition, timeout=30)[1] for partition in partitions(topic)]


def records(reader, topic):
    """All records of a topic, to its ends."""
    left = {partition.partition for partition in partitions(topic)}
    reader.assign(partitions(topic))
    found = []
    deadline = time.monotonic() + PATIENCE
    while left and time.monotonic() < deadline:
        message = reader.poll(1.0)
        if message is None:
            continue
        if message.error():
            left.discard(message.partition())
            continue
        found.append(message)
    reader.unassign()
    if left:
        sys.exit(f"topics: `{topic}` was not read to its ends")
    return found


def events(topic):
    """(key, event) of the committed records, a tombstone as None; in order for each key."""
    decode = AvroDeserializer(SchemaRegistryClient({"url": REGISTRY}))
    context = SerializationContext(topic, MessageField.VALUE)
    return [(message.key().decode(), decode(message.value(), context)) for message in records(COMMITTED, topic)]


def table(topic):
    found = {}
    for key, event in events(topic):
        if event is None:
            found.pop(key, None)
        elif event["after"] is not None:
            found[key] = event["after"]
    return found


def upstream(kind):
    """What the upstream has now, by id."""
    return {str(key): json.loads(row) if isinstance(row, str) else row for key, row in ask("GET", f"/_sim/history/{kind}").items()}


def micros(text):
    from datetime import datetime, timezone

    if text is None:
        return None
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    since = at - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def call(row):
    return {"status": row["status"], "number": row["number"], "created_at": micros(row["created"]), "finished_at": micros(row.get("finished"))}


def task(row):
    return {"status": row["status"], "title": row["title"]}


def same(topic, rows):
    """Whether the table is what the upstream has."""
    mine = {key: {name: value for name, value in row.items()} for key, row in table(topic).items()}
    return set(mine) == set(rows) and all(
        mine[key]["status"] == row["status"] and mine[key]["extra"] == {"slaClass": SLA} for key, row in rows.items()
    )


SLA = None


def learn_extra(topic):
    global SLA
    rows = until("a first row is there", lambda: table(topic))
    SLA = next(iter(rows.values()))["extra"]["slaClass"]


def killed_in_a_transaction(talon, topic):
    """Kills Talon while records of an open transaction are on the topic. It stands still while that is looked at."""
    for _ in range(500):
        ask("POST", "/_sim/edit", {"edits": 20})
        talon.send(signal.SIGSTOP)
        if ends(COMMITTED, topic) != ends(UNCOMMITTED, topic):
            talon.end(signal.SIGKILL)
            return
        talon.send(signal.SIGCONT)
        time.sleep(0.013)
    sys.exit("topics: no open transaction was caught")


def expected(topic, rows):
    read = events(topic)
    ops = [event["op"] for _, event in read if event is not None]
    deleted = [key for key, event in read if event is not None and event["op"] == "d"]
    return {
        "topic": topic,
        "rows": rows,
        "records": len(read),
        "updates": ops.count("u"),
        "deleted": sorted(deleted),
        "tombstones": sum(event is None for _, event in read),
        "aborted": len(records(UNCOMMITTED, topic)) - len(read),
    }


async def on_nats():
    """The same on NATS, without the kill. A call and what is said of it last, and which tasks are deleted."""
    connection = await nats.connect(NATS)
    jetstream = connection.jetstream()

    async def newest(feed):
        """The newest message of each key; none before the stream is there."""
        try:
            reader = await jetstream.subscribe(f"talon.field-service.{feed}.*", ordered_consumer=True, deliver_policy=DeliverPolicy.LAST_PER_SUBJECT)
        except NotFoundError:
            return {}
        found = {}
        try:
            while True:
                message = await reader.next_msg(timeout=2)
                found[message.subject.split(".")[-1]] = message
                if message.metadata.num_pending == 0:
                    break
        except TimeoutError:
            pass  # nothing is on the subjects yet
        await reader.unsubscribe()
        return found

    async def wait(what, met):
        deadline = time.monotonic() + PATIENCE
        while not await met():
            if time.monotonic() > deadline:
                sys.exit(f"topics: waited {PATIENCE} s until {what}")
            await asyncio.sleep(0.1)

    ask("POST", "/_sim/faults", {"kind": "unknown_field"})
    talon = Talon("nats")

    async def whole():
        return set(await newest("call")) == set(upstream("calls")) and set(await newest("call_task")) == set(upstream("tasks"))

    await wait("all rows are on NATS", whole)
    ask("POST", "/_sim/edit", {"edits": 60})
    # A task that was never published is not deleted either.
    await wait("all new rows are on NATS", whole)
    ids = sorted(map(int, upstream("tasks")))
    ask("POST", "/_sim/faults", {"kind": "short_list", "keep": len(ids) - GONE, "path": "/calltask"})

    async def settled():
        return sum(not message.data for message in (await newest("call_task")).values()) == GONE

    await wait("the tasks are deleted on NATS", settled)
    talon.end()
    streams = {}
    for feed in ("call", "call_task"):
        state = (await jetstream.stream_info("TALON_field-service", subjects_filter=f"talon.field-service.{feed}.>")).state
        found = await newest(feed)
        streams[feed] = {
            "records": sum(state.subjects.values()),
            "keys": sorted(found),
            "tombstones": sorted(key for key, message in found.items() if not message.data),
        }
    await connection.close()
    ask("DELETE", "/_sim/faults")
    return streams


def main():
    ask("POST", "/_sim/faults", {"kind": "unknown_field"})
    talon = Talon("kafka")
    calls = "talon.field-service.call"
    until("the topics are there", lambda: all(partitions(f"talon.{name}.{feed}") for name in CONNECTORS for feed in ("call", "call_task")))
    learn_extra(calls)
    killed_in_a_transaction(talon, calls)
    talon = Talon("kafka")
    ask("POST", "/_sim/edit", {"edits": 100})

    def tables(kind, feed, make):
        rows = {key: make(row) for key, row in upstream(kind).items()}
        if kind == "tasks":
            for key in gone:
                rows.pop(key)
        for name in CONNECTORS:
            until(f"{name}.{feed} is what the upstream has", lambda: same(f"talon.{name}.{feed}", rows))
        return rows

    gone = []
    tables("calls", "call", call)
    tables("tasks", "call_task", task)
    ids = sorted(map(int, upstream("tasks")))
    gone = [str(number) for number in ids[-GONE:]]
    ask("POST", "/_sim/faults", {"kind": "short_list", "keep": len(ids) - GONE, "path": "/calltask"})
    found = {"call": tables("calls", "call", call), "call_task": tables("tasks", "call_task", task)}
    talon.end()
    for name in CONNECTORS:
        for feed in found:
            with open(os.path.join(WORK, f"{name}.{feed}.values"), "wb") as file:
                file.write(b"".join(message.value() or b"" for message in records(COMMITTED, f"talon.{name}.{feed}")))
    told = {f"{name}.{feed}": expected(f"talon.{name}.{feed}", found[feed]) for name in CONNECTORS for feed in found}
    if not told["field-service.call"]["aborted"]:
        sys.exit("topics: no aborted record is on the topic")
    ask("DELETE", "/_sim/faults")
    told["nats"] = asyncio.run(on_nats())
    told["extra"] = {"slaClass": SLA}
    with open(os.environ["EXPECTED"], "w", encoding="utf-8") as file:
        json.dump(told, file, indent=1)
    for topic, of in told.items():
        if "records" in of:
            counts = {name: len(value) if isinstance(value, (dict, list)) else value for name, value in of.items() if name != "topic"}
            print(topic, counts)


if __name__ == "__main__":
    main()
