//! Signals.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use talon_brokers::{Nats, unique};

use crate::service::{Service, arguments, signal};
use crate::support::{self, On, Talon, configuration, until, upstream};

/// `env` with an option, which then becomes the program: the handlers that it is started with.
fn with(option: &str, config: &std::path::Path) -> Command {
    let mut command = Command::new("env");
    command.arg(option).arg(support::program().get_program()).args(arguments(config));
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_sigint_and_sighup_stop_it_and_what_was_read_is_committed() {
    let Some(address) = On::Nats.shared("stops") else { return };
    for name in ["TERM", "INT", "HUP"] {
        // Whoever runs the tests may have done so with `nohup`, or in the background.
        let start = |config: &_| with("--default-signal=HUP,INT", config);
        let mut service = Service::start(address, Stdio::null(), start).await;
        service.works().await;
        service.signal(name);
        assert_eq!(service.ends().await.code(), Some(0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_stopped_by_a_signal_that_is_ignored_where_it_was_started() {
    let Some(address) = On::Nats.shared("nohup") else { return };
    let start = |config: &_| with("--ignore-signal=HUP,INT", config);
    let mut service = Service::start(address, Stdio::null(), start).await;
    service.works().await;
    service.signal("HUP");
    service.signal("INT");
    service.works().await;
    service.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigusr1_sigusr2_and_sigpipe_do_nothing() {
    let Some(address) = On::Nats.shared("usr1") else { return };
    let upstream = upstream(50, 8).await;
    let mut talon = Talon::run(&configuration(&unique("usr1"), address, &upstream.url()));
    talon.ready().await;
    for (sent, name) in ["USR1", "USR2"].into_iter().enumerate() {
        talon.signal(name);
        until("it is said", async || talon.lines(&["do nothing here"]) == sent + 1).await;
    }
    talon.signal("PIPE");
    let observed = r#"talon_observations_total{connector="field",feed="call",result="ok"}"#;
    let before = talon.metric(observed).await;
    until("it goes on", async || talon.metric(observed).await > before + 2.0).await;
    assert_eq!(talon.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_also_where_it_is_asked_to_while_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talon.yaml");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    for name in ["TERM", "INT", "HUP"] {
        let mut command = with("--default-signal=HUP,INT", &path);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // A pipe can be opened so when somebody reads it. Nobody ever writes to it.
        let mut writer = None;
        until("the configuration is read", async || {
            let opened = File::options().write(true).custom_flags(O_NONBLOCK).open(&path);
            writer = opened.ok();
            writer.is_some()
        })
        .await;
        signal(child.id(), name);
        until("it ends", async || child.try_wait().unwrap().is_some()).await;
        assert_eq!(child.wait().unwrap().code(), Some(0), "{name}");
    }
}

/// Of Linux, on the processors that tests run on.
const O_NONBLOCK: i32 = 0o4000;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let Some(nats) = Nats::start("twice") else { return };
    let upstream = upstream(50, 9).await;
    let mut texts = configuration(&unique("twice"), nats.url(), &upstream.url());
    texts.insert("shutdown.timeout.ms".to_owned(), "3600000".to_owned());
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    // What it has read cannot be committed.
    nats.pause();
    upstream.edit(20);
    let waits = r#"talon_observations_total{connector="field",feed="call",result="ok"}"#;
    let mut before = talon.metric(waits).await;
    until("a commit waits for the bus", async || {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let now = talon.metric(waits).await;
        now == std::mem::replace(&mut before, now)
    })
    .await;
    talon.signal("TERM");
    until("it is heard", async || talon.lines(&["stopping"]) == 1).await;
    talon.signal("TERM");
    assert_eq!(talon.ended().await.code(), Some(1));
    nats.resume();
}

/// The first process of a container has no handlers but its own.
#[tokio::test(flavor = "multi_thread")]
async fn it_stops_also_as_the_first_process_of_a_container() {
    let Some(address) = On::Nats.shared("first") else { return };
    if !can(&["--pid", "--fork"]) {
        return;
    }
    let start = |config: &std::path::Path| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child"]);
        command.arg(support::program().get_program()).args(arguments(config));
        command
    };
    let mut service = Service::start(address, Stdio::null(), start).await;
    service.works().await;
    let outer = service.child.id();
    let children = format!("/proc/{outer}/task/{outer}/children");
    let first: u32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{first}/status")).unwrap();
    let names = status.lines().find(|line| line.starts_with("NSpid:")).unwrap();
    assert_eq!(names.split_whitespace().next_back(), Some("1"), "{names}");
    signal(first, "TERM");
    assert_eq!(service.ends().await.code(), Some(0));
}

/// Whether this machine lets tests have namespaces of their own; says so where it does not.
pub(crate) fn can(unshare: &[&str]) -> bool {
    let status = Command::new("unshare").args(unshare).arg("true").stderr(Stdio::null()).status();
    let can = status.is_ok_and(|status| status.success());
    if !can {
        eprintln!("skipped: no right to `unshare {}`", unshare.join(" "));
    }
    can
}
