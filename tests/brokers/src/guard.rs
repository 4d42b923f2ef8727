//! Ends a broker when the test process ends, however that ends.
//!
//! A shell reads from a pipe that only the test process holds.
//! When the process is gone, also by SIGKILL, the pipe closes, and the shell kills the broker and removes its data.
//! It has its own process group, so that what a terminal or a CI runner sends to the tests' group does not end it first.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// `watch X` and `forget` on the standard input; at its end `$1 X` if X is watched, then the directory `$2` is removed.
/// The removal is tried again for as long as the dying broker still writes.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
watched=
while read -r word name; do
  case $word in
    watch) watched=$name ;;
    forget) watched= ;;
  esac
done
[ -z "$watched" ] || $1 "$watched"
tries=0
while [ -n "$2" ] && ! rm -rf "$2" && [ $tries -lt 50 ]; do
  tries=$((tries + 1)); sleep 0.1
done
"#;

/// One for each broker of ours, over all its restarts.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
}

impl Guard {
    /// `ending` is the command that ends what is watched, such as `kill -9`; `data` is removed afterwards.
    pub(crate) fn new(ending: &str, data: Option<&Path>) -> io::Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh", ending])
            .arg(data.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { shell })
    }

    pub(crate) fn watch(&mut self, name: &str) -> io::Result<()> {
        self.tell(&format!("watch {name}\n"))
    }

    /// After the broker has ended: its process number may be another's from now on.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        self.tell("forget\n")
    }

    fn tell(&mut self, line: &str) -> io::Result<()> {
        match &mut self.shell.stdin {
            Some(pipe) => pipe.write_all(line.as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Closes the pipe first.
        self.shell.wait().ok();
    }
}
