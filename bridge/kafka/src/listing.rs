//! Which topics are there, asked once for all connectors that open at the same time.
//!
//! A broker answers with all topics or with one, so many connectors that wait for theirs, each for
//! itself, would keep it from making them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};

use crate::client::Watch;
use crate::patience::PATIENCE;

/// Names of the topics all whose partitions have a leader.
pub(crate) type Names = Arc<HashSet<String>>;

/// The newest answer.
#[derive(Debug, Default)]
pub(crate) struct Listing(Mutex<Option<Listed>>);

#[derive(Debug)]
struct Listed {
    /// When the broker was asked.
    asked: Instant,
    /// Also a failure is everybody's: each would wait as long for its own.
    names: Result<Names, KafkaError>,
}

impl Listing {
    /// What the broker says when it is asked at `since` or later. Who comes while another one asks waits
    /// for that. Blocks.
    pub(crate) fn since(
        &self,
        producer: &BaseProducer<Watch>,
        since: Instant,
    ) -> Result<Names, KafkaError> {
        self.get(since, || ask(producer))
    }

    fn get(
        &self,
        since: Instant,
        ask: impl FnOnce() -> Result<Names, KafkaError>,
    ) -> Result<Names, KafkaError> {
        let mut listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = &*listed
            && listed.asked >= since
        {
            return listed.names.clone();
        }
        let asked = Instant::now();
        let names = ask();
        *listed = Some(Listed { asked, names: names.clone() });
        names
    }
}

fn ask(producer: &BaseProducer<Watch>) -> Result<Names, KafkaError> {
    let metadata = producer.client().fetch_metadata(None, PATIENCE)?;
    let ready = metadata.topics().iter().filter(|topic| {
        topic.error().is_none()
            && topic.partitions().iter().all(|partition| partition.leader() >= 0)
    });
    Ok(Arc::new(ready.map(|topic| topic.name().to_owned()).collect()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use rdkafka::error::RDKafkaErrorCode::BrokerTransportFailure;

    use super::*;

    #[test]
    fn the_broker_is_asked_once_for_all_who_wait_also_where_it_does_not_answer() {
        let failure = Err(KafkaError::MetadataFetch(BrokerTransportFailure));
        for answer in [Ok(Arc::new(HashSet::from(["a".to_owned()]))), failure] {
            let (listing, asked) = (Listing::default(), AtomicUsize::new(0));
            let since = Instant::now();
            thread::scope(|scope| {
                for _ in 0..50 {
                    scope.spawn(|| {
                        let names = listing.get(since, || {
                            asked.fetch_add(1, Ordering::Relaxed);
                            answer.clone()
                        });
                        assert_eq!(names, answer);
                    });
                }
            });
            assert_eq!(asked.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn an_answer_from_before_is_not_taken() {
        let listing = Listing::default();
        let named = |name: &str| Ok(Arc::new(HashSet::from([name.to_owned()])));
        let first = Instant::now();
        assert_eq!(listing.get(first, || named("a")), named("a"));
        assert_eq!(listing.get(first, || named("b")), named("a"));
        let later = Instant::now() + Duration::from_millis(1);
        assert_eq!(listing.get(later, || named("b")), named("b"));
    }
}
