//! The processes that a fault happens to.

use std::collections::BTreeMap;
use std::sync::Arc;

use talon_brokers::unique;

use crate::stage::Stage;
use crate::support::{self, Talon};

/// A place of its own on a bus, and the processes there.
pub(crate) struct Site {
    pub(crate) stage: Arc<Stage>,
    /// As Prometheus knows it.
    pub(crate) job: String,
    pub(crate) prefix: String,
    pub(crate) address: String,
    pods: BTreeMap<usize, Talon>,
}

/// Settings of a connector or of the process.
pub(crate) type Texts = BTreeMap<String, String>;

impl Site {
    pub(crate) fn new(stage: &Arc<Stage>, fault: &str, address: &str) -> Site {
        let job = fault.replace([' ', ','], "-");
        Site {
            stage: stage.clone(),
            prefix: unique(&job).to_lowercase(),
            job,
            address: address.to_owned(),
            pods: BTreeMap::new(),
        }
    }

    /// A configuration without connectors. Times are those of production.
    pub(crate) fn process(&self) -> Texts {
        let mut texts = support::process(&self.prefix, &self.address);
        texts.remove("bus.nats.lease.ttl.ms");
        texts
    }

    /// Starts a process in place of the one that had this number.
    pub(crate) async fn run(&mut self, number: usize, texts: &Texts) {
        self.pods.insert(number, Talon::run(texts));
        self.expose().await;
    }

    /// The same, and waits until it is ready.
    pub(crate) async fn run_ready(&mut self, number: usize, texts: &Texts) {
        self.run(number, texts).await;
        self.pod(number).ready().await;
    }

    pub(crate) fn pod(&mut self, number: usize) -> &mut Talon {
        self.pods.get_mut(&number).unwrap()
    }

    /// Ends a process in order. Its target goes with it, as that of a pod.
    pub(crate) async fn end(&mut self, number: usize) {
        if let Some(mut pod) = self.pods.remove(&number) {
            self.expose().await;
            pod.terminate().await;
        }
    }

    /// Ends a process in order and waits until Prometheus has forgotten it, which looks for its targets every few
    /// seconds, whatever it is told.
    pub(crate) async fn retire(&mut self, number: usize) {
        let instance = self.instance(number);
        self.end(number).await;
        self.stage.forgotten(&self.job, &instance).await;
    }

    fn instance(&self, number: usize) -> String {
        format!("{}-{number}", self.job)
    }

    async fn expose(&mut self) {
        let mut processes = Vec::new();
        for (number, pod) in &mut self.pods {
            let address = pod.url().await.replace("http://", "");
            processes.push((format!("{}-{number}", self.job), address));
        }
        self.stage.expose(&self.job, &processes);
    }
}
