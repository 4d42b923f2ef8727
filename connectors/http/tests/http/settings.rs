use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use talon_sdk::config::{Secrets, Settings};

use crate::upstream::{build, config, context};

fn problems(texts: &[(&str, &str)], secrets: &Secrets) -> Vec<String> {
    let keys = talon_http::keys();
    let texts: BTreeMap<_, _> =
        texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let mut settings = Settings::new("", &keys, texts, secrets);
    talon_http::read(&mut settings);
    settings.into_problems().iter().map(ToString::to_string).collect()
}

#[test]
fn defaults_are_those_of_the_reference() {
    let config = config(&[("upstream.url", "https://field.example.org")]);
    assert_eq!(config.request_timeout, Duration::from_secs(30));
    assert_eq!(config.connect_timeout, Duration::from_secs(5));
    assert_eq!(config.response_max_bytes, 64 << 20);
    assert_eq!(config.requests_per_second, 20.0);
    assert_eq!(config.tls, talon_http::Tls::default());
}

#[test]
fn defaults_and_bounds_keep_to_their_declarations() {
    let resolve = Secrets::Resolve(Arc::default());
    for key in talon_http::keys() {
        if let Some(default) = &key.default {
            assert_eq!(key.check(default), Ok(()), "{}", key.name);
        }
    }
    let url = ("upstream.url", "http://localhost");
    for rate in ["0.01", "100000", "2.5"] {
        assert_eq!(problems(&[url, ("upstream.requests.per.second", rate)], &resolve), [""; 0]);
    }
    for rate in ["0", "0.001", "100001", "NaN", "many"] {
        let found = problems(&[url, ("upstream.requests.per.second", rate)], &resolve);
        assert_eq!(found.len(), 1, "{rate}: {found:?}");
    }
}

#[test]
fn every_problem_is_reported_with_its_key() {
    let resolve = Secrets::Resolve(Arc::default());
    let found = problems(
        &[
            ("upstream.url", "http://localhost:99999"),
            ("upstream.request.timeout.ms", "0"),
            ("upstream.client.key.file", "/run/key.pem"),
        ],
        &resolve,
    );
    assert_eq!(
        found,
        [
            "`upstream.request.timeout.ms` is `0`, expected a whole number from 1 to 3600000",
            "`upstream.url` is no URL: its host or its port is malformed",
            "`upstream.client.certificate.file` is not set, but `upstream.client.key.file` is",
        ]
    );
    assert_eq!(problems(&[], &resolve).len(), 1);
}

#[test]
fn a_reference_that_is_not_resolved_yet_is_no_problem() {
    let texts = [("upstream.url", "${env:URL}"), ("upstream.ca.file", "${env:CA}")];
    assert_eq!(problems(&texts, &Secrets::Unresolved), [""; 0]);
}

#[test]
fn http_to_another_machine_is_warned_of() {
    for (url, warned) in [
        ("http://field.example.org", true),
        ("http://10.0.0.1:8080/api", true),
        ("https://field.example.org", false),
        ("http://localhost:8080", false),
        ("http://api.localhost", false),
        ("http://127.0.0.2", false),
    ] {
        let warnings = config(&[("upstream.url", url)]).warnings();
        assert_eq!(!warnings.is_empty(), warned, "{url}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.starts_with("`upstream.url`")));
    }
    let config = config(&[("upstream.url", "http://localhost"), ("upstream.ca.file", "/ca.pem")]);
    assert_eq!(config.warnings().len(), 1);
}

#[test]
fn a_certificate_file_that_cannot_be_used_is_named_by_its_setting() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let empty = write("empty.pem", "no certificate here\n");
    let broken = write("broken.pem", "-----BEGIN CERTIFICATE-----\n!!s3cr3t!!\n");
    let false_one =
        write("false.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (path, part) in [
        ("/no/such/file.pem", "cannot be read"),
        (empty.as_str(), "has no certificate"),
        (broken.as_str(), "is damaged PEM"),
        (false_one.as_str(), "has a certificate that cannot be read"),
    ] {
        for url in ["http://localhost", "https://localhost"] {
            let fault = build(url, &[("upstream.ca.file", path)], &context()).unwrap_err();
            assert_eq!(fault.kind(), "misconfigured");
            let reason = fault.to_string();
            assert!(reason.contains("`upstream.ca.file`") && reason.contains(part), "{reason}");
            assert!(!reason.contains("s3cr3t"), "{reason}");
        }
    }
}
