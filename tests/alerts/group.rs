//! Faults of those who share the work.

use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use talon_simulators::contractor::Simulator;

use crate::fault::Fault;
use crate::site::{Site, Texts};
use crate::support::{connect, until};
use crate::upstream::{contractor, field};

/// Names enough that one of two processes is assigned some that it does not know.
const OTHERS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn sharing(more: &[&str], site: &Site, url: &str, number: usize) -> Texts {
    let mut texts = field(site, url, &[]);
    if site.address.starts_with("nats://") {
        return texts;
    }
    let id = format!("{}-{number}", site.prefix);
    texts.insert("bus.kafka.group.instance.id".to_owned(), id);
    for other in more {
        let token = crate::support::TOKEN;
        let settings = [
            ("class", "contractor"),
            ("upstream.url", url),
            ("auth.external.token", token),
            ("feeds", "call"),
        ];
        connect(&mut texts, other, &settings);
    }
    texts
}

/// A process that is told of fewer connectors than the other one of its group.
pub(crate) struct NobodyOwns {
    address: String,
    upstream: Simulator,
}

impl NobodyOwns {
    pub(crate) async fn new(address: &str) -> NobodyOwns {
        NobodyOwns { address: address.to_owned(), upstream: contractor(0.0).await }
    }
}

#[async_trait(?Send)]
impl Fault for NobodyOwns {
    fn name(&self) -> &'static str {
        "nobody owns a connector"
    }

    fn alert(&self) -> &'static str {
        "TalonConnectorUnowned"
    }

    fn address(&self) -> &str {
        &self.address
    }

    async fn begin(&mut self, site: &mut Site) {
        let texts = sharing(&OTHERS, site, &self.upstream.url(), 0);
        site.run_ready(0, &texts).await;
    }

    async fn strike(&mut self, site: &mut Site) {
        let texts = sharing(&[], site, &self.upstream.url(), 1);
        site.run(1, &texts).await;
    }

    async fn mend(&mut self, site: &mut Site) {
        site.end(1).await;
    }
}

/// Two releases with one prefix.
pub(crate) struct TwoGroups {
    address: String,
    upstream: Simulator,
}

impl TwoGroups {
    pub(crate) async fn new(address: &str) -> TwoGroups {
        TwoGroups { address: address.to_owned(), upstream: contractor(2.0).await }
    }
}

#[async_trait(?Send)]
impl Fault for TwoGroups {
    fn name(&self) -> &'static str {
        "two groups fight"
    }

    fn alert(&self) -> &'static str {
        "TalonConnectorContended"
    }

    fn address(&self) -> &str {
        &self.address
    }

    async fn begin(&mut self, site: &mut Site) {
        let texts = sharing(&[], site, &self.upstream.url(), 0);
        site.run_ready(0, &texts).await;
    }

    async fn strike(&mut self, site: &mut Site) {
        let mut texts = sharing(&[], site, &self.upstream.url(), 1);
        texts.insert("talon.group".to_owned(), format!("{}-other", site.prefix));
        site.run(1, &texts).await;
    }

    async fn mend(&mut self, site: &mut Site) {
        site.end(1).await;
    }
}

/// Another program's transaction is open on a topic that is read back.
pub(crate) struct EndlessRecovery {
    address: String,
    upstream: Simulator,
    foreign: Option<BaseProducer>,
}

impl EndlessRecovery {
    pub(crate) async fn new(address: &str) -> EndlessRecovery {
        let upstream = contractor(0.5).await;
        EndlessRecovery { address: address.to_owned(), upstream, foreign: None }
    }
}

#[async_trait(?Send)]
impl Fault for EndlessRecovery {
    fn name(&self) -> &'static str {
        "recovery that does not end"
    }

    fn alert(&self) -> &'static str {
        "TalonRecoveryStuck"
    }

    fn address(&self) -> &str {
        &self.address
    }

    async fn begin(&mut self, site: &mut Site) {
        let texts = field(site, &self.upstream.url(), &[]);
        site.run_ready(0, &texts).await;
    }

    async fn strike(&mut self, site: &mut Site) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("transactional.id", format!("{}-foreign", site.prefix))
            .set("transaction.timeout.ms", "900000")
            .create()
            .unwrap();
        let limit = Duration::from_secs(60);
        producer.init_transactions(limit).unwrap();
        producer.begin_transaction().unwrap();
        let topic = format!("{}.field.call", site.prefix);
        producer.send(BaseRecord::to(&topic).key("k").payload("v")).map_err(|(e, _)| e).unwrap();
        until("the record is there", async || {
            producer.poll(Duration::from_millis(10));
            producer.in_flight_count() == 0
        })
        .await;
        self.foreign = Some(producer);
        site.end(0).await;
        let texts = field(site, &self.upstream.url(), &[]);
        site.run(0, &texts).await;
    }

    async fn mend(&mut self, _: &mut Site) {
        if let Some(producer) = self.foreign.take() {
            producer.abort_transaction(Duration::from_secs(60)).unwrap();
        }
    }
}
