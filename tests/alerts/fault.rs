//! What happens, and how it is seen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::site::Site;
use crate::stage::Stage;
use crate::support::PATIENCE;

/// One way in which something goes wrong.
#[async_trait(?Send)]
pub(crate) trait Fault {
    /// As the table names it.
    fn name(&self) -> &'static str;
    /// The alert that tells this fault.
    fn alert(&self) -> &'static str;
    /// How many scrapes its alert must have seen before.
    fn scrapes(&self) -> usize {
        0
    }
    /// Where the processes work.
    fn address(&self) -> &str;
    /// Starts what it happens to, and waits until that works.
    async fn begin(&mut self, site: &mut Site);
    /// Brings it in.
    async fn strike(&mut self, site: &mut Site);
    /// Takes it away.
    async fn mend(&mut self, site: &mut Site);
}

/// A line of the table.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) alert: &'static str,
    /// From the fault to the alert; none where it was not seen.
    pub(crate) seen: Option<Duration>,
    /// What the alert said.
    pub(crate) summary: String,
    /// The others that fired while the fault was there.
    pub(crate) others: BTreeSet<String>,
    /// What fired before the fault.
    pub(crate) before: BTreeSet<String>,
    /// From the mending until nothing fired any more; none where something still did.
    pub(crate) cleared: Option<Duration>,
}

impl Row {
    pub(crate) fn unseen(fault: &'static str, alert: &'static str) -> Row {
        let (others, before) = (BTreeSet::new(), BTreeSet::new());
        let (seen, cleared) = (None, None);
        Row { fault, alert, seen, summary: String::new(), others, before, cleared }
    }
}

/// How long a fault is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    /// Scrapes before the fault.
    pub(crate) scrapes: usize,
    /// The fault stays for so long at least, so that the other alerts that it sets off are seen.
    pub(crate) stays: Duration,
    /// The alert is waited for so long.
    pub(crate) limit: Duration,
    /// And its end for so long.
    pub(crate) clears: Duration,
}

/// Lives through a fault.
pub(crate) async fn live_through(
    mut fault: Box<dyn Fault>,
    stage: &Arc<Stage>,
    watch: Watch,
) -> Row {
    let mut site = Site::new(stage, fault.name(), fault.address());
    fault.begin(&mut site).await;
    let begun = Instant::now();
    stage.scraped(&site.job, watch.scrapes.max(fault.scrapes())).await;
    let names = |fired: Vec<(crate::stage::Firing, Duration)>| {
        fired.into_iter().map(|(one, _)| one.alert).collect::<BTreeSet<_>>()
    };
    let before = names(stage.fired(&site.job, begun));
    eprintln!("{}: brought in; before it {before:?}", fault.name());
    let struck = Instant::now();
    fault.strike(&mut site).await;
    let (mut seen, mut summary) = (None, String::new());
    while struck.elapsed() < watch.limit && seen.is_none() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let fired = stage.fired(&site.job, struck);
        if let Some((one, took)) = fired.into_iter().find(|(one, _)| one.alert == fault.alert()) {
            (seen, summary) = (Some(took), one.summary);
        }
    }
    tokio::time::sleep(watch.stays.saturating_sub(struck.elapsed())).await;
    let mut others = names(stage.fired(&site.job, struck));
    others.remove(fault.alert());
    eprintln!("{}: seen after {seen:?}, beside {others:?}; taken away", fault.name());
    let mended = Instant::now();
    fault.mend(&mut site).await;
    let mut cleared = None;
    while cleared.is_none() && mended.elapsed() < watch.clears {
        tokio::time::sleep(Duration::from_millis(250)).await;
        cleared = stage.firing(&site.job).is_empty().then(|| mended.elapsed());
    }
    eprintln!("{}: cleared after {cleared:?}: {:?}", fault.name(), stage.firing(&site.job));
    Row { fault: fault.name(), alert: fault.alert(), seen, summary, others, before, cleared }
}

impl Watch {
    /// As short as it can be.
    pub(crate) fn short() -> Watch {
        Watch { scrapes: 3, stays: Duration::ZERO, limit: PATIENCE, clears: Duration::ZERO }
    }
}
