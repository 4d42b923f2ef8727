//! A broker that runs as a process of ours.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::POLL;
use crate::guard::Guard;
use crate::port;
use crate::skip::Failure;
use crate::workspace;

/// Long, as a virtual machine's start on a busy one takes ten times what it takes alone.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(300);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const PAUSE_LIMIT: Duration = Duration::from_secs(30);
const PORT_TRIES: usize = 5;

/// How to start a program, as often as needed, and how to see that it answers.
pub(crate) struct Launch {
    /// For messages and the name of the log.
    pub(crate) what: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) answers: Box<dyn Fn() -> io::Result<()> + Send + Sync>,
}

impl fmt::Debug for Launch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Launch({})", self.program.display())
    }
}

#[derive(Debug)]
pub(crate) struct Process {
    launch: Launch,
    log: PathBuf,
    child: Option<Child>,
    guard: Guard,
}

impl Process {
    /// Starts what `launch` makes of a port and an empty directory, again with others while the port turns out to be taken.
    pub(crate) fn start(
        what: &'static str,
        launch: impl Fn(u16, &Path) -> Result<Launch, Failure>,
    ) -> Result<(u16, Self), Failure> {
        let failed = |error| Failure::broken(what, error);
        let mut tries = 0;
        loop {
            tries += 1;
            let port = port::free().map_err(failed)?;
            let data = workspace::data_directory(what).map_err(failed)?;
            let guard = Guard::new("kill -9", Some(&data)).map_err(failed)?;
            let mut process = Self {
                launch: launch(port, &data)?,
                log: workspace::log_file(what).map_err(failed)?,
                child: None,
                guard,
            };
            match process.launch_and_wait() {
                Ok(()) => return Ok((port, process)),
                Err(reason) if tries < PORT_TRIES && port::was_taken(&reason) => {}
                Err(reason) => return Err(Failure::Broken(reason)),
            }
        }
    }

    /// SIGTERM, and SIGKILL where that does not end it in time; returns when it has ended.
    pub(crate) fn stop(&mut self) {
        let Some(child) = &mut self.child else { return };
        // A paused process would keep the signal for later.
        signal(child, "CONT");
        signal(child, "TERM");
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            if !matches!(child.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(POLL);
        }
        self.kill();
    }

    /// Sends a signal upon which it ends by itself; returns when it has ended. Panics where it does not in time.
    pub(crate) fn retire(&mut self, name: &str) {
        signal(self.running("retire"), name);
        let deadline = Instant::now() + STOP_LIMIT;
        while let Some(child) = &mut self.child
            && matches!(child.try_wait(), Ok(None))
        {
            let what = self.launch.what;
            assert!(Instant::now() < deadline, "{what} does not end at SIG{name}");
            thread::sleep(POLL);
        }
        self.kill();
    }

    /// SIGKILL; returns when it has ended.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
            self.guard.forget().ok();
        }
    }

    /// SIGSTOP: connections stay, and nothing is answered; returns when every thread has stopped.
    pub(crate) fn pause(&self) {
        let child = self.running("pause");
        signal(child, "STOP");
        let deadline = Instant::now() + PAUSE_LIMIT;
        while !stopped(child.id()) {
            let what = self.launch.what;
            assert!(Instant::now() < deadline, "{what} does not stop at SIGSTOP");
            thread::sleep(POLL);
        }
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) {
        signal(self.running("resume"), "CONT");
    }

    /// Stops it if it runs, and starts it with the same arguments; the error is the log's tail.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.stop();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.launch_and_wait() {
                // Taken for a moment by somebody who looked for a free port.
                Err(reason) if tries < PORT_TRIES && port::was_taken(&reason) => {
                    self.log = workspace::log_file(self.launch.what).map_err(|e| e.to_string())?;
                }
                result => return result,
            }
        }
    }

    /// What it is started with.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.launch.arguments
    }

    fn running(&self, action: &str) -> &Child {
        match &self.child {
            Some(child) => child,
            None => panic!("cannot {action} {}: it does not run", self.launch.what),
        }
    }

    fn launch_and_wait(&mut self) -> Result<(), String> {
        let what = self.launch.what;
        self.spawn().map_err(|error| {
            self.kill();
            format!("{what}: `{}`: {error}", self.launch.program.display())
        })?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let unanswered = match (self.launch.answers)() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let ended = match &mut self.child {
                Some(child) => child.try_wait().map_err(|error| error.to_string())?,
                None => None,
            };
            if let Some(status) = ended {
                self.kill();
                let tail = workspace::tail(&self.log);
                return Err(format!("{what} ended at its start with {status}; {tail}"));
            }
            if Instant::now() > deadline {
                self.kill();
                let tail = workspace::tail(&self.log);
                let seconds = START_LIMIT.as_secs();
                return Err(format!(
                    "{what} does not answer after {seconds} s: {unanswered}; {tail}"
                ));
            }
            thread::sleep(POLL);
        }
    }

    /// The shell waits for its line before it becomes the program, so the guard knows the process before there is a broker to leave behind.
    fn spawn(&mut self) -> io::Result<()> {
        let launch = &self.launch;
        let mut child = Command::new("sh")
            .args(["-c", r#"read -r go && exec "$@" </dev/null"#, "sh"])
            .arg(&launch.program)
            .args(&launch.arguments)
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(workspace::append(&self.log)?)
            .stderr(workspace::append(&self.log)?)
            .process_group(0)
            .spawn()?;
        let pipe = child.stdin.take();
        let id = child.id().to_string();
        self.child = Some(child);
        self.guard.watch(&id)?;
        match pipe {
            Some(mut pipe) => pipe.write_all(b"go\n"),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether every thread is in the state `T`; a busy one goes on answering for a while after the signal.
///
/// True without a look where there is no `/proc`.
fn stopped(process: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return true;
    };
    threads.flatten().all(|thread| {
        // After the name in parentheses, which may hold anything.
        let line = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        line.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    })
}

/// Through a shell, whose `kill` is everywhere; the child is not reaped yet, so the number is still its own.
fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("sh")
        .args(["-c", r#"kill -s "$1" "$2""#, "sh", name, &id])
        .stderr(Stdio::null())
        .status();
    if let Err(error) = sent {
        panic!("cannot send SIG{name}: {error}");
    }
}
