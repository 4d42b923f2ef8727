# The image of Talon: `docker build .`, or `docker build --build-arg VERSION=… --build-arg REVISION=… .`
#
# Both bases can be others. The builder needs Rust, or Debian's packages; the runtime needs the builder's C library
# or a newer one, OpenSSL 3 and a bundle of trusted certificates, and no shell.
# Nothing here needs BuildKit.
ARG BUILDER=rust:1.95-slim-bookworm
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILDER} AS build
# What is there is not installed, so a builder can bring these.
RUN if ! { command -v c++ && command -v make && pkg-config --exists openssl; } >/dev/null 2>&1; then \
      apt-get update -qq && apt-get install -y --no-install-recommends g++ libssl-dev make pkg-config && \
      rm -rf /var/lib/apt/lists/*; \
    fi
RUN command -v cargo-cyclonedx >/dev/null || cargo install --locked --root /usr/local cargo-cyclonedx@0.5.9
WORKDIR /src
COPY . .
# `dev` builds faster and runs slower.
ARG PROFILE=release
RUN cargo build --locked --package talon --profile "$PROFILE" && \
    install -D "target/$(if [ "$PROFILE" = dev ]; then echo debug; else echo "$PROFILE"; fi)/talon" /image/usr/bin/talon
# What the program is made of, from what Cargo says of it.
RUN cargo cyclonedx --manifest-path bridge/talon/Cargo.toml --format json --spec-version 1.5 \
      --no-build-deps --override-filename sbom && \
    install -D -m 644 bridge/talon/sbom.json /image/usr/share/doc/talon/sbom.cdx.json

FROM ${RUNTIME}
COPY --from=build /image/ /
ARG VERSION=
ARG REVISION=
ARG CREATED=
ARG SOURCE=
LABEL org.opencontainers.image.title="Talon" \
      org.opencontainers.image.description="Streams service desks, queue halls and field-service systems onto Kafka or NATS JetStream" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.source="$SOURCE"
USER 65532:65532
EXPOSE 8083
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/talon"]
CMD ["--help"]
