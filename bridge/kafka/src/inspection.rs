//! Looks at the topics of all connectors of a process, with clients that are made once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use talon_runtime::bus::{BusFault, ConnectorTopics, TopicSpec};
use tokio::runtime::Handle;

use crate::client::{EARSHOT, refused};
use crate::cluster::Cluster;
use crate::open_transactions::{Askers, OpenTransactions};
use crate::policy::{Policy, policies};

/// What looks at the topics of a process.
#[derive(Default)]
pub(crate) struct Inspection {
    clients: Mutex<Option<Clients>>,
    open_transactions: OpenTransactions,
}

/// The clients that look, for as long as the credentials are the same.
struct Clients {
    version: u64,
    admin: AdminClient<DefaultClientContext>,
    askers: Askers,
}

impl Inspection {
    /// What the topics of each connector lose, and what holds up its commands.
    pub(crate) fn look(
        &self,
        cluster: &Cluster,
        connectors: &[ConnectorTopics],
    ) -> Result<Vec<Vec<String>>, BusFault> {
        let mut kept = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let clients = match kept.take() {
            Some(clients) if clients.version == cluster.version() => kept.insert(clients),
            old => {
                // An admin client takes 100 ms to close.
                thread::spawn(move || drop(old));
                kept.insert(Clients::new(cluster)?)
            }
        };
        let names: BTreeSet<&str> =
            connectors.iter().flat_map(topics).map(|topic| topic.name.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let policies = Handle::current().block_on(policies(&clients.admin, &names))?;
        let lanes: Vec<&str> = connectors.iter().filter_map(commands).collect();
        // Whether they can be asked says nothing of the policies.
        let held_up = self.open_transactions.look(&clients.askers, &lanes).unwrap_or_default();
        clients.askers.hear();
        Ok(connectors.iter().map(|connector| told(connector, &policies, &held_up)).collect())
    }
}

impl Clients {
    fn new(cluster: &Cluster) -> Result<Clients, BusFault> {
        let version = cluster.version();
        let config = cluster.config();
        let admin = config.create().map_err(|error| refused(&config, &error))?;
        let asker = |isolation: &str| -> Result<BaseConsumer, BusFault> {
            let mut config: ClientConfig = cluster.config();
            config.set("isolation.level", isolation);
            config.create().map_err(|error| refused(&config, &error))
        };
        let (committed, all) = (asker("read_committed")?, asker("read_uncommitted")?);
        Ok(Clients { version, admin, askers: Askers { committed, all } })
    }
}

impl Askers {
    /// Takes what the clients have to say, which would pile up: that brokers are away, which is noticed
    /// elsewhere.
    fn hear(&self) {
        for consumer in [&self.committed, &self.all] {
            // As much as comes between two looks, and no more than is told while it is listened to.
            (0..100).take_while(|_| consumer.poll(EARSHOT).is_some()).count();
        }
    }
}

/// The topics of a connector whose settings matter.
fn topics(connector: &ConnectorTopics) -> impl Iterator<Item = &TopicSpec> {
    let ConnectorTopics { shard, lane } = connector;
    let of_lane = lane.iter().flat_map(|lane| [&lane.commands, &lane.results]);
    shard.topics.iter().chain([&shard.checkpoints]).chain(of_lane)
}

fn commands(connector: &ConnectorTopics) -> Option<&str> {
    connector.lane.as_ref().map(|lane| lane.commands.name.as_str())
}

fn told(
    connector: &ConnectorTopics,
    policies: &HashMap<String, Policy>,
    held_up: &HashMap<&str, Vec<String>>,
) -> Vec<String> {
    let mut told = Vec::new();
    for topic in topics(connector) {
        let losses = policies.get(&topic.name).map(|policy| policy.losses(topic));
        let name = &topic.name;
        told.extend(losses.into_iter().flatten().map(|loss| format!("topic `{name}`: {loss}")));
    }
    let waits = commands(connector).and_then(|topic| held_up.get(topic));
    told.extend(waits.into_iter().flatten().cloned());
    told
}
