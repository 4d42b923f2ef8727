# The image of Talon: `docker build -t talon .`
#
# Both bases can be others: BUILD_IMAGE needs Rust, a C compiler, make and perl, or a Debian on which apt-get
# brings what is missing; RUNTIME_IMAGE needs glibc no older than the one of BUILD_IMAGE, and certificates of public authorities.
ARG BUILD_IMAGE=docker.io/library/rust:1.95-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
# perl and make build OpenSSL, which librdkafka's TLS needs; both are in the ordinary base.
RUN command -v perl >/dev/null && command -v make >/dev/null && command -v cc >/dev/null \
 || (apt-get update && apt-get install -y --no-install-recommends gcc g++ make perl libc6-dev && rm -rf /var/lib/apt/lists/*)
WORKDIR /source
COPY . .
# Without `dev`: no simulators and no broker in the image.
ARG FEATURES=tls
RUN cargo build --release --locked --package talon --no-default-features --features "${FEATURES}" \
 && install -D -m 0755 target/release/talon /out/talon
RUN cargo metadata --format-version 1 --locked --manifest-path bridge/talon/Cargo.toml \
      --no-default-features --features "${FEATURES}" \
      --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" > /out/talon.cargo-metadata.json

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="talon" \
      org.opencontainers.image.description="Streams service desks, queue halls and field-service systems onto Kafka or NATS JetStream, and carries commands back" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /out/talon /usr/local/bin/talon
# Every crate in the program, with versions and licences.
COPY --from=build /out/talon.cargo-metadata.json /usr/share/sbom/talon.cargo-metadata.json
# A number, so that `runAsNonRoot` can be checked. No shell, no HOME, nothing to write to.
USER 65532:65532
WORKDIR /
EXPOSE 8083
# SIGTERM drains within `shutdown.timeout.ms`; as process 1 Talon handles it itself.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/talon"]
CMD ["run", "--config", "/etc/talon/talon.yaml"]
