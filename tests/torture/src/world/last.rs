//! What is looked at when all processes have ended.

use std::sync::PoisonError;

use super::World;
use crate::facts::{Facts, Issued, Said, Sight};
use crate::said;
use crate::scenario::{History, Topics};

impl World {
    /// What the processes told: beside `told`, which was taken while they ran, what is in their logs. The
    /// facts lack how they ended, and what may not be told. Gives the logs as well.
    pub(super) async fn told_by_processes(
        &self,
        told: Vec<(String, String)>,
    ) -> (Facts, Vec<String>) {
        let mut facts = Facts {
            told,
            disturbances: self.disturbances(),
            stuck: self.stuck.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            rolling: self.rolling.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            ..Facts::default()
        };
        let mut logs = Vec::new();
        for (process, place) in self.places.iter().enumerate() {
            let place = place.lock().await;
            let log = place.log();
            facts.told.push((format!("the log of process {process}"), log.clone()));
            facts.said.extend(place.said(process));
            logs.push(log);
        }
        (facts, logs)
    }

    /// Everything that was shown of the connector at this place.
    pub(super) async fn last_look(
        &self,
        place: usize,
        history: &History,
        said: &[Said],
        issued: &[Issued],
        mut sights: Vec<Sight>,
    ) -> anyhow::Result<Facts> {
        let connector = &self.connectors[place];
        sights.extend(connector.recorder.sights(&*connector.subject).await?);
        let mut facts = connector.facts(issued, &sights).await?;
        facts.commands.read_again = history.changes_offsets();
        let adds_partitions =
            |topics| history.adds_partitions(topics, place, self.connectors.len());
        // A key that is in two partitions may be read back from either, or anew from the upstream.
        if !adds_partitions(Topics::Feeds) {
            facts.recoveries = said::recoveries(said, &connector.instance.name);
        }
        if adds_partitions(Topics::Commands) && connector.subject.has_commands() {
            let partitions = connector.recorder.partitions_of_commands().await?;
            for issued in &mut facts.commands.issued {
                issued.partition = partitions.get(&issued.id).copied().unwrap_or(0);
            }
        }
        Ok(facts)
    }
}
