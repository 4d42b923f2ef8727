# Brokers as images, made of the packages that tests/brokers fetches, and the tests that use them through the crate
# `testcontainers`. Sourced by `run`.

brokers_images() {
  # Fetches them, if that is yet to be done.
  TALON_TEST_BROKERS=packages "$built/talon-brokers" kafka registry nats </dev/null >/dev/null 2>"$out/packages.log" ||
    { cat "$out/packages.log" >&2; return 1; }
  java_base
  local packages=target/brokers folder
  folder_of nats
  cp $packages/nats-*/bin/nats-server "$folder/"
  import "$folder" talon-test/nats 'ENTRYPOINT ["/nats-server"]'

  folder_of kafka
  mkdir "$folder/bin"
  copy $packages/kafka-*[0-9]/ "$folder/libs"
  program kafka-storage kafka.tools.StorageTool
  program kafka-server-start kafka.Kafka
  printf 'FROM %s\nCOPY . /opt/kafka\n' $java | build talon-test/kafka "$folder"

  folder_of registry
  copy $packages/apicurio-*.Final/ "$folder/registry"
  printf 'FROM %s\nCOPY . /opt\nENTRYPOINT ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dquarkus.log.level=WARN", "-jar", "/opt/registry/%s"]\n' \
    $java "$(cd "$folder/registry" && echo *-runner.jar)" | build talon-test/registry "$folder"
}

# Sets $folder to a new one for the contents of an image.
folder_of() {
  folder=$out/$1
  rm -rf "$folder"
  mkdir "$folder"
}

# program NAME CLASS: as the public image has it.
program() {
  printf '#!/bin/sh\nexec java -XX:+UseSerialGC $KAFKA_HEAP_OPTS -cp "/opt/kafka/libs/*" %s "$@"\n' "$2" >"$folder/bin/$1.sh"
  chmod +x "$folder/bin/$1.sh"
}

# build IMAGE FOLDER: from the Dockerfile on the standard input.
build() { docker build --quiet --tag "$1" --file - "$2" >/dev/null; }

java_base() {
  has_image $java && return
  unpack java base-files dash coreutils openjdk-17-jre-headless
  local root=$out/java program
  program=$(cd "$root" && echo usr/lib/jvm/java-17-openjdk-*/bin/java)
  ln -sf "/$program" "$root/usr/bin/java"
  mkdir -p "$root/tmp" && chmod 1777 "$root/tmp"
  import "$root" $java 'ENV PATH=/usr/bin:/bin'
  rm -rf "$root"
}

# What the fixtures promise, and one scenario a bus.
container_tests() {
  brokers_images
  start_api
  unset TALON_TEST_KAFKA TALON_TEST_NATS TALON_TEST_REGISTRY
  export TALON_TEST_BROKERS=containers TALON_REQUIRE_BROKERS=1
  export TALON_TEST_KAFKA_IMAGE=talon-test/kafka TALON_TEST_NATS_IMAGE=talon-test/nats TALON_TEST_REGISTRY_IMAGE=talon-test/registry
  check "Kafka in a container is killed, stopped, paused and comes back" tests --test kafka
  check "NATS in a container is killed, stopped, paused and comes back" tests --test nats
  check "the registry in a container is killed and comes back" tests --test registry -- a_killed_registry_comes_back_with_its_schemas
  check "a container and its data go with the process that started it" tests --test lifetime
  check "the first read is a snapshot and a restart is none, on Kafka and on NATS in containers" \
    tests --test exactly_once -- invariant_1_the_first_read_is_a_snapshot
  is "no container is left" '' docker ps --quiet --all
}

# With what CI has built already.
tests() { cargo test --quiet --workspace --locked "$@"; }
