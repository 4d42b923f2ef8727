//! Programs that run to their end: found on the `PATH`, run with a deadline, their output in a log.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::skip::Failure;
use crate::workspace;

/// How often a condition is looked at again.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// The first of `names` that is an executable file in a directory of the `PATH`.
pub(crate) fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .flat_map(|directory| names.iter().map(move |name| directory.join(name)))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// As [`on_path`], with the absence as a reason.
pub(crate) fn needed(name: &str) -> Result<PathBuf, Failure> {
    on_path(&[name]).ok_or_else(|| Failure::Absent(format!("no `{name}` on the PATH")))
}

/// Runs `command` to its end and returns its log; an end with an error, or none in time, is an `Absent` with the log's tail.
pub(crate) fn run(name: &str, command: &mut Command, limit: Duration) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::broken(name, error);
    let log = workspace::log_file(name).map_err(failed)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(workspace::append(&log).map_err(failed)?)
        .stderr(workspace::append(&log).map_err(failed)?)
        .spawn()
        .map_err(|error| Failure::Absent(format!("{name}: {error}")))?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait().map_err(failed)? {
            Some(status) if status.success() => return Ok(log),
            Some(status) => {
                let tail = workspace::tail(&log);
                return Err(Failure::Absent(format!("{name} ended with {status}; {tail}")));
            }
            None if Instant::now() > deadline => {
                child.kill().ok();
                child.wait().ok();
                let tail = workspace::tail(&log);
                let seconds = limit.as_secs();
                return Err(Failure::Absent(format!("{name} took over {seconds} s; {tail}")));
            }
            None => thread::sleep(POLL),
        }
    }
}

/// What a short command prints on both streams, if it runs and succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let both = [output.stdout, output.stderr].concat();
    output.status.success().then(|| String::from_utf8_lossy(&both).into_owned())
}

/// The first version number in `text`, such as `(2, 10)` from `nats-server: v2.10.7`.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    text.split(|character: char| !(character.is_ascii_digit() || character == '.')).find_map(
        |word| {
            let mut parts = word.split('.').map(str::parse::<u32>);
            Some((parts.next()?.ok()?, parts.next()?.ok()?))
        },
    )
}

/// The Java to run, if it is new enough for the brokers: 17.
pub(crate) fn java() -> Result<PathBuf, Failure> {
    let home = env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let java = match home.filter(|java| is_program(java)) {
        Some(java) => java,
        None => needed("java")?,
    };
    let told = output(Command::new(&java).arg("-version"));
    match told.as_deref().and_then(version) {
        Some((major, _)) if major >= 17 => Ok(java),
        Some((major, minor)) => Err(Failure::Absent(format!("java is {major}.{minor}, not 17"))),
        None => Err(Failure::Absent("`java -version` tells no version".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_tell() {
        assert_eq!(version("nats-server: v2.10.7"), Some((2, 10)));
        assert_eq!(version("openjdk version \"17.0.15\" 2025-04-15"), Some((17, 0)));
        assert_eq!(version("no number"), None);
    }

    #[test]
    fn a_command_that_fails_tells_what_it_printed() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such artifact; exit 3"]);
        let failure = run("sh", &mut command, Duration::from_secs(30)).expect_err("fails");
        let Failure::Absent(reason) = failure else {
            panic!("{failure:?}");
        };
        assert!(reason.contains("no such artifact"), "{reason}");
    }
}
