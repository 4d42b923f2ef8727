//! The program with nobody behind its output.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use support::{configuration, program, until, unused_address};

/// What each subcommand is run with; those that do not end by themselves are stopped.
fn all(file: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["plugins"],
        vec!["plugins", "contractor"],
        vec!["plugins", "nothing"],
        vec!["commands"],
        vec!["commands", "quickq"],
        vec!["commands", "enter-export"],
        vec!["schemas"],
        vec!["schemas", "--compact"],
        vec!["schemas", "--config", file],
        vec!["schemas", "--config", file, "--register"],
        vec!["check", "--config", file],
        vec!["check", "--config", file, "--probe"],
        vec!["check", "--config", "/no/such/file"],
        vec!["send", "--config", file, "field", "SendMessage", "call_id=x"],
        vec!["send", "--config", file, "field", "--file", "-"],
        vec!["offsets", "list", "--config", file, "field"],
        vec!["offsets", "reset", "--config", file, "field", "call"],
        vec!["plan", "--config", "/no/such/file"],
        vec!["dlq", "list", "--config", "/no/such/file", "field"],
        vec!["run", "--config", file],
        vec!["run", "--config", "/no/such/file"],
        vec!["help"],
        vec!["--version"],
        vec!["nonsense"],
    ]
}

/// The end of a pipe whose other end is closed.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Killed when dropped, should it not have ended.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn started(arguments: &[&str], [out, err]: [Stdio; 2]) -> Running {
    let mut command = program();
    command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(err);
    Running(command.spawn().unwrap())
}

impl Running {
    async fn ends(&mut self) -> Option<i32> {
        until("the program ends", async || self.0.try_wait().unwrap().is_some()).await;
        self.0.wait().unwrap().code()
    }

    /// Until it serves its page, and has logged that; then it is asked to stop.
    async fn serves_and_ends(&mut self, listen: &str) -> Option<i32> {
        until("the page is served", async || {
            assert!(self.0.try_wait().unwrap().is_none(), "it ended");
            std::net::TcpStream::connect(listen).is_ok()
        })
        .await;
        Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        self.ends().await
    }
}

/// What a panic of the main thread ends with.
const PANICKED: i32 = 101;

#[tokio::test(flavor = "multi_thread")]
async fn no_subcommand_panics_when_nobody_reads_its_output() {
    let mut texts = configuration("field", &unused_address(), "http://127.0.0.1:1");
    let listen = unused_address();
    texts.insert("http.listen".to_owned(), listen.clone());
    let file = support::write(&texts);
    let path = file.path().to_str().unwrap().to_owned();
    let cases = all(&path);
    for arguments in &cases {
        let is_service = *arguments == ["run", "--config", &path];
        let mut both = started(arguments, [closed_pipe(), closed_pipe()]);
        let code = if is_service { both.serves_and_ends(&listen).await } else { both.ends().await };
        assert!(code.is_some_and(|code| code != PANICKED), "{arguments:?} ends with {code:?}");

        let mut one = started(arguments, [closed_pipe(), Stdio::piped()]);
        let said = one.0.stderr.take().unwrap();
        let said = tokio::task::spawn_blocking(move || std::io::read_to_string(said).unwrap());
        let code = if is_service { one.serves_and_ends(&listen).await } else { one.ends().await };
        let said = said.await.unwrap();
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        assert!(code.is_some_and(|code| code != PANICKED), "{arguments:?} ends with {code:?}");
        if matches!(arguments[0], "plugins" | "commands" | "schemas") && arguments.len() == 1 {
            assert_eq!(code, Some(0), "{arguments:?}: {said}");
        }
    }

    // Every subcommand is among them; `dev` has a test of its own.
    let help = program().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let listed = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let listed: BTreeSet<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    let run: BTreeSet<&str> = cases.iter().map(|arguments| arguments[0]).chain(["dev"]).collect();
    assert!(listed.len() >= 7, "{help}");
    assert!(listed.is_subset(&run), "{listed:?} of {run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_ends_by_itself_when_nobody_reads_its_output() {
    for err in [Stdio::null(), closed_pipe()] {
        let listen = unused_address();
        let arguments = ["dev", "--listen", &listen, "--edits-per-second", "20"];
        assert_eq!(started(&arguments, [closed_pipe(), err]).ends().await, Some(0));
    }
}

#[test]
fn a_full_disk_is_told_and_is_no_success() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let output = program().arg("schemas").stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("not all was written to standard output"), "{said}");
    full().flush().unwrap();
}

#[test]
fn a_schema_can_be_had_in_the_text_that_is_registered() {
    let output = program().args(["schemas", "--compact"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('\t'));
        lines.find(|(found, _)| *found == name).map(|(_, text)| text.to_owned())
    };
    let call: &talon_schemas::Contract = &talon_contractor::contracts::CALL;
    assert_eq!(found("contractor.call").as_deref(), Some(call.text()));
    let commands = talon_quickq::contracts::COMMANDS.as_ref();
    assert_eq!(found("quickq.commands").as_deref(), Some(commands.text()));
    assert_eq!(found("quickq.results").as_deref(), Some(talon_schemas::result::RESULT.text()));
}
