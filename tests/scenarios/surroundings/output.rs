//! Nobody behind standard error.

use std::fs::File;
use std::io::{PipeReader, Read, Write, pipe};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::service::Service;
use crate::support::{On, until};

const FAILED: &str = r#"talon_log_lines_dropped_total{reason="failed"}"#;

/// A pipe that is full, as that of a collector which stands still.
fn full_pipe() -> (PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    // What a pipe of Linux holds.
    writer.write_all(&[b'\n'; 65_536]).unwrap();
    (reader, writer)
}

async fn is_not_held_up_by_a_reader_that_stands_still(on: On, test: &str) {
    let Some(address) = on.shared(test) else { return };
    let (reader, writer) = full_pipe();
    let mut service = Service::plain(address, writer).await;
    service.works().await;
    until("it is shown that nobody reads", async || {
        let log = service.component("log").await;
        let message = log["message"].as_str().unwrap_or_default();
        log["state"] == "unavailable" && message.contains("not read")
    })
    .await;
    assert_eq!(service.component("field").await["state"], "up");

    // Whoever reads again is told everything that there was room for.
    let said = follow(reader);
    until("it is shown that somebody reads again", async || {
        service.component("log").await == Value::Null
    })
    .await;
    let said_all = || String::from_utf8_lossy(&said.lock().unwrap()).into_owned();
    until("it is said", async || said_all().contains("takes lines again")).await;
    assert!(said_all().contains("started version="), "{}", said_all());
    service.works().await;
    service.stops().await;
}

fn follow(mut reader: PipeReader) -> Arc<Mutex<Vec<u8>>> {
    let said: Arc<Mutex<Vec<u8>>> = Arc::default();
    let into = said.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while let Ok(read) = reader.read(&mut bytes) {
            if read == 0 {
                break;
            }
            into.lock().unwrap().extend(&bytes[..read]);
        }
    });
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_nothing_up_on_nats() {
    is_not_held_up_by_a_reader_that_stands_still(On::Nats, "unread_nats").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_nothing_up_on_kafka() {
    is_not_held_up_by_a_reader_that_stands_still(On::Kafka, "unread_kafka").await;
}

/// A process ends when it is asked to, also while nobody reads what it says.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_whoever_should_read_the_log() {
    let Some(address) = On::Nats.shared("unread_stop") else { return };
    let (_reader, writer) = full_pipe();
    let mut service = Service::plain(address, writer).await;
    service.works().await;
    service.stops().await;

    // Also where the configuration is wrong, and nobody hears why.
    let (_reader, writer) = full_pipe();
    let mut wrong = Service::plain("nats://[", writer).await;
    assert_eq!(wrong.ends().await.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_on_a_full_disk_costs_its_lines_alone() {
    for on in [On::Nats, On::Kafka] {
        let Some(address) = on.shared("full_disk") else { continue };
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut service = Service::plain(address, full).await;
        service.works().await;
        until("lost lines are counted", async || service.metric(FAILED).await > 0.0).await;
        let log = service.component("log").await;
        assert_eq!((&log["state"], &log["severity"]), (&"unavailable".into(), &"feed".into()));
        let message = log["message"].as_str().unwrap();
        assert!(message.contains("no storage space"), "{message}");
        assert_eq!(service.metric(r#"talon_component_up{component="log"}"#).await, 0.0);
        service.stops().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_collector_is_gone_costs_its_lines_alone() {
    let Some(address) = On::Nats.shared("closed_pipe") else { return };
    let (reader, writer) = pipe().unwrap();
    let mut service = Service::plain(address, writer).await;
    service.works().await;
    drop(reader);
    service.signal("USR1");
    until("lost lines are counted", async || service.metric(FAILED).await > 0.0).await;
    let message = service.component("log").await["message"].take();
    assert!(message.as_str().unwrap().contains("broken pipe"), "{message}");
    service.works().await;
    service.stops().await;
}
