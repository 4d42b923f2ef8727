#!/usr/bin/env bash
# Apicurio Registry with its storage in memory refuses valid schemas that come at the same time.
#
# One expects: registrations of different subjects have nothing to do with one another, so a client that
# starts with twenty topics may register their twenty schemas at once; a server that is busy queues them.
#
# What happens: of 16 schemas of 16 subjects that are posted at once, most are answered with status 500 and
# an error of its database ("Timeout trying to lock table", or a violated unique key: two requests drew the
# same content id). One after another all of them are taken, the refused ones as well.
#
# So: register few at a time, and take a 500 of a registration for "again, in a moment".
#
# Seen with io.apicurio:apicurio-registry-app 2.5.11.Final (H2 in memory, as it runs without settings),
# Java 17. Source: the server itself; its answers are printed below.
#
# Needs: java, mvn, python3, curl.
set -euo pipefail

version=2.5.11.Final
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
  -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" -DoutputDirectory=.
tar xzf "apicurio-registry-app-$version-all.tar.gz"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
java -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" -jar ./*-runner.jar >server.log 2>&1 &
server=$!
url="http://127.0.0.1:$port/apis/ccompat/v7"
for _ in $(seq 120); do
  curl -sf -o /dev/null "$url/subjects" && break
  sleep 1
done

cat >register.py <<'PY'
import collections, json, sys, threading, urllib.error, urllib.request

url, count = sys.argv[1], 16


def register(number, answers):
    fields = [{"name": "a", "type": "long"}]
    schema = {"type": "record", "name": f"R{number}", "namespace": "example", "fields": fields}
    body = json.dumps({"schema": json.dumps(schema)}).encode()
    header = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    request = urllib.request.Request(f"{url}/subjects/s{number}-value/versions", body, header)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answers[number] = (answer.status, "")
    except urllib.error.HTTPError as error:
        answers[number] = (error.code, error.read().decode()[:160])


def statuses(answers):
    return dict(collections.Counter(status for status, _ in answers.values()))


at_once, after = {}, {}
threads = [threading.Thread(target=register, args=(n, at_once)) for n in range(count)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("at once:", statuses(at_once))
print("such as:", next((text for status, text in at_once.values() if status >= 500), "-"))
for number in range(count):
    register(number, after)
print("one after another:", statuses(after))
refused = sum(status >= 500 for status, _ in at_once.values())
sys.exit(0 if refused > 0 and statuses(after) == {200: count} else 1)
PY

echo "Apicurio Registry $version, 16 schemas of 16 subjects"
if python3 register.py "$url"; then
  echo "as described"
else
  echo "it behaves otherwise now"
  exit 1
fi
