//! The program as a process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use crate::facts::Said;
use crate::said;

/// Longest wait for a process to end, or to say where it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// As much as it can say of itself without that the clients of the brokers flood it.
const LOG: &str = "info,talon=debug,talon_runtime=debug,talon_http=debug,talon_contractor=debug,\
                   talon_connect1c=debug,talon_enter=debug,talon_quickq=debug,talon_kafka=debug,talon_nats=debug";

/// A place in a deployment: a configuration, and the process that runs with it, again and again. Killed
/// when dropped.
pub struct Process {
    program: PathBuf,
    settings: BTreeMap<String, String>,
    running: Option<Running>,
    /// Of all processes that there were in this place.
    log: Arc<Mutex<Vec<String>>>,
    /// Lines of the log before each start.
    starts: Vec<usize>,
    client: reqwest::Client,
    /// What is added to its clock, for the program to read.
    clock: tempfile::NamedTempFile,
}

struct Running {
    child: Child,
    _file: tempfile::NamedTempFile,
    /// Lines of the log before it.
    since: usize,
}

impl Process {
    /// A place where nothing runs yet.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(program: &Path, mut settings: BTreeMap<String, String>) -> anyhow::Result<Process> {
        // The HTTP library is built without a crypto provider of its own choice; it may be there.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
        let (log, program) = (Arc::default(), program.to_owned());
        let clock = tempfile::NamedTempFile::new()?;
        let file = clock.path().display().to_string();
        settings.insert("talon.test.clock.file".to_owned(), file);
        Ok(Process { program, settings, running: None, log, starts: Vec::new(), client, clock })
    }

    /// Its configuration from the next start on.
    pub fn settings(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.settings
    }

    /// The program from the next start on.
    pub fn set_program(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// The program of the next start.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Sets its clock to so many ms ahead of the machine's, or behind. Counts for those that are started
    /// later too.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn set_clock(&self, ahead_ms: i64) -> anyhow::Result<()> {
        Ok(std::fs::write(self.clock.path(), format!("{ahead_ms}\n"))?)
    }

    /// Starts it.
    ///
    /// # Errors
    /// There is no such program, or no room for its configuration.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let mut file = tempfile::NamedTempFile::new()?;
        for (key, text) in &self.settings {
            writeln!(file, "{key}: {}", serde_json::json!(text))?;
        }
        let since = self.lines().len();
        self.starts.push(since);
        let mut child = Command::new(&self.program)
            .args(["run", "--config"])
            .arg(file.path())
            .env("TALON_LOG", LOG)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("`{}` cannot be started", self.program.display()))?;
        follow(child.stdout.take(), &self.log);
        follow(child.stderr.take(), &self.log);
        self.running = Some(Running { child, _file: file, since });
        Ok(())
    }

    /// SIGKILL. Gives how it had ended, if it had ended by itself.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let Some(mut running) = self.running.take() else { return Ok(None) };
        let ended = running.child.try_wait()?;
        if ended.is_none() {
            running.child.kill()?;
            running.child.wait()?;
        }
        Ok(ended)
    }

    /// How it ended by itself; `None` where it runs, or nothing was started.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let Some(running) = &mut self.running else { return Ok(None) };
        let ended = running.child.try_wait()?;
        if ended.is_some() {
            // Its number may be another's from now on.
            self.running = None;
        }
        Ok(ended)
    }

    /// SIGTERM; gives how it ended, or `None` where it does not end.
    ///
    /// # Errors
    /// No signal can be sent.
    pub async fn terminate(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.signal("TERM")?;
        let Some(mut running) = self.running.take() else { return Ok(None) };
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(status) = running.child.try_wait()? {
                return Ok(Some(status));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        running.child.kill()?;
        running.child.wait()?;
        Ok(None)
    }

    /// A signal by its name: `STOP`, `CONT`.
    ///
    /// # Errors
    /// No signal can be sent.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        if let Some(running) = &self.running {
            let pid = running.child.id().to_string();
            let sent = Command::new("kill").args(["-s", name, &pid]).stderr(Stdio::null()).status();
            // It may have ended, which is seen when it is waited for.
            sent.context("no `kill`")?;
        }
        Ok(())
    }

    /// A page of it; `None` where it does not answer.
    pub async fn page(&self, path: &str) -> Option<String> {
        self.get(path).await?.text().await.ok()
    }

    /// True if it says that it is ready, as an orchestrator asks.
    pub async fn is_ready(&self) -> bool {
        self.get("/health/ready").await.is_some_and(|reply| reply.status().is_success())
    }

    /// The code and the body of what its REST answers; `None` where it does not answer.
    pub async fn rest(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Option<(u16, Value)> {
        // A change waits for the bus, and for others that change something.
        let mut request =
            self.client.request(method, self.url(path)?).timeout(Duration::from_secs(20));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let reply = request.send().await.ok()?;
        let code = reply.status().as_u16();
        let text = reply.text().await.ok()?;
        Some((code, serde_json::from_str(&text).unwrap_or_default()))
    }

    fn url(&self, path: &str) -> Option<String> {
        let since = self.running.as_ref()?.since;
        let address = self.lines().iter().skip(since).find_map(|line| {
            let (_, rest) = line.split_once("listen=")?;
            Some(rest.split_whitespace().next()?.to_owned())
        })?;
        Some(format!("http://{address}{path}"))
    }

    async fn get(&self, path: &str) -> Option<reqwest::Response> {
        // As a browser: `/` is the page then.
        let request = self.client.get(self.url(path)?);
        request.header("accept", "text/html").send().await.ok()
    }

    /// State of a component.
    pub async fn state(&self, component: &str) -> Option<String> {
        let health: Value = serde_json::from_str(&self.page("/health/ready").await?).ok()?;
        Some(health["components"][component]["state"].as_str()?.to_owned())
    }

    /// Everything that was logged in this place.
    pub fn log(&self) -> String {
        self.lines().join("\n")
    }

    /// What those that ran in this place said of their connectors; `process` is the number of the place.
    pub fn said(&self, process: usize) -> Vec<Said> {
        let lines = self.lines();
        let ends = self.starts.iter().skip(1).copied().chain([lines.len()]);
        let lives = self.starts.iter().copied().zip(ends).enumerate();
        let said = lives.flat_map(|(life, (start, end))| {
            said::said(process, life, lines[start..end].iter().map(String::as_str))
        });
        said.collect()
    }

    /// True if the process that runs opens a connector, or is about to join the group.
    pub fn is_opening(&self) -> bool {
        let Some(running) = &self.running else { return false };
        let lines = self.lines();
        let lines = lines[running.since..].iter().map(String::as_str);
        said::is_opening(&said::said(0, 0, lines))
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn follow(pipe: Option<impl Read + Send + 'static>, log: &Arc<Mutex<Vec<String>>>) {
    let Some(pipe) = pipe else { return };
    let log = log.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            // It may have ended already.
            running.child.kill().ok();
            running.child.wait().ok();
        }
    }
}
