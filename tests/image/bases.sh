# The images that are pulled elsewhere, made of Debian's packages: nothing is pulled. Sourced by `run`.

suite=bookworm
builder=talon-test/builder
runtime=talon-test/runtime
java=talon-test/java

# unpack NAME PACKAGE…: the files of these packages and of those that they need, in $out/NAME. Nothing of them is run,
# so what their scripts would have made is missing.
unpack() {
  local folder=$out/$1
  shift
  [ ! -d "$folder" ] || return 0
  mmdebstrap --quiet --variant=extract --include="$(tr ' ' , <<<"$*")" --skip=output/dev $suite "$folder" 2>"$out/unpack.log" ||
    { tail -20 "$out/unpack.log" >&2; return 1; }
  rm -rf "${folder:?}"/{usr/share/{doc,man,locale,info,perl,perl5},var/cache,var/lib/{apt,dpkg}}
}

# import FOLDER IMAGE [CHANGE…]: one layer.
import() {
  local folder=$1 image=$2 changes=()
  shift 2
  for change in "$@"; do changes+=(--change "$change"); done
  tar --create --numeric-owner --owner=0 --group=0 --directory="$folder" . | docker import "${changes[@]}" - "$image" >/dev/null
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# What the Dockerfile's RUNTIME is elsewhere: libraries and certificates, and not one program.
runtime_base() {
  has_image $runtime && return
  unpack runtime libc6 libgcc-s1 libssl3 ca-certificates
  local root=$out/runtime
  find "$root/usr/share/ca-certificates" -name '*.crt' -print0 | sort -z | xargs -0 cat >"$root/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$root"/{usr/,}{bin,sbin}/*
  echo 'nonroot:x:65532:65532:nonroot:/nonexistent:/nonexistent' >"$root/etc/passwd"
  echo 'nonroot:x:65532:' >"$root/etc/group"
  import "$root" $runtime
}

# What the Dockerfile's BUILDER is elsewhere, with this machine's Rust and what Cargo has fetched.
builder_base() {
  has_image $builder && return
  unpack builder base-files bash dash coreutils sed grep gawk findutils diffutils tar gzip make gcc g++ libc6-dev pkg-config libssl-dev ca-certificates debianutils hostname
  local root=$out/builder cargo=${CARGO_HOME:-$HOME/.cargo} sysroot
  sysroot=$(rustc --print sysroot)
  ln -sf gcc "$root/usr/bin/cc"
  ln -sf g++ "$root/usr/bin/c++"
  ln -sf which.debianutils "$root/usr/bin/which"
  ln -sf gawk "$root/usr/bin/awk"
  mkdir -p "$root/usr/local/rust/bin" "$root/usr/local/cargo" "$root/tmp"
  chmod 1777 "$root/tmp"
  cargo fetch --quiet --locked
  sbom_tool
  copy "$sysroot/lib" "$root/usr/local/rust/lib"
  copy "$sysroot/bin/cargo" "$sysroot/bin/rustc" "$root/usr/local/rust/bin/"
  copy "$cargo/registry" "$root/usr/local/cargo/registry"
  copy "$out/tools/bin/cargo-cyclonedx" "$root/usr/local/rust/bin/"
  # Nobody waits for the speed of this build; it is as fast as can be.
  printf '[profile.dev]\ndebug = false\n[profile.dev.package."*"]\nopt-level = 0\n[profile.dev.package.talon-simulators]\nopt-level = 0\n' \
    >"$root/usr/local/cargo/config.toml"
  import "$root" $builder 'ENV PATH=/usr/local/rust/bin:/usr/bin:/bin' 'ENV CARGO_HOME=/usr/local/cargo' 'ENV CARGO_NET_OFFLINE=true'
  rm -rf "$root"
}

# By links where that is possible; they are only read.
copy() { cp --archive --link "$@" 2>/dev/null || cp --archive "$@"; }

sbom_tool() {
  local version
  version=$(sed -n 's/.*cargo-cyclonedx@\([0-9.]*\).*/\1/p' Dockerfile)
  [ -x "$out/tools/bin/cargo-cyclonedx" ] ||
    cargo install --quiet --locked --debug --root "$out/tools" "cargo-cyclonedx@$version"
}
