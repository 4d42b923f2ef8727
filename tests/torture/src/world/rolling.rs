//! All processes are replaced one after another, as a deployment does it, and measured.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::clock::now_ms;
use super::{SchemaRegistry, World};
use crate::facts::{End, Rolling, Said, What};
use crate::proxy::Proxy;
use crate::scenario::{Line, Wire};

/// Longest wait for all of it to settle.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(500);

impl World {
    /// Every process is rolled as soon as the one before is ready. Opening a connector takes about
    /// `opening_ms` meanwhile: on Kafka because what is read back comes over a narrow line, on NATS, where
    /// everything shares a connection, because the schema registry is slow.
    pub(super) async fn rolling(&self, opening_ms: u64) -> anyhow::Result<Vec<End>> {
        self.slow_down(opening_ms).await?;
        let (since, since_ms) = (Instant::now(), now_ms());
        let mut ends = Vec::new();
        for process in 0..self.places.len() {
            ends.extend(self.roll(process).await?);
            while !self.places[process].lock().await.is_ready().await && since.elapsed() < PATIENCE
            {
                tokio::time::sleep(GLANCE).await;
            }
        }
        let mut settled = None;
        while since.elapsed() < PATIENCE {
            let at = since.elapsed();
            // Twice in a row, so that nothing is about to change.
            if self.is_settled().await {
                tokio::time::sleep(GLANCE).await;
                if self.is_settled().await {
                    settled = Some(at);
                    break;
                }
            }
            tokio::time::sleep(GLANCE).await;
        }
        self.lines.values().flat_map(|(_, lines)| lines).for_each(Proxy::mend);
        if let SchemaRegistry::Memory(registry, _) = &self.registry {
            registry.set_delay(Duration::ZERO);
        }
        let mut said = Vec::new();
        for (process, place) in self.places.iter().enumerate() {
            said.extend(place.lock().await.said(process));
        }
        said.retain(|one| one.at_ms >= since_ms);
        let settled_ms = settled.map(|settled| settled.as_millis() as u64);
        let rolling = Rolling { settled_ms, ..measured(&said) };
        *self.rolling.lock().unwrap_or_else(PoisonError::into_inner) = Some(rolling);
        Ok(ends)
    }

    async fn slow_down(&self, opening_ms: u64) -> anyhow::Result<()> {
        if let SchemaRegistry::Memory(registry, _) = &self.registry {
            let feeds = self.connectors.iter().map(|one| one.subject.feeds().len()).max();
            // A look and a registration for each feed, one after another.
            let requests = 2 * feeds.unwrap_or(1).max(1) as u64;
            registry.set_delay(Duration::from_millis(opening_ms / requests));
            return Ok(());
        }
        let mut bytes = Vec::new();
        for connector in &self.connectors {
            bytes.push(connector.recorder.bytes(&*connector.subject).await? as u64);
        }
        bytes.sort_unstable();
        // Bytes in a millisecond are kilobytes in a second.
        let narrow = Wire::Narrow((bytes[bytes.len() / 2] / opening_ms.max(1)).max(1));
        for (line, (_, proxies)) in &self.lines {
            if matches!(line, Line::Broker(_)) {
                proxies.iter().for_each(|proxy| proxy.fail(narrow));
            }
        }
        Ok(())
    }
}

/// What the logs tell of a rolling restart.
fn measured(said: &[Said]) -> Rolling {
    let mut rolling = Rolling::default();
    let mut starting: HashMap<(usize, usize, &str), i64> = HashMap::new();
    let mut moves: BTreeMap<String, usize> = BTreeMap::new();
    for Said { process, life, at_ms, what } in said {
        match what {
            What::Starting(connector) => {
                starting.insert((*process, *life, connector), *at_ms);
            }
            What::StandingBy(connector) => {
                starting.remove(&(*process, *life, connector.as_str()));
            }
            What::Recovered { connector, took_ms, .. } => {
                *moves.entry(connector.clone()).or_default() += 1;
                rolling.recoveries_ms.push(*took_ms);
                let since = starting.remove(&(*process, *life, connector.as_str()));
                rolling.openings_ms.extend(since.map(|since| at_ms - since));
            }
            What::StoodStill(_) => rolling.stood_still += 1,
            What::Fenced(_) => rolling.fenced += 1,
            What::HeldTooLong(_) => {}
        }
    }
    rolling.moves = moves;
    rolling.recoveries_ms.sort_unstable();
    rolling.openings_ms.sort_unstable();
    rolling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_and_times_are_counted_from_what_the_processes_say() {
        let says = |process, at_ms, what| Said { process, life: 0, at_ms, what };
        let field = || "field".to_owned();
        let recovered = |took_ms| What::Recovered { connector: field(), entities: 1, took_ms };
        let rolling = measured(&[
            says(0, 100, What::Starting(field())),
            says(0, 700, recovered(500)),
            says(1, 0, What::Starting(field())),
            says(1, 50, What::StandingBy(field())),
            says(1, 800, What::Starting(field())),
            says(1, 1_000, recovered(90)),
            says(1, 1_100, What::StoodStill("still".to_owned())),
            says(1, 1_200, What::Fenced("fenced".to_owned())),
        ]);
        assert_eq!(rolling.moves, [(field(), 2)].into());
        assert_eq!(rolling.recoveries_ms, [90, 500]);
        assert_eq!(rolling.openings_ms, [200, 600]);
        assert_eq!((rolling.stood_still, rolling.fenced), (1, 1));
    }
}
