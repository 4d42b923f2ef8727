# The product's scenario in its image, under what Kubernetes' restricted pods are allowed. Sourced by `run`.

image=talon-test/talon
restricted=(--read-only --user 65532:65532 --cap-drop ALL --security-opt no-new-privileges --network host --pids-limit 200 --memory 512m)

build_image() {
  docker build --quiet --network host \
    --build-arg BUILDER=$builder --build-arg RUNTIME=$runtime --build-arg PROFILE="${PROFILE:-dev}" \
    --build-arg VERSION=1.2.3 --build-arg REVISION=abc123 --build-arg CREATED=2026-01-31T10:00:00Z --build-arg SOURCE=https://example.org/talon \
    --tag $image .
}

# talon ARGUMENT…: as process 1 of a container that goes when it ends.
talon() { docker run --rm "${restricted[@]}" --volume "$work:/etc/talon:ro" $image "$@"; }

label() { docker image inspect --format "{{index .Config.Labels \"org.opencontainers.image.$1\"}}" $image; }

image_tests() {
  local name value
  while read -r name value; do
    is "the image is labelled with its $name" "$value" label "$name"
  done <<<'title Talon
version 1.2.3
revision abc123
created 2026-01-31T10:00:00Z
source https://example.org/talon'
  is "the image says whom it runs as" 65532:65532 docker image inspect --format '{{.Config.User}}' $image
  docker create --name talon-files $image >/dev/null
  docker export talon-files | tar --list >"$work/files"
  is "the image has one program, and no shell" usr/bin/talon grep -E '^(usr/)?s?bin/.' "$work/files"
  docker cp talon-files:/usr/share/doc/talon/sbom.cdx.json "$work/sbom.json"
  docker rm talon-files >/dev/null
  check "the image has a CycloneDX list of what it is made of" python3 - "$work/sbom.json" <<'END'
import json, sys
sbom = json.load(open(sys.argv[1]))
names = {component["name"] for component in sbom["components"]}
assert sbom["bomFormat"] == "CycloneDX", sbom["bomFormat"]
assert {"rdkafka", "async-nats", "openssl-sys", "rustls"} <= names, names
assert not {"talon-brokers", "proptest", "testcontainers"} & names, names
END
  says "the program says its version" '^talon [0-9]' talon --version
}

check_tests() {
  printf 'bus: { kafka: { bootstrap.server: "b:9092" } }\nconnectors: { a: { class: contractor } }\n' >"$work/wrong.yaml"
  ends "check refuses a wrong configuration" 2 talon check --config /etc/talon/wrong.yaml
  says "check names what is wrong" 'bootstrap.servers' both talon check --config /etc/talon/wrong.yaml
  configuration tls "bus: { kafka: { bootstrap.servers: 'b:9093', security.protocol: SASL_SSL, sasl.mechanism: SCRAM-SHA-512, ssl.ca.location: /etc/talon/ca.pem } }"
  ends "check takes a broker over TLS with SCRAM" 0 talon check --config /etc/talon/tls.yaml
}

# configuration NAME BUS: $work/NAME.yaml.
configuration() {
  port=$(free_port)
  cat >"$work/$1.yaml" <<END
talon: { prefix: $1, group: $1 }
http: { listen: "127.0.0.1:$port" }
$2
connectors:
  field:
    class: contractor
    upstream.url: "$upstream"
    auth.external.token: external-system-token
    call.poll.interval.ms: 500
END
}

free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# get PATH: the status of the answer.
get() { python3 -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).status)' "http://127.0.0.1:$port$1"; }

# eventually SECONDS COMMAND…
eventually() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.5
  done
}

# run_tests BUS SETTINGS READ…: the whole way from the upstream to a consumer, which READ is.
run_tests() {
  local bus=$1 name=talon-$1 process
  configuration "$bus" "$2"
  shift 2
  docker run --detach --name "$name" "${restricted[@]}" --volume "$work:/etc/talon:ro" $image run --config "/etc/talon/$bus.yaml" >/dev/null
  check "$bus: it becomes ready" eventually 120 get /health/ready
  check "$bus: it is alive" get /health/live
  check "$bus: a consumer reads the rows of the upstream" "$@"
  process=$(docker inspect --format '{{.State.Pid}}' "$name")
  cp "/proc/$process/status" "$work/status"
  tr '\0' '\n' <"/proc/$process/environ" >"$work/environment"
  holds "$bus: it is process 1" "$work/status" '^NSpid:.*[[:space:]]1$'
  holds "$bus: it runs as 65532" "$work/status" '^Uid:[[:space:]]65532[[:space:]]65532'
  holds "$bus: it has no capability" "$work/status" '^CapEff:[[:space:]]0+$'
  holds "$bus: it cannot get new privileges" "$work/status" '^NoNewPrivs:[[:space:]]1$'
  holds "$bus: its home does not exist" "$work/environment" '^HOME=(/nonexistent)?$'
  docker stop --time 60 "$name" >/dev/null
  is "$bus: SIGTERM ends it with 0" 0 docker inspect --format '{{.State.ExitCode}}' "$name"
  docker logs "$name" >"$out/$bus.log" 2>&1
  docker rm "$name" >/dev/null
}

product_tests() {
  image_tests
  start_surroundings
  check_tests
  run_tests kafka "bus: { kafka: { bootstrap.servers: '$TALON_TEST_KAFKA' } }
schema.registry: { url: '$TALON_TEST_REGISTRY' }" \
    "$TALON_TEST_PYTHON" tests/brokers/python/read_events.py --bootstrap "$TALON_TEST_KAFKA" --topic kafka.field.call --count 20 --registry "$TALON_TEST_REGISTRY"
  run_tests nats "bus: { nats: { servers: '$TALON_TEST_NATS' } }" \
    "$TALON_TEST_PYTHON" tests/brokers/python/read_jetstream.py --servers "$TALON_TEST_NATS" --topic nats.field.call --count 20 --single-object schemas/golden/contractor.call.avsc
}

# Brokers, and an upstream with a little life in it.
start_surroundings() {
  mkfifo "$work/open"
  "$built/talon-brokers" kafka registry nats python <"$work/open" >"$work/addresses" 2>"$out/surroundings.log" &
  exec 9>"$work/open"
  "$built/talon-simulators" contractor --calls 30 --seed 7 >"$work/upstream" 2>&1 &
  simulator=$!
  eventually 300 sh -c "[ \$(wc -l <$work/addresses) = 4 ] && [ -s $work/upstream ]" || { cat "$out/surroundings.log" >&2; return 1; }
  . "$work/addresses"
  export TALON_TEST_KAFKA TALON_TEST_REGISTRY TALON_TEST_NATS TALON_TEST_PYTHON
  upstream=$(head -1 "$work/upstream")
}
