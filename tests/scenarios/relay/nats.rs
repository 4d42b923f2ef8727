//! A stream that is relayed to another, and what cannot be carried. NATS is the only bus.

use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{self, Context, Message};
use async_nats::{HeaderMap, connect};
use futures_util::StreamExt;
use talon_brokers::unique;

use super::support::{On, Talon, process, program, until, write};

const MESSAGES: usize = 30;

/// How many messages a stream has below this subject.
pub(crate) async fn read(jetstream: &Context, stream: &str, below: &str) -> Vec<Message> {
    let Ok(stream) = jetstream.get_stream(stream).await else { return Vec::new() };
    let config = OrderedConfig { filter_subject: format!("{below}.>"), ..OrderedConfig::default() };
    let mut consumer = stream.create_consumer(config).await.unwrap();
    let pending = consumer.info().await.unwrap().num_pending as usize;
    let messages = consumer.messages().await.unwrap().take(pending);
    messages.map(Result::unwrap).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_relayed_to_another_and_what_has_no_place_is_put_aside_once() {
    let Some(url) = On::Nats.shared("relay_nats") else { return };
    let (prefix, place) = (unique("relay"), unique("place"));
    let jetstream = jetstream::new(connect(url).await.unwrap());
    let (from, to) = (format!("{prefix}-FROM"), format!("{prefix}-TO"));
    let subjects = vec![format!("{prefix}.from.>")];
    let config = Config { name: from.clone(), subjects, ..Config::default() };
    jetstream.create_stream(config).await.unwrap();
    // The last limit would push out what is carried.
    let positions = format!("{prefix}.relays.{to}.>");
    let config = Config {
        name: to.clone(),
        subjects: vec![format!("{place}.>"), positions],
        max_messages_per_subject: 1_000,
        ..Config::default()
    };
    jetstream.create_stream(config).await.unwrap();
    let mut texts = process(&prefix, url);
    for (key, text) in [
        ("from.stream", &*from),
        ("to.stream", &to),
        ("to.subject", &format!("{place}.{{header:place}}")),
        ("tasks", "1"),
    ] {
        texts.insert(format!("relays.copy.{key}"), text.to_owned());
    }
    for number in 0..MESSAGES {
        let mut headers = HeaderMap::new();
        if number % 3 != 0 {
            headers.insert("place", format!("p{}", number % 2));
        }
        let subject = format!("{prefix}.from.k");
        let sent = jetstream.publish_with_headers(subject, headers, number.to_string().into());
        sent.await.unwrap().await.unwrap();
    }
    let file = write(&texts);
    let probed = program().args(["check", "--probe", "--config"]).arg(file.path()).output();
    let probed = String::from_utf8(probed.unwrap().stdout).unwrap();
    let warned = "warning target of the relay `copy`: `max_msgs_per_subject` is set";
    assert!(probed.contains(warned), "{probed}");
    // A second run finds the first one's positions, and puts nothing aside again.
    for _ in 0..2 {
        let mut talon = Talon::run(&texts);
        talon.ready().await;
        let letters = format!("{prefix}.relay-dlq.copy");
        until("all are carried or put aside", async || {
            let aside = jetstream.stream_by_subject(format!("{letters}.x")).await;
            let aside = match aside {
                Ok(stream) => read(&jetstream, &stream, &letters).await,
                Err(_) => Vec::new(),
            };
            read(&jetstream, &to, &place).await.len() == 20 && aside.len() == 10
        })
        .await;
        let carried = read(&jetstream, &to, &place).await;
        let numbers = carried.iter().map(|message| {
            let text = std::str::from_utf8(&message.payload).unwrap();
            text.parse::<usize>().unwrap()
        });
        let sent = (0..MESSAGES).filter(|number| number % 3 != 0);
        assert_eq!(numbers.collect::<Vec<_>>(), sent.collect::<Vec<_>>());
        let stream = jetstream.stream_by_subject(format!("{letters}.x")).await.unwrap();
        let aside = read(&jetstream, &stream, &letters).await;
        let first = aside[0].headers.as_ref().unwrap();
        assert_eq!(first.get("__connect.errors.topic").unwrap().as_str(), from);
        assert_eq!(&aside[0].payload[..], b"0");
        assert!(talon.log().contains("of each subject only the newest records stay"));
        assert!(talon.terminate().await.success(), "{}", talon.log());
    }
}
