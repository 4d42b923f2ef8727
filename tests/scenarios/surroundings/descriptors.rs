//! Files that the process may have open, and those that it is started with.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::service::{Service, arguments};
use crate::support::{self, On, Talon, configuration, until, upstream};

/// A shell that does this first and then becomes the program.
pub(crate) fn after(script: &str, config: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{script}\nexec \"$0\" \"$@\"")]);
    command.arg(support::program().get_program()).args(arguments(config));
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn with_few_open_files_it_says_so_and_survives_that_there_are_none() {
    let Some(address) = On::Nats.shared("few") else { return };
    let upstream = upstream(50, 10).await;
    let prefix = talon_brokers::unique("few");
    let file = support::write(&configuration(&prefix, address, &upstream.url()));
    let mut talon = Talon::spawn(after("ulimit -n 40", file.path()));
    talon.ready().await;
    assert_eq!(talon.lines(&["few files may be open", "allowed=40", "ulimit -n"]), 1);

    // All are taken by connections to its page.
    let page = talon.url().await.replace("http://", "");
    let taken: Vec<TcpStream> = (0..60).filter_map(|_| TcpStream::connect(&page).ok()).collect();
    assert!(taken.len() > 40);
    upstream.pause_listening().await;
    until("it notices its upstream", async || talon.lines(&["unavailable", "field/call"]) > 0)
        .await;
    upstream.resume_listening().await;
    drop(taken);
    talon.becomes("field/call", "up").await;
    talon.ready().await;
    assert_eq!(talon.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_as_many_open_files_as_it_may_have() {
    let Some(address) = On::Nats.shared("soft") else { return };
    let upstream = upstream(50, 11).await;
    let prefix = talon_brokers::unique("soft");
    let file = support::write(&configuration(&prefix, address, &upstream.url()));
    let mut talon = Talon::spawn(after("ulimit -Hn 900\nulimit -Sn 20", file.path()));
    talon.ready().await;
    assert_eq!(talon.lines(&["few files"]), 0, "{}", talon.log());
    assert_eq!(talon.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_standard_input_output_and_error_it_works() {
    let Some(address) = On::Nats.shared("closed") else { return };
    let start = |config: &Path| after("exec 0<&- 1>&- 2>&-", config);
    let mut service = Service::start(address, Stdio::null(), start).await;
    service.works().await;
    service.stops().await;
}
