//! What the processes say of themselves over HTTP.

use super::{Connector, World};
use crate::process::Process;
use crate::said;
use crate::subject::Subject;

/// State of a component that works.
const UP: &str = "up";
/// Entities of a feed, by connector.
const ENTITIES: &str = "talon_feed_entities";
/// Age of what is committed of a feed, by connector.
const FRESHNESS: &str = "talon_feed_freshness_seconds";
/// 1 where a process has the connector.
const OWNED: &str = "talon_shard_owned";

/// How many entities a subject's feeds have.
pub(super) fn expected_entities(subject: &dyn Subject) -> anyhow::Result<usize> {
    subject.feeds().iter().map(|feed| Ok(subject.truth(feed.name)?.len())).sum()
}

impl World {
    /// How many entities of the connector the process knows where it works; `None` where it works nowhere.
    pub(super) async fn entities_where_up(&self, connector: &Connector) -> Option<usize> {
        for place in &self.places {
            let place = place.lock().await;
            if is_up(&place, connector).await {
                let metrics = place.page("/metrics").await?;
                return Some(sum(&metrics, ENTITIES, &connector.instance.name) as usize);
            }
        }
        None
    }

    /// What the process that has the connector says of the age of a feed; `None` where none has it.
    pub(super) async fn freshness_ms(&self, connector: &str, feed: &str) -> Option<i64> {
        for place in &self.places {
            let Some(metrics) = place.lock().await.page("/metrics").await else { continue };
            if sum(&metrics, OWNED, connector) > 0.0 {
                let label = format!("feed=\"{feed}\"");
                let lines = metrics.lines().filter(|line| line.contains(&label));
                let own: Vec<&str> = lines.collect();
                return Some((sum(&own.join("\n"), FRESHNESS, connector) * 1_000.0) as i64);
            }
        }
        None
    }

    /// When the connector was taken over last, in ms of Unix time.
    pub(super) async fn taken_over_ms(&self, connector: &str) -> i64 {
        let mut last = 0;
        for (process, place) in self.places.iter().enumerate() {
            let said = place.lock().await.said(process);
            let recoveries = said::recoveries(&said, connector);
            last = recoveries.iter().map(|recovery| recovery.at_ms).fold(last, i64::max);
        }
        last
    }

    /// True if all processes run, and each connector is up in exactly one of them.
    pub(super) async fn is_settled(&self) -> bool {
        let mut pages = Vec::new();
        for place in &self.places {
            let Some(metrics) = place.lock().await.page("/metrics").await else { return false };
            pages.push(metrics);
        }
        for connector in &self.connectors {
            let mut owners = 0;
            for (place, metrics) in self.places.iter().zip(&pages) {
                let owns = sum(metrics, OWNED, &connector.instance.name) > 0.0;
                let place = place.lock().await;
                owners += usize::from(owns && is_up(&place, connector).await);
            }
            if owners != 1 {
                return false;
            }
        }
        true
    }
}

/// True if a process runs the connector, and its commands where it has some.
async fn is_up(place: &Process, connector: &Connector) -> bool {
    let name = &connector.instance.name;
    let lane = format!("{name}/commands");
    let is_up = async |component: &str| place.state(component).await.as_deref() == Some(UP);
    is_up(name).await && (!connector.subject.has_commands() || is_up(&lane).await)
}

/// The sum of a metric over all that it is told of a connector.
fn sum(metrics: &str, name: &str, connector: &str) -> f64 {
    let label = format!("connector=\"{connector}\"");
    let values = metrics.lines().filter_map(|line| {
        let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.split_once('}')?;
        labels.split(',').any(|one| one == label).then(|| value.trim().parse::<f64>().ok())?
    });
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_the_feeds_of_a_connector() {
        let metrics = "# HELP talon_feed_entities Entities in the index.\n\
                       talon_feed_entities{connector=\"field1\",feed=\"a\"} 3\n\
                       talon_feed_entities{connector=\"field1\",feed=\"b\"} 4\n\
                       talon_feed_entities{connector=\"field10\",feed=\"a\"} 50\n\
                       talon_feed_entities_else{connector=\"field1\"} 600\n";
        assert_eq!(sum(metrics, ENTITIES, "field1"), 7.0);
        assert_eq!(sum(metrics, ENTITIES, "field2"), 0.0);
    }
}
