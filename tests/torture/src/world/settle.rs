//! What is looked at while a run goes on, and how it comes to rest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Connector, World};
use crate::check::check;
use crate::facts::{End, Facts, How, Issued, Sight};

/// Longest wait for anything more to settle in the end.
const PATIENCE: Duration = Duration::from_secs(120);
/// The same where other things are wrong that cannot settle.
const BESIDE_OTHERS: Duration = Duration::from_secs(15);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(250);
/// Between two looks at checkpoints while everything goes on.
const SIGHT: Duration = Duration::from_millis(1_500);

impl World {
    /// Looks at checkpoints and events, of one connector after another, while everything goes on.
    pub(super) async fn look(self: Arc<World>, mut stop: watch::Receiver<bool>) -> Vec<Vec<Sight>> {
        let mut sights = vec![Vec::new(); self.connectors.len()];
        let mut places = (0..self.connectors.len()).cycle();
        while tokio::time::timeout(SIGHT, stop.wait_for(|stop| *stop)).await.is_err() {
            // A broker that is away has nothing to look at.
            let Ok(_broker) = self.broker.try_lock() else { continue };
            let Some(place) = places.next() else { break };
            let Connector { subject, recorder, .. } = &self.connectors[place];
            sights[place].extend(recorder.sights(&**subject).await.unwrap_or_default());
        }
        sights
    }

    /// Whoever ended by itself is started again, and told.
    pub(super) async fn revive(&self) -> anyhow::Result<Vec<End>> {
        let mut ends = Vec::new();
        for (process, place) in self.places.iter().enumerate() {
            let mut place = place.lock().await;
            if let Some(status) = place.ended()? {
                ends.push(End { process, how: How::ByItself(status.to_string()) });
                place.start()?;
            }
        }
        Ok(ends)
    }

    /// Waits until nothing is due any more, or nothing that is wrong can mend itself. Gives the pages of
    /// the processes.
    pub(super) async fn settle(
        &self,
        issued: &[Vec<Issued>],
        sights: &[Vec<Sight>],
    ) -> anyhow::Result<Vec<(String, String)>> {
        let (mut since, mut least) = (Instant::now(), usize::MAX);
        let mut open: Vec<usize> = (0..self.connectors.len()).collect();
        loop {
            let mut due = 0;
            let mut still_open = Vec::new();
            for place in open {
                let facts = self.connectors[place].facts(&issued[place], &sights[place]).await?;
                let findings = check(&facts);
                let own = findings.iter().filter(|finding| finding.property.may_settle()).count();
                // What is due is waited for beside what stays wrong too, but not for as long.
                let is_worth_it = own == findings.len() || since.elapsed() < BESIDE_OTHERS;
                if own > 0 && is_worth_it {
                    still_open.push(place);
                    due += own;
                }
            }
            open = still_open;
            if due < least {
                // On a busy machine it takes long to do what is left, but less and less is left.
                (since, least) = (Instant::now(), due);
            }
            if open.is_empty() || since.elapsed() > PATIENCE {
                return Ok(self.pages().await);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn pages(&self) -> Vec<(String, String)> {
        let mut pages = Vec::new();
        for (number, place) in self.places.iter().enumerate() {
            for path in ["/", "/metrics", "/health/ready", "/health/live"] {
                if let Some(page) = place.lock().await.page(path).await {
                    pages.push((format!("`{path}` of process {number}"), page));
                }
            }
        }
        pages
    }

    /// Stops all processes when nothing is broken any more.
    pub(super) async fn stop_in_peace(&self) -> anyhow::Result<Vec<End>> {
        let mut ends = Vec::new();
        for (process, place) in self.places.iter().enumerate() {
            let mut place = place.lock().await;
            let how = match (place.ended()?, place.terminate().await?) {
                (Some(status), _) => How::ByItself(status.to_string()),
                (None, Some(status)) => How::InPeace(status.code()),
                (None, None) => How::Never,
            };
            ends.push(End { process, how });
        }
        Ok(ends)
    }
}

impl Connector {
    pub(super) async fn facts(&self, issued: &[Issued], sights: &[Sight]) -> anyhow::Result<Facts> {
        let mut facts = self.recorder.facts(&*self.subject).await?;
        facts.commands.issued = issued.to_vec();
        facts.sights = sights.to_vec();
        Ok(facts)
    }
}
