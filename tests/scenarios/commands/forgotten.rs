//! A broker that has forgotten what of the commands is settled, as Kafka does after a quiet week.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::Offset;
use serde_json::json;
use talon_brokers::unique;

use crate::cases::{Stage, bring};
use crate::support::results::outcomes;
use crate::support::{On, Talon, until};
use crate::world::{WITH_USER, simulator_settings, world_with};
use crate::{carrying, results};

const PATIENCE: Duration = Duration::from_secs(30);
const HOUR_MS: i64 = 3_600_000;

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_what_may_have_been_run_before_offsets_were_lost_is_not_run_again_on_kafka() {
    let Some(address) = On::Kafka.shared("forgotten") else { return };
    let world = world_with(simulator_settings(), WITH_USER).await;
    let call = bring(&world, Stage::Committed).await.call;
    let prefix = unique("forgotten");
    let mut texts = carrying(&prefix, address, &world.sim.url());
    let reach = "connectors.field.commands.ledger.retention.ms".to_owned();
    texts.insert(reach, HOUR_MS.to_string());
    let kept = "connectors.field.topic.creation.commands.retention.ms".to_owned();
    texts.insert(kept, HOUR_MS.to_string());
    let topic = format!("{prefix}.field.commands");
    let put = |id: &str, at_ms: i64| {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", address).set("partitioner", "murmur2_random");
        let producer: BaseProducer = client.create().unwrap();
        let params = json!({"call_id": call, "message": id});
        let command = json!({"id": id, "type": "SendMessage", "params": params}).to_string();
        let key = call.to_string();
        let record = BaseRecord::to(&topic).key(&key).payload(&command).timestamp(at_ms);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    };
    let settled = async |ids: &[&str]| {
        until("all have their outcomes", async || {
            let results = results(address, &prefix);
            ids.iter().all(|id| outcomes(&results).contains_key(id))
        })
        .await;
    };
    let now = jiff::Timestamp::now().as_millisecond();

    let mut talon = Talon::run(&texts);
    talon.ready().await;
    put("before", now);
    settled(&["before"]).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());

    let group = format!("{prefix}.field.commands");
    forget(address, &group).await;
    put("old", now - 2 * HOUR_MS);
    put("young", now);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(&["old", "young"]).await;

    let results = results(address, &prefix);
    let words = |id: &str| -> Vec<&str> {
        outcomes(&results)[id].iter().filter_map(|result| result.outcome.as_deref()).collect()
    };
    assert_eq!(words("before"), ["APPLIED"]);
    assert_eq!(words("old"), ["UNKNOWN"]);
    assert_eq!(words("young"), ["APPLIED"]);
    assert_eq!(world.effects("POST /call/{id}/message"), 2);
    // All of it is behind what is committed now, in the partition of this key.
    until("the place is known again", async || committed(address, &group, &topic) == 3).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
}

async fn forget(address: &str, group: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
    for deleted in admin.delete_groups(&[group], &AdminOptions::new()).await.unwrap() {
        deleted.unwrap();
    }
}

/// The committed offsets of all partitions together.
fn committed(address: &str, group: &str, topic: &str) -> i64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", group)
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let mut wanted = rdkafka::TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        wanted.add_partition(topic, partition.id());
    }
    let committed = consumer.committed_offsets(wanted, PATIENCE).unwrap();
    let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
    committed.elements().iter().map(|element| offset(element.offset())).sum()
}
