//! Prometheus, to scrape what runs and to evaluate rules.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{Launch, Process};
use crate::route::{self, Route};
use crate::skip::{self, Failure};
use crate::{fetch, probe};

/// A server of the test's own; it ends when dropped, and its data goes with it.
#[derive(Debug)]
pub struct Prometheus {
    url: String,
    _process: Process,
}

impl Prometheus {
    /// Starts one with this configuration, a YAML text; files that it names stand under whole paths.
    ///
    /// `None` where `test` is skipped; panics as the brokers do.
    pub fn start(test: &str, configuration: &str) -> Option<Self> {
        match route::only("Prometheus", Route::GoModule, || start(configuration)) {
            Ok(found) => Some(found),
            Err(unavailable) => skip::or_skip(test, Err(&unavailable)),
        }
    }

    /// What `promtool check metrics` has against the text of a scrape, or nothing.
    ///
    /// `None` where `test` is skipped.
    pub fn complaints(test: &str, scraped: &str) -> Option<String> {
        match route::only("promtool", Route::GoModule, || complain(scraped)) {
            Ok(said) => Some(said),
            Err(unavailable) => skip::or_skip(test, Err(&unavailable)),
        }
    }

    /// The base of its API, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The JSON that it answers to a query of this moment, also where it refuses the query.
    pub fn query(&self, expression: &str) -> io::Result<String> {
        self.get(&format!("/api/v1/query?query={}", escaped(expression)))
    }

    /// The body of the answer to `GET {path}`.
    pub fn get(&self, path: &str) -> io::Result<String> {
        probe::http("GET", &format!("{}{path}", self.url), "").map(|(_, body)| body)
    }
}

fn complain(scraped: &str) -> Result<String, Failure> {
    let failed = |error| Failure::broken("promtool", error);
    let mut child = Command::new(fetch::go_tool("promtool")?)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(scraped.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    Ok(if output.status.success() {
        String::new()
    } else {
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    })
}

fn start(configuration: &str) -> Result<Prometheus, Failure> {
    let program = fetch::go_tool("prometheus")?;
    let (port, process) = Process::start("prometheus", |port, data| {
        let file = data.join("prometheus.yml");
        fs::write(&file, configuration).map_err(|error| Failure::broken("prometheus", error))?;
        Ok(Launch {
            what: "prometheus",
            program: program.clone(),
            arguments: arguments(port, &file, &data.join("series")),
            environment: Vec::new(),
            answers: Box::new(move || {
                match probe::http("GET", &format!("http://127.0.0.1:{port}/-/ready"), "")? {
                    (200, _) => Ok(()),
                    (status, body) => Err(io::Error::other(format!("status {status}: {body}"))),
                }
            }),
        })
    })?;
    Ok(Prometheus { url: format!("http://127.0.0.1:{port}"), _process: process })
}

fn arguments(port: u16, file: &Path, series: &Path) -> Vec<String> {
    vec![
        format!("--config.file={}", file.display()),
        format!("--storage.tsdb.path={}", series.display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
        "--log.level=warn".to_owned(),
    ]
}

/// For the query of a URL.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            write!(out, "%{byte:02X}").ok();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_survives_its_way_through_a_url() {
        assert_eq!(escaped("up{a=\"b\"} + 1"), "up%7Ba%3D%22b%22%7D%20%2B%201");
    }
}
