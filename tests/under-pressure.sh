#!/usr/bin/env bash
# All tests on a machine that has no time for them: several times beside 20 busy loops on two cores, and
# once on one core. To be run before each release.
#
# A test that passes alone and fails here waits for a time instead of for a condition, or shows a fault of
# Talon that only a slow machine has. Either is to be mended, not to be repeated until it passes.
#
#   tests/under-pressure.sh [--runs N] [cargo test's own arguments]
#
# Takes about an hour with five runs. Logs are in target/under-pressure.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; }

runs=5
while [ $# -gt 0 ]; do
  case "$1" in
    --runs)
      runs="${2:?--runs takes a number}"
      shift 2
      ;;
    --help)
      usage
      exit 0
      ;;
    *) break ;;
  esac
done
[[ "$runs" =~ ^[0-9]+$ ]] || { echo "--runs takes a number, not \`$runs\`" >&2; exit 2; }
command -v taskset >/dev/null || { echo "no \`taskset\` (util-linux)" >&2; exit 2; }

cores="0,1"
[ "$(nproc --all)" -gt 1 ] || cores="0"
loops=20
logs=target/under-pressure
mkdir -p "$logs"
# A broker that does not start under load is a failure, not a reason to skip.
export TALON_REQUIRE_BROKERS="${TALON_REQUIRE_BROKERS:-1}"
export RUST_BACKTRACE=0

load=()
tests=
stop_load() {
  [ ${#load[@]} -gt 0 ] && kill "${load[@]}" 2>/dev/null || true
  load=()
}
stop_all() {
  stop_load
  [ -z "$tests" ] || kill "$tests" 2>/dev/null || true
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_load() {
  for _ in $(seq "$loops"); do
    taskset -c "$cores" sh -c 'while :; do :; done' &
    load+=($!)
  done
}

failed=()
# Name of the run, its cores, and what cargo test is given.
run() {
  local name="$1" on="$2" log="$logs/$1.log" since=$SECONDS status=0
  shift 2
  # In the background, so that a signal ends the script at once.
  taskset -c "$on" cargo test --workspace --locked --no-fail-fast "$@" >"$log" 2>&1 &
  tests=$!
  wait "$tests" || status=$?
  tests=
  if [ "$status" = 0 ]; then
    printf '%s: passed (%ss)\n' "$name" "$((SECONDS - since))"
    return
  fi
  printf '%s: FAILED (%ss), see %s\n' "$name" "$((SECONDS - since))" "$log"
  local names
  names=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | sort -u)
  failed+=("$name: ${names:-no test: $(tail -1 "$log")}")
  printf '%s\n' "${names:-(no test; the build or a test program failed)}" | sed 's/^/  /'
}

echo "building, before there is any load"
cargo test --workspace --locked --no-run "$@" >"$logs/build.log" 2>&1 || {
  tail -30 "$logs/build.log" >&2
  exit 1
}

start_load
for number in $(seq "$runs"); do
  run "beside-$loops-loops-$number" "$cores" "$@"
done
stop_load
run "on-one-core" 0 "$@"

if [ ${#failed[@]} -gt 0 ]; then
  printf '\n%s of %s runs failed:\n' "${#failed[@]}" "$((runs + 1))"
  printf '%s\n' "${failed[@]}"
  exit 1
fi
printf '\nall %s runs passed\n' "$((runs + 1))"
