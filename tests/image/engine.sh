# An engine of our own: Debian's, with its data in target/image, so that nothing of the machine's is touched. Sourced by `run`.

install_engine() {
  local missing=()
  PATH=$PATH:/usr/sbin:/sbin
  command -v dockerd >/dev/null && command -v docker >/dev/null || missing+=(docker.io)
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing ${missing[*]}" >&2
  apt-get update -qq
  # Installed, not started: the engine of the tests is started below. In this run level no service is.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Starts the engine and sets DOCKER_HOST to it.
start_engine() {
  run=$(mktemp -d /tmp/talon-image.XXXXXX) # a socket's path has to be short
  mkdir -p "$out/docker"
  [ -e /sys/class/net/docker0 ] || own_bridge=yes
  # Published ports go through its proxy, so that the machine's packet filter stays as it is.
  setsid dockerd --iptables=false --data-root "$out/docker" --exec-root "$run/exec" --pidfile "$run/pid" \
    --host "unix://$run/engine.sock" >"$out/engine.log" 2>&1 &
  engine=$!
  export DOCKER_HOST=unix://$run/engine.sock
  local tries
  for tries in $(seq 120); do
    docker version >/dev/null 2>&1 && return 0
    kill -0 $engine 2>/dev/null || break
    sleep 0.5
  done
  echo "no container engine can be started here:" >&2
  tail -20 "$out/engine.log" >&2
  return 1
}

stop_engine() {
  [ -z "${api:-}" ] || kill "$api" 2>/dev/null || true
  if [ -n "${engine:-}" ]; then
    docker ps --quiet --all | xargs --no-run-if-empty docker rm --force >/dev/null 2>&1 || true
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    [ -z "${own_bridge:-}" ] || ip link delete docker0 2>/dev/null || true
  fi
  [ -z "${run:-}" ] || rm -rf "$run"
}

# The crate `testcontainers` speaks a version of the API that Debian's engine is too old for, and refuses to talk lower.
# Sets DOCKER_HOST to a socket that passes requests on with the engine's own version.
start_api() {
  local version
  version=$(docker version --format '{{.Server.APIVersion}}')
  python3 "$here/api.py" "$run/api.sock" "$run/engine.sock" "$version" 2>"$out/api.log" &
  api=$!
  local tries
  for tries in $(seq 100); do [ ! -S "$run/api.sock" ] || break; sleep 0.1; done
  export DOCKER_HOST=unix://$run/api.sock
}
