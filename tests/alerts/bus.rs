//! Faults of brokers and of the registry.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, stream};
use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::topic_partition_list::TopicPartitionList;
use serde_json::json;
use talon_brokers::{Kafka, Registry, SecondKafka, probe};
use talon_simulators::contractor::Simulator;

use crate::fault::Fault;
use crate::reassignment::reassign;
use crate::rights::{Operation, Resource, allow};
use crate::site::Site;
use crate::support::until;
use crate::upstream::{contractor, field};

/// What is wrong, and with what.
enum What {
    /// A Kafka that is killed.
    Down(Kafka),
    /// A Kafka of two, the second of which has a topic for itself and ends.
    NoLeader(Kafka, Option<SecondKafka>),
    /// The same, where the second one keeps the group.
    NoCoordinator(Kafka, Option<SecondKafka>),
    /// A Kafka that lets another one alone use the transactions.
    NoTransactions(Kafka),
    /// A stream that takes no more.
    Full(String),
    /// A registry that is killed.
    RegistryDown(String, Registry),
    /// A registry that has another schema under the name.
    SchemaRefused(String, &'static Registry),
}

/// A fault of something that Talon works with.
pub(crate) struct Bus {
    name: &'static str,
    alert: &'static str,
    what: What,
    upstream: Simulator,
}

/// Who may do anything that no rule is about.
const LENIENT: &str = "
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
";

impl Bus {
    async fn of(name: &'static str, alert: &'static str, what: What) -> Box<dyn Fault> {
        Box::new(Bus { name, alert, what, upstream: contractor(5.0).await })
    }

    pub(crate) async fn broker_down(test: &str) -> Option<Box<dyn Fault>> {
        let kafka = tokio::task::block_in_place(|| Kafka::start(test))?;
        Some(Bus::of("broker down", "TalonBusDown", What::Down(kafka)).await)
    }

    pub(crate) async fn no_leader(test: &str) -> Option<Box<dyn Fault>> {
        let (kafka, second) = tokio::task::block_in_place(|| {
            let kafka = Kafka::start_with(test, "")?;
            first_of_all(kafka.bootstrap());
            let second = SecondKafka::join(test, &kafka)?;
            Some((kafka, second))
        })?;
        let what = What::NoLeader(kafka, Some(second));
        Some(Bus::of("a partition without leader", "TalonBusDown", what).await)
    }

    pub(crate) async fn no_coordinator(test: &str) -> Option<Box<dyn Fault>> {
        let (kafka, second) = tokio::task::block_in_place(|| {
            let kafka = Kafka::start_with(test, "")?;
            first_of_all(kafka.bootstrap());
            let second = SecondKafka::join(test, &kafka)?;
            reassign(kafka.bootstrap(), "__consumer_offsets", 2);
            Some((kafka, second))
        })?;
        let what = What::NoCoordinator(kafka, Some(second));
        let name = "the coordinator of groups without leader";
        Some(Bus::of(name, "TalonBusDown", what).await)
    }

    pub(crate) async fn no_transactions(test: &str) -> Option<Box<dyn Fault>> {
        let kafka = tokio::task::block_in_place(|| Kafka::start_with(test, LENIENT))?;
        let what = What::NoTransactions(kafka);
        Some(Bus::of("transactions refused", "TalonBusDown", what).await)
    }

    pub(crate) async fn full(nats: &str) -> Box<dyn Fault> {
        Bus::of("stream full", "TalonBusDown", What::Full(nats.to_owned())).await
    }

    pub(crate) async fn registry_down(test: &str, bus: &str) -> Option<Box<dyn Fault>> {
        let registry = tokio::task::block_in_place(|| Registry::start(test))?;
        let what = What::RegistryDown(bus.to_owned(), registry);
        Some(Bus::of("registry down", "TalonRegistryDown", what).await)
    }

