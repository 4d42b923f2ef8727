use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use talon_sdk::config::{Importance, Key, Settings};

use crate::Proxy;

/// The settings that every HTTP connector has, in the order of the reference.
pub fn keys() -> Vec<Key> {
    let mut keys = vec![
        Key::url("upstream.url")
            .required()
            .importance(Importance::High)
            .doc("Where the upstream is: scheme, host, port and the path before its endpoints."),
        Key::whole("upstream.request.timeout.ms", 1, 3_600_000)
            .default("30000")
            .importance(Importance::Medium)
            .doc("How long one request may take, to the last byte of its reply."),
        Key::whole("upstream.connect.timeout.ms", 1, 600_000)
            .default("5000")
            .doc("How long a connection may take, with the name's resolution and the TLS handshake."),
        Key::whole("upstream.response.max.bytes", 1024, 1 << 30)
            .default("67108864")
            .doc("The largest body of a reply, after decompression. A larger one is not read."),
        Key::decimal("upstream.requests.per.second", 0.01, 100_000.0)
            .default("20")
            .importance(Importance::Medium)
            .doc("How many requests a second may be sent. After a pause, one second's worth goes at once."),
        Key::whole("upstream.ping.interval.ms", 10, 3_600_000)
            .default("10000")
            .doc("Over HTTP/2, while a request is under way: after so long without anything the upstream is asked by a ping whether it lives, and the connection ends where that is not answered for as long."),
    ];
    keys.extend(tls_keys());
    keys.extend(crate::proxy::keys("upstream"));
    keys
}

/// The settings that say what is trusted and shown over TLS, for HTTP and other protocols.
pub fn tls_keys() -> Vec<Key> {
    vec![
        Key::text("upstream.ca.file")
            .doc("A PEM file with certificates of authorities to trust besides the machine's own."),
        Key::text("upstream.client.certificate.file")
            .doc("A PEM file with the certificate, and its chain, that is shown to the upstream."),
        Key::text("upstream.client.key.file")
            .doc("A PEM file with the private key of `upstream.client.certificate.file`."),
    ]
}

/// How to reach an upstream.
#[derive(Debug, Clone)]
pub struct Config {
    /// Scheme, host, port and the path before the endpoints; empty where it is a reference that is
    /// not resolved yet.
    pub url: String,
    /// Limit of one exchange, without the wait for the rate budget.
    pub request_timeout: Duration,
    /// Limit of one connection: name resolution, TCP, TLS.
    pub connect_timeout: Duration,
    /// Largest body after decompression.
    pub response_max_bytes: usize,
    /// After how much silence the upstream is asked whether it lives.
    pub ping_interval: Duration,
    /// What stands before the upstream.
    pub proxy: Proxy,
    /// The rate budget: from 0.01 to 100000.
    pub requests_per_second: f64,
    /// What is trusted and shown over https.
    pub tls: Tls,
}

/// Where a client certificate is. Both files are PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, followed by its chain.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// What is trusted and shown over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities to trust besides the machine's.
    pub ca_file: Option<PathBuf>,
    /// What is shown to an upstream that wants to see a certificate.
    pub client_certificate: Option<ClientCertificate>,
}

/// Reads the settings that [`tls_keys`] declares. Does no I/O.
///
/// Problems are reported through `settings`: besides those of the declarations, a client certificate
/// without its key or a key without its certificate.
pub fn read_tls(settings: &mut Settings<'_>) -> Tls {
    let file = |settings: &Settings<'_>, name: &str| {
        Some(settings.text(name)).filter(|path| !path.is_empty()).map(PathBuf::from)
    };
    let certificate = "upstream.client.certificate.file";
    let key = "upstream.client.key.file";
    match (settings.is_set(certificate), settings.is_set(key)) {
        (true, false) => settings.problem(key, format!("is not set, but `{certificate}` is")),
        (false, true) => settings.problem(certificate, format!("is not set, but `{key}` is")),
        _ => {}
    }
    let client_certificate = file(settings, certificate)
        .zip(file(settings, key))
        .map(|(certificate_file, key_file)| ClientCertificate { certificate_file, key_file });
    Tls { ca_file: file(settings, "upstream.ca.file"), client_certificate }
}

/// Reads the settings that [`keys`] declares. Does no I/O.
///
/// Problems are reported through `settings`: besides those of the declarations and of [`read_tls`], a
/// URL whose host or port no URL can have.
pub fn read(settings: &mut Settings<'_>) -> Config {
    let url = settings.text("upstream.url");
    // What does not even start like a URL is a problem of the declaration already.
    if url.starts_with("http") && url.contains("://") && Url::parse(&url).is_err() {
        settings.problem("upstream.url", "is no URL: its host or its port is malformed");
    }
    let tls = read_tls(settings);
    let response_max_bytes = settings.whole("upstream.response.max.bytes");
    Config {
        url,
        request_timeout: settings.millis("upstream.request.timeout.ms"),
        connect_timeout: settings.millis("upstream.connect.timeout.ms"),
        response_max_bytes: usize::try_from(response_max_bytes).unwrap_or(usize::MAX),
        ping_interval: settings.millis("upstream.ping.interval.ms"),
        proxy: crate::proxy::read(settings, "upstream"),
        requests_per_second: settings.decimal("upstream.requests.per.second"),
        tls,
    }
}

impl Config {
    /// What works but should not stay so, for the operator. Each names its key.
    pub fn warnings(&self) -> Vec<String> {
        let Ok(url) = Url::parse(&self.url) else { return Vec::new() };
        let mut warnings = Vec::new();
        if url.scheme() == "http" {
            if !is_loopback(&url) {
                warnings.push(
                    "`upstream.url` is http: credentials and data cross the network in the clear; \
                     use https"
                        .to_owned(),
                );
            }
            if self.tls != Tls::default() {
                warnings.push(
                    "`upstream.url` is http: `upstream.ca.file` and \
                     `upstream.client.certificate.file` have no effect"
                        .to_owned(),
                );
            }
        }
        warnings
    }
}

/// Whether what is sent there does not leave the machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}
