//! The rows: calls as the simulated upstream sends them.

use anyhow::Context;
use bytes::Bytes;
use clap::ValueEnum;
use serde_json::Value;
use talon_simulators::contractor::{Kind, Settings, Simulator};

/// Different calls; beyond that they repeat under other ids.
const DIFFERENT: usize = 20_000;

/// What a call weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    /// About 500 bytes: no descriptions, tasks, deadlines.
    Small,
    /// About 2.5 KB: as the simulator makes them, with tasks, risks and an HTML description.
    Large,
}

impl Size {
    pub(crate) const ALL: [Size; 2] = [Size::Small, Size::Large];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Size::Small => "small",
            Size::Large => "large",
        }
    }
}

/// The same calls before and after a change of each.
pub(crate) struct Lists {
    /// A JSON array, in the order of marks.
    pub(crate) one: Bytes,
    /// The same, with another `critical` and a higher mark in every row.
    pub(crate) other: Bytes,
    /// Rows in each.
    pub(crate) rows: usize,
}

impl Lists {
    /// One list after the other, so that every row changes.
    pub(crate) fn turns<'l>(&'l self) -> impl FnMut() -> &'l Bytes {
        let mut turned = false;
        move || {
            turned = !turned;
            if turned { &self.other } else { &self.one }
        }
    }

    /// For a heading.
    pub(crate) fn describe(&self, size: Size, seed: u64) -> String {
        format!(
            "{}: {} calls of {} bytes, seed {seed}",
            size.name(),
            self.rows,
            self.one.len() / self.rows.max(1)
        )
    }
}

/// Makes the rows. The same seed makes the same rows.
pub(crate) async fn lists(size: Size, rows: usize, seed: u64) -> anyhow::Result<Lists> {
    let bodies = bodies(size, rows, seed).await?;
    let list = |version: usize| {
        let mut list = String::from("[");
        for row in 0..rows {
            if row > 0 {
                list.push(',');
            }
            list.push_str(&bodies[row % bodies.len()].row(row, version * rows, version == 1));
        }
        list.push(']');
        Bytes::from(list)
    };
    Ok(Lists { one: list(0), other: list(1), rows })
}

/// A call's text in parts, around its id, its mark and whether it is critical.
struct Body {
    parts: [String; 3],
    critical: bool,
}

impl Body {
    fn of(text: &str) -> Option<Body> {
        let (_, rest) = text.split_once("{\"id\":")?;
        let (_, rest) = rest.split_once(',')?;
        // The call's own mark stands before those of its jeopardies.
        let (before_mark, rest) = rest.split_once("\"timestamp\":")?;
        let (_, rest) = rest.split_once(',')?;
        let (before_critical, rest) = rest.split_once("\"critical\":")?;
        let (critical, after) = rest.split_once(',')?;
        let parts = [before_mark, before_critical, after].map(str::to_owned);
        Some(Body { parts, critical: critical == "true" })
    }

    fn row(&self, row: usize, marks: usize, turned: bool) -> String {
        let [first, second, third] = &self.parts;
        let (id, mark, critical) = (row + 1, 5_000_000 + marks + row, self.critical != turned);
        format!("{{\"id\":{id},{first}\"timestamp\":{mark},{second}\"critical\":{critical},{third}")
    }
}

async fn bodies(size: Size, rows: usize, seed: u64) -> anyhow::Result<Vec<Body>> {
    let settings = Settings { calls: rows.min(DIFFERENT), seed, ..Settings::default() };
    let upstream = Simulator::start(settings).await?;
    let calls = upstream.history().current(Kind::Calls);
    upstream.stop().await;
    calls
        .values()
        .map(|text| {
            let text = match size {
                Size::Large => text.clone(),
                Size::Small => lean(text)?,
            };
            Body::of(&text).with_context(|| format!("not as the simulator writes calls: {text}"))
        })
        .collect()
}

/// A call with little to say.
fn lean(text: &str) -> anyhow::Result<String> {
    let mut call: Value = serde_json::from_str(text)?;
    let fields = call.as_object_mut().context("a call is an object")?;
    for name in [
        "descriptionHtmlText",
        "descriptionTextForFieldEmployee",
        "comments",
        "serviceObjectAddress",
        "contactPersonEmail",
        "contactPersonName",
        "finished",
        "ttf",
        "tto",
        "availableExpenditureItems",
        "jeopardies",
    ] {
        fields.shift_remove(name);
    }
    if let Some(tasks) = fields.get_mut("tasks").and_then(Value::as_array_mut) {
        tasks.truncate(1);
    }
    Ok(call.to_string())
}
