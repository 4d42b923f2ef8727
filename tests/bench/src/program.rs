//! The program as a process of its own.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

/// Longest wait until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// `talon run`. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    started: Instant,
    _file: tempfile::NamedTempFile,
}

/// The settings of a connector with five feeds.
pub(crate) fn five_feeds(upstream: &str) -> BTreeMap<String, String> {
    let texts = [
        ("class", "contractor"),
        ("upstream.url", upstream),
        ("upstream.requests.per.second", "100000"),
        ("auth.external.token", "external-system-token"),
    ];
    texts.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect()
}

impl Program {
    /// With a connector `bench`. `bus` is a line of the configuration.
    pub(crate) fn run(
        prefix: &str,
        bus: &str,
        connector: impl IntoIterator<Item = (impl Display, impl Display)>,
    ) -> anyhow::Result<Program> {
        let settings = connector.into_iter().fold(bus.to_owned(), |all, (key, text)| {
            format!("{all}\nconnectors.bench.{key}: \"{text}\"")
        });
        Program::of(prefix, &settings)
    }

    /// `settings` are further lines of the configuration.
    pub(crate) fn of(prefix: &str, settings: &str) -> anyhow::Result<Program> {
        // Taken and given back, which is good enough for a loopback port that nobody else asks for.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
        writeln!(
            file,
            "talon.prefix: {prefix}\n\
             talon.group: {prefix}\n\
             http.listen: {address}\n\
             {settings}"
        )?;
        let started = Instant::now();
        let child = Command::new(binary()?)
            .args(["run", "--config"])
            .arg(file.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Program { child, address, started, _file: file })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says that it is ready; how long that took since its start.
    pub(crate) fn ready(&mut self) -> anyhow::Result<Duration> {
        while !self.is_ready() {
            anyhow::ensure!(self.started.elapsed() < PATIENCE, "`talon run` is not ready");
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("`talon run` ended: {status}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(self.started.elapsed())
    }

    /// Asks it to stop, so that it leaves its group, and waits for its end.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-s", "TERM", &pid]).status()?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "`talon run` ended: {status}");
        Ok(())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// How long it has been running.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// All of `/metrics`; empty where it does not answer yet.
    pub(crate) fn metrics(&self) -> String {
        ask(self.address, "GET", "/metrics", "").unwrap_or_default()
    }

    /// A sample of `/metrics`; none where there is none, or it does not answer yet.
    pub(crate) fn metric(&self, sample: &str) -> Option<f64> {
        let text = self.metrics();
        text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
    }

    fn is_ready(&self) -> bool {
        ask(self.address, "GET", "/health/ready", "").is_ok_and(|it| it.starts_with("HTTP/1.1 200"))
    }
}

/// Head and body of a reply over HTTP.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    json: &str,
) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: talon\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
        json.len()
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The program that was built beside this one.
fn binary() -> anyhow::Result<PathBuf> {
    let binary = std::env::current_exe()?.with_file_name("talon");
    anyhow::ensure!(binary.exists(), "build it first: `cargo build --release -p talon`");
    binary.canonicalize().context("the program cannot be found")
}