    pub(crate) async fn schema_refused(test: &str, bus: &str) -> Option<Box<dyn Fault>> {
        let registry = tokio::task::block_in_place(|| Registry::shared(test))?;
        let what = What::SchemaRefused(bus.to_owned(), registry);
        Some(Bus::of("schema refused", "TalonRegistryDown", what).await)
    }
}

/// Has the first broker make the topics of groups and of transactions, while it is alone: they are no part of the
/// fault.
fn first_of_all(bootstrap: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    let limit = Duration::from_secs(60);
    let producer: BaseProducer =
        config.clone().set("transactional.id", "first of all").create().unwrap();
    producer.init_transactions(limit).unwrap();
    let consumer: BaseConsumer = config.set("group.id", "first of all").create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition("first of all", 0);
    // The coordinator is being made.
    let since = Instant::now();
    while let Err(error) = consumer.committed_offsets(offsets.clone(), limit) {
        assert!(since.elapsed() < limit, "no coordinator of groups: {error}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The topic of calls, on the second broker alone.
async fn create(bootstrap: &str, topic: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let config = NewTopic::new(topic, 1, TopicReplication::Variable(&[&[2]]))
        .set("cleanup.policy", "compact");
    until("the topic is there", async || {
        let made = admin.create_topics([&config], &AdminOptions::new()).await.unwrap();
        made[0].is_ok()
    })
    .await;
}

/// Changes the stream of the feeds.
async fn change(url: &str, prefix: &str, change: impl Fn(&mut stream::Config, u64)) {
    let jetstream = jetstream::new(async_nats::connect(url).await.unwrap());
    let name = jetstream.stream_by_subject(format!("{prefix}.field.call.x")).await.unwrap();
    let stream = jetstream.get_stream(name).await.unwrap();
    let info = stream.cached_info();
    let mut config = info.config.clone();
    change(&mut config, info.state.bytes);
    jetstream.update_stream(config).await.unwrap();
}

#[async_trait(?Send)]
impl Fault for Bus {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alert(&self) -> &'static str {
        self.alert
    }

    fn address(&self) -> &str {
        match &self.what {
            What::Down(kafka)
            | What::NoLeader(kafka, _)
            | What::NoCoordinator(kafka, _)
            | What::NoTransactions(kafka) => kafka.bootstrap(),
            What::Full(address)
            | What::RegistryDown(address, _)
            | What::SchemaRefused(address, _) => address,
        }
    }

    async fn begin(&mut self, site: &mut Site) {
        let mut texts = field(site, &self.upstream.url(), &[]);
        match &self.what {
            What::NoLeader(kafka, _) => {
                create(kafka.bootstrap(), &format!("{}.field.call", site.prefix)).await;
            }
            What::RegistryDown(_, registry) => {
                texts.insert("schema.registry.url".to_owned(), registry.url().to_owned());
            }
            What::SchemaRefused(_, registry) => {
                texts.insert("schema.registry.url".to_owned(), registry.url().to_owned());
                let url = registry.url();
                let other = json!({"schema": r#"{"type":"record","name":"Other","fields":[{"name":"x","type":"int"}]}"#});
                let subject = format!("{url}/subjects/{}-2.field.call-value/versions", site.prefix);
                assert_eq!(probe::http("POST", &subject, &other.to_string()).unwrap().0, 200);
            }
            _ => {}
        }
        site.run_ready(0, &texts).await;
        site.pod(0).becomes("field/call", "up").await;
    }

    async fn strike(&mut self, site: &mut Site) {
        let address = self.address().to_owned();
        match &mut self.what {
            What::Down(kafka) => kafka.kill(),
            What::NoLeader(_, second) | What::NoCoordinator(_, second) => drop(second.take()),
            What::NoTransactions(_) => {
                let right = [(Resource::TransactionalId, Operation::Write)];
                allow(&address, "somebody", &site.prefix, &right);
            }
            What::Full(_) => {
                change(&address, &site.prefix, |config, bytes| {
                    config.max_bytes = i64::try_from(bytes).unwrap();
                    config.discard = stream::DiscardPolicy::New;
                })
                .await;
            }
            What::RegistryDown(_, registry) => registry.kill(),
            What::SchemaRefused(_, registry) => {
                // A release whose schema does not go with what is there.
                site.end(0).await;
                let mut texts = field(site, &self.upstream.url(), &[]);
                texts.insert("schema.registry.url".to_owned(), registry.url().to_owned());
                texts.insert("talon.prefix".to_owned(), format!("{}-2", site.prefix));
                site.run(0, &texts).await;
            }
        }
    }

    async fn mend(&mut self, site: &mut Site) {
        let address = self.address().to_owned();
        match &mut self.what {
            What::Down(kafka) => tokio::task::block_in_place(|| kafka.restart()),
            // Its data went with it.
            What::NoLeader(..) | What::NoCoordinator(..) => site.end(0).await,
            What::NoTransactions(_) => {
                let right = [(Resource::TransactionalId, Operation::Write)];
                allow(&address, "ANONYMOUS", &site.prefix, &right);
            }
            What::Full(_) => {
                change(&address, &site.prefix, |config, _| config.max_bytes = -1).await;
            }
            What::RegistryDown(_, registry) => tokio::task::block_in_place(|| registry.restart()),
            What::SchemaRefused(_, registry) => {
                let url = registry.url();
                let subject = format!("{url}/subjects/{}-2.field.call-value", site.prefix);
                probe::http("DELETE", &subject, "").unwrap();
                probe::http("DELETE", &format!("{subject}?permanent=true"), "").unwrap();
            }
        }
    }
}
