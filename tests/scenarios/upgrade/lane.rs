//! Commands and results of another version.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value as Json, json};
use talon_brokers::unique;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup};
use talon_schemas::Message;
use talon_schemas::command::CommandContract;
use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};
use talon_sdk::{
    Answer, Applier, ApplyFault, Clock, Command, CommandSpec, Commands, Connector, Evidence, Fault,
    Feed, FeedPlan, Finding, OrderingKey, Permit, Repeat,
};

use crate::support::consumer::read;
use crate::support::{On, nats, until};

const FIELD: &str = r#"{"name": "n", "type": "long"}"#;
const LATER: &str = r#"{"name": "planted", "type": ["null", "string"], "default": null}"#;

fn file(fields: &[&str]) -> String {
    format!(
        r#"[{{"type": "record", "name": "Do", "namespace": "talon.test", "fields": [{}]}}]"#,
        fields.join(",")
    )
}

static BEFORE: LazyLock<CommandContract> = LazyLock::new(|| CommandContract::of(&file(&[FIELD])));
static AFTER: LazyLock<CommandContract> = LazyLock::new(|| {
    let before: &Message = (*BEFORE).as_ref();
    CommandContract::with_earlier(&file(&[FIELD, LATER]), &[before.text()])
});

static SPECS: [CommandSpec; 1] = [CommandSpec::of("Do", OrderingKey::Own, Repeat::Never)];

/// An upstream that notes what was done.
#[derive(Clone, Default)]
struct Upstream(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Applier for Upstream {
    async fn look(&self, _: &Command) -> Result<Evidence, ApplyFault> {
        Ok(Evidence(String::new()))
    }

    async fn apply(
        &self,
        command: &Command,
        _: &Evidence,
        _: &Permit,
    ) -> Result<Answer, ApplyFault> {
        self.0.lock().unwrap().push(command.id.clone());
        Ok(Answer::default())
    }

    async fn probe(&self, _: &Command, _: &Evidence, _: i64) -> Result<Finding, Fault> {
        Ok(Finding::Absent)
    }
}

#[async_trait]
impl Connector for Upstream {
    fn feeds(&self) -> Vec<FeedPlan> {
        Vec::new()
    }

    fn open(&self, _: &str) -> Result<Box<dyn Feed>, Fault> {
        Err(Fault::Internal { reason: "no feeds".to_owned() })
    }

    fn commands(&self) -> Vec<&'static CommandSpec> {
        SPECS.iter().collect()
    }

    fn applier(&self) -> Result<Arc<dyn Applier>, Fault> {
        Ok(Arc::new(self.clone()))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

fn start(
    address: &str,
    prefix: &str,
    upstream: &Upstream,
    contract: fn() -> &'static CommandContract,
) -> Engine {
    Engine::start(Parts {
        prefix: prefix.to_owned(),
        bus: crate::bus(address, prefix),
        registry: None,
        connectors: vec![Setup {
            name: "c".to_owned(),
            class: "test",
            options: Options::default(),
            connector: Arc::new(upstream.clone()),
            commands: Some(Commands { specs: SPECS.iter().collect(), contract }),
        }],
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    })
}

async fn put(address: &str, topic: &str, key: &str, value: Vec<u8>) {
    if address.starts_with("nats://") {
        let jetstream = nats::jetstream(address).await;
        until("a stream takes it", async || {
            jetstream.stream_by_subject(format!("{topic}.x")).await.is_ok()
        })
        .await;
        let sent = jetstream.publish(format!("{topic}.{key}"), value.into()).await;
        sent.unwrap().await.unwrap();
        return;
    }
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    let record = BaseRecord::to(topic).key(key).payload(&value);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

fn command(id: &str) -> Json {
    json!({"id": id, "type": "Do", "params": {"n": 7}})
}

/// Outcomes by command id, in order.
fn outcomes(address: &str, topic: &str) -> BTreeMap<String, String> {
    let mut outcomes: BTreeMap<String, String> = BTreeMap::new();
    for record in read(address, topic) {
        let value = record.value.unwrap_or_default();
        let Payload::Own(datum) = Wire::SingleObject.open(&*RESULT, &value) else { continue };
        if let Some(outcome) = RESULT.to_json(datum).unwrap()["outcome"].as_str() {
            *outcomes.entry(record.key).or_default() += &format!("{outcome} ");
        }
    }
    outcomes
}

async fn other_versions(on: On) {
    let Some(address) = on.shared("lane_upgrade") else { return };
    let prefix = unique("lane_upgrade");
    let (commands, results) = (format!("{prefix}.c.commands"), format!("{prefix}.c.results"));
    let upstream = Upstream::default();
    let engine = start(address, &prefix, &upstream, || &BEFORE);
    put(address, &commands, "a", command("a").to_string().into_bytes()).await;
    until("the first is settled", async || outcomes(address, &results).contains_key("a")).await;
    assert!(engine.stop(Duration::from_secs(20)).await);

    // What a version left that nobody knows, and a command of the version before.
    for id in ["x", "y"] {
        put(address, &results, id, vec![0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 2, b'x']).await;
    }
    let mut avro = Vec::new();
    Wire::SingleObject.put_prefix(&*BEFORE, &mut avro);
    let json = command("avro").to_string();
    avro.extend_from_slice(&(*BEFORE).as_ref().from_json(json.as_bytes()).unwrap());
    let engine = start(address, &prefix, &upstream, || &AFTER);
    put(address, &commands, "avro", avro).await;
    for id in ["x", "b", "a"] {
        put(address, &commands, id, command(id).to_string().into_bytes()).await;
    }
    let expected =
        [("a", "APPLIED DUPLICATE "), ("avro", "APPLIED "), ("b", "APPLIED "), ("x", "UNKNOWN ")];
    let expected = expected.map(|(id, outcomes)| (id.to_owned(), outcomes.to_owned())).into();
    until("all are settled", async || outcomes(address, &results) == expected).await;
    assert!(engine.stop(Duration::from_secs(20)).await);
    let mut effects = upstream.0.lock().unwrap().clone();
    effects.sort();
    assert_eq!(effects, ["a", "avro", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_results_of_an_unknown_version_stop_only_their_own_commands_on_kafka() {
    other_versions(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_results_of_an_unknown_version_stop_only_their_own_commands_on_nats() {
    other_versions(On::Nats).await;
}
