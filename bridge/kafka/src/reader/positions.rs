//! Reading on until positions have reached what is to be read.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use talon_runtime::bus::{BusFault, Grant, Stall};

use super::topic::Topic;
use crate::fault::fault_of;
use crate::patience::PATIENCE;

/// One wait for records.
const WAIT: Duration = Duration::from_millis(20);

/// While records come in, the grant is looked at after so many.
const RECORDS_PER_LOOK: u32 = 256;

/// Where partitions end, by the place of their topic and their number.
pub(crate) type Ends = BTreeMap<(usize, i32), i64>;

/// Reads what is assigned until all ends are reached, or `each` says no; whether they were reached.
pub(crate) fn to_ends(
    topics: &[Topic],
    grant: &Grant,
    consumer: &BaseConsumer,
    mut ends: Ends,
    each: &mut dyn FnMut(usize, &BorrowedMessage<'_>) -> Result<bool, BusFault>,
) -> Result<bool, BusFault> {
    let mut stall = Stall::at(0);
    let mut records = 0_u32;
    loop {
        grant.may_begin()?;
        loop {
            match consumer.poll(WAIT) {
                Some(Ok(message)) => {
                    records = records.wrapping_add(1);
                    let topic = topics.iter().position(|topic| topic.name == message.topic());
                    if let Some(topic) = topic
                        && !each(topic, &message)?
                    {
                        return Ok(false);
                    }
                    if records.is_multiple_of(RECORDS_PER_LOOK) {
                        stall.see(-i64::from(records));
                        break;
                    }
                }
                None | Some(Err(KafkaError::PartitionEOF(_))) => {
                    stall.see(reached(topics, consumer, &mut ends)?);
                    if ends.is_empty() {
                        return Ok(true);
                    }
                    if is_over(&stall) {
                        return Err(stalled(topics, &ends));
                    }
                    break;
                }
                Some(Err(error)) => match fault_of(&error) {
                    BusFault::Unavailable(_) if !is_over(&stall) => break,
                    fault => return Err(fault),
                },
            }
        }
    }
}

fn is_over(stall: &Stall) -> bool {
    stall.time() > PATIENCE
}

/// Takes out the partitions that are read to their ends; the sum of all positions.
fn reached(topics: &[Topic], consumer: &BaseConsumer, ends: &mut Ends) -> Result<i64, BusFault> {
    let positions = consumer.position().map_err(|error| fault_of(&error))?;
    let mut sum = 0;
    for element in positions.elements() {
        let Offset::Offset(position) = element.offset() else { continue };
        sum += position;
        let name = element.topic();
        if let Some(topic) = topics.iter().position(|topic| topic.name == name) {
            let place = (topic, element.partition());
            if ends.get(&place).is_some_and(|end| position >= *end) {
                ends.remove(&place);
            }
        }
    }
    Ok(sum)
}

fn stalled(topics: &[Topic], ends: &Ends) -> BusFault {
    let Some(((topic, number), end)) = ends.iter().next() else {
        return BusFault::Unavailable("Kafka: reading back stalls".to_owned());
    };
    let name = &topics[*topic].name;
    BusFault::Unavailable(format!(
        "Kafka: reading back stalls: partition {number} of the topic `{name}` does not give what stands before its end at {end}; the broker does not answer, or a transaction of another producer is open there"
    ))
}
