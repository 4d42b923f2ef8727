//! A bus that takes little a second: a quota of Kafka's, a thin line to NATS.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use talon_brokers::{Kafka, Nats, unique};

use crate::support::consumer::read;
use crate::support::{self, Talon, configuration, until};

/// What the bus takes.
const A_SECOND: usize = 700_000;

/// An event of a call has about a thousand bytes.
const CALLS: usize = 12_000;

/// A configuration of one large feed.
fn large(address: &str, prefix: &str, upstream: &str) -> BTreeMap<String, String> {
    let mut texts = configuration(prefix, address, upstream);
    texts.insert("connectors.field.feeds".to_owned(), "call".to_owned());
    texts
}

/// Waits until all is published, and is there once.
async fn ends(talon: &mut Talon, address: &str, prefix: &str) {
    let entities = r#"talon_feed_entities{connector="field",feed="call"}"#;
    until("all is published", async || talon.metric(entities).await as usize == CALLS).await;
    let commits = r#"talon_publish_duration_seconds_count{connector="field"}"#;
    assert!(talon.metric(commits).await > 1.0, "in parts");
    let events = read(address, &format!("{prefix}.field.call"));
    assert_eq!(events.len(), CALLS, "each once\n{}", talon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_read_under_a_producer_quota_is_committed_in_parts() {
    let Some(kafka) = Kafka::start("quota") else { return };
    set_quota(kafka.bootstrap(), A_SECOND);
    let prefix = unique("quota");
    let upstream = support::upstream(CALLS, 21).await;
    let mut texts = large(kafka.bootstrap(), &prefix, &upstream.url());
    texts.insert("bus.kafka.compression.type".to_owned(), "none".to_owned());
    let mut talon = Talon::run(&texts);
    until("it is said that the bus is slow", async || {
        let (_, health) = talon.health().await;
        let field = &health["components"]["field"];
        let message = field["message"].as_str().unwrap_or_default();
        field["state"] == "up" && message.contains("kB a second")
    })
    .await;
    until("it is logged", async || talon.lines(&["WARN", "kB a second"]) == 1).await;
    ends(&mut talon, kafka.bootstrap(), &prefix).await;
    assert_eq!(talon.lines(&["recovered", "entities"]), 1, "it was read once: {}", talon.log());
    // The broker makes up for a while for what it took too fast, so the first commits may be slow still.
    until("the bus is in time again", async || {
        upstream.edit(1);
        talon.message("field").await.is_empty()
    })
    .await;
}

/// The line is one for all connections of the process, as a real one is.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_read_over_a_thin_line_to_nats_is_committed_in_parts_and_no_lease_waits_for_it() {
    let Some(nats) = Nats::start("thin") else { return };
    let line = thin_line(nats.url().trim_start_matches("nats://").parse().unwrap());
    let prefix = unique("thin");
    let upstream = support::upstream(CALLS, 22).await;
    let mut texts = large(&format!("nats://{line}"), &prefix, &upstream.url());
    texts.insert("bus.nats.lease.ttl.ms".to_owned(), "10000".to_owned());
    let mut talon = Talon::run(&texts);
    ends(&mut talon, nats.url(), &prefix).await;
    assert_eq!(talon.lines(&["no lease could be renewed"]), 0, "{}", talon.log());
    assert_eq!(talon.lines(&["fenced"]), 0, "{}", talon.log());
}

/// `AlterClientQuotas`, version 0, of which the client of the tests knows nothing.
fn set_quota(bootstrap: &str, bytes_a_second: usize) {
    let text = |text: &str| {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        [&length[..], text.as_bytes()].concat()
    };
    let one = 1_i32.to_be_bytes();
    let request = [
        &[0, 49, 0, 0, 0, 0, 0, 7][..],
        &text("test"),
        &one,
        &one,
        &text("client-id"),
        &text("talon"),
        &one,
        &text("producer_byte_rate"),
        &(bytes_a_second as f64).to_be_bytes(),
        // Not removed, and not only checked.
        &[0, 0],
    ]
    .concat();
    let mut stream = TcpStream::connect(bootstrap).unwrap();
    stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    let mut reply = vec![0; u32::from_be_bytes(head) as usize];
    stream.read_exact(&mut reply).unwrap();
    // Correlation, throttle time, count, error code.
    assert_eq!(reply[12..14], [0, 0], "{reply:?}");
}

/// An address from which all leads to the server, and takes its time on the way there.
fn thin_line(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let line = Arc::new(Mutex::new(Instant::now()));
    std::thread::spawn(move || {
        for from in listener.incoming().map_while(Result::ok) {
            let Ok(to) = TcpStream::connect(server) else { continue };
            let (back_from, back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
            let line = line.clone();
            std::thread::spawn(move || carry(from, to, Some(&line)));
            std::thread::spawn(move || carry(back_from, back_to, None));
        }
    });
    address
}

/// Carries what comes, over the line if there is one: that is when it is free again.
fn carry(mut from: TcpStream, mut to: TcpStream, line: Option<&Mutex<Instant>>) {
    let mut bytes = [0; 16_384];
    while let Ok(read) = from.read(&mut bytes)
        && read > 0
    {
        if let Some(line) = line {
            // By the clock: sleeping takes longer than asked for, and is made up for.
            let took = Duration::from_secs_f64(read as f64 / A_SECOND as f64);
            let mut free = line.lock().unwrap();
            *free = (*free).max(Instant::now() - Duration::from_secs(1)) + took;
            let turn = *free;
            drop(free);
            std::thread::sleep(turn.saturating_duration_since(Instant::now()));
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
    from.shutdown(Shutdown::Both).ok();
}
