//! A connector's own codecs, as its settings make them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use prometheus::Registry;
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Context, Row, RowCodec, UpstreamMetrics};

/// The codecs of all feeds that the settings switch on.
pub(super) struct Codecs(BTreeMap<Arc<str>, Arc<dyn RowCodec>>);

impl Codecs {
    /// Those of a connector with these settings.
    pub(super) fn of(class: &dyn Class, settings: Vec<(String, String)>) -> anyhow::Result<Codecs> {
        let (keys, secrets) = (class.keys(), Secrets::Resolve(Arc::default()));
        let mut texts: BTreeMap<_, _> = settings.into_iter().collect();
        // Those are the runtime's.
        texts.retain(|name, _| keys.iter().any(|key| key.is_of(name)));
        let mut settings = Settings::new("", &keys, texts, &secrets);
        let metrics = UpstreamMetrics::register(&Registry::new())?;
        let context = Context { name: "truth".to_owned(), clock: Clock::System, metrics };
        let connector = class.configure(&mut settings, context);
        let problems = settings.into_problems();
        let connector = connector.with_context(|| format!("wrong settings: {problems:?}"))?;
        let plans = connector.feeds().into_iter();
        Ok(Codecs(plans.map(|plan| (plan.spec.name.clone(), plan.codec)).collect()))
    }

    /// A row, encoded.
    pub(super) fn datum(&self, feed: &str, row: &[u8], scope: &str) -> anyhow::Result<Vec<u8>> {
        let mut out = Row::default();
        let decoded = self.codec(feed)?.decode(row, scope, &mut out);
        decoded.with_context(|| format!("a row of `{feed}` that its codec does not read"))?;
        Ok(out.value)
    }

    /// The facts that a row tells, encoded, by their keys.
    pub(super) fn facts(
        &self,
        feed: &str,
        row: &[u8],
        scope: &str,
    ) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let facts = self.codec(feed)?.facts();
        let facts = facts.with_context(|| format!("`{feed}` has no facts"))?;
        let mut out = Row::default();
        let decoded = self.codec(facts.told_by())?.decode(row, scope, &mut out);
        decoded.with_context(|| {
            format!("a row of `{}` that its codec does not read", facts.told_by())
        })?;
        ensure!(out.facts.faults().is_empty(), "a fact of `{feed}` that its codec does not read");
        Ok(out.facts.iter().map(|fact| (fact.key.clone(), fact.value.clone())).collect())
    }

    fn codec(&self, feed: &str) -> anyhow::Result<&Arc<dyn RowCodec>> {
        self.0.get(feed).ok_or_else(|| anyhow!("no feed `{feed}`"))
    }
}
