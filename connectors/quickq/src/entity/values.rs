//! Values of this upstream.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use talon_schemas::datum::put_long;
use talon_sdk::entity::{Described, Description, Field, How, Int, Item, Names, Place};
use talon_sdk::privacy::Policy;
use talon_sdk::record::{Extra, Text};

/// The id of something else; −1 is none.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(super) struct Reference(Int);

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.fmt(f)
    }
}

impl Item<'_> for Reference {
    fn avro(_: &mut Names) -> Json {
        json!("long")
    }

    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'_>) -> bool {
        self.0.0 != -1 && self.0.settle(place, extra)
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }
}

/// Texts in the order in which they came, also one alone.
pub(super) struct Texts<'a>(Vec<Text<'a>>);

impl Texts<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A list, also of one.
    pub(super) fn to_json(&self) -> String {
        self.0.iter().map(|Text(text)| Json::from(&**text)).collect::<Json>().to_string()
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<'a> {
    #[serde(borrow)]
    One(Text<'a>),
    #[serde(borrow)]
    Many(Vec<Text<'a>>),
}

impl<'a> Field<'a> for Texts<'a> {
    type Wire = Option<OneOrMany<'a>>;

    fn read(wire: Option<Option<OneOrMany<'a>>>) -> Option<Texts<'a>> {
        Some(Texts(match wire.flatten() {
            None => Vec::new(),
            Some(OneOrMany::One(text)) => vec![text],
            Some(OneOrMany::Many(texts)) => texts,
        }))
    }

    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>) {
        self.0.retain_mut(|text| Item::settle(text, place, extra));
    }

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        <Vec<Text<'_>> as Field<'_>>::describe(of, record);
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn strictest(_: &How<'_>) -> Policy {
        Policy::Keep
    }
}

/// What a map of an upstream has, by the texts of its keys.
pub(super) type ByText<'a, T> = BTreeMap<Text<'a>, T>;

/// The operations of each stage of a service: `{"<stage>": [operation ids]}`.
pub(super) struct Stages<'a> {
    by_text: ByText<'a, Vec<Int>>,
    stages: Vec<(i64, Vec<Int>)>,
}

impl<'a> Field<'a> for Stages<'a> {
    type Wire = Option<ByText<'a, Vec<Int>>>;

    fn read(wire: Option<Self::Wire>) -> Option<Stages<'a>> {
        Some(Stages { by_text: wire.flatten().unwrap_or_default(), stages: Vec::new() })
    }

    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>) {
        for (Text(stage), mut operations) in std::mem::take(&mut self.by_text) {
            // Another order is no change.
            operations.sort_unstable();
            match stage.trim().parse() {
                Ok(stage) => self.stages.push((stage, operations)),
                Err(_) => {
                    let ids: Vec<i64> = operations.into_iter().map(|id| id.0).collect();
                    extra.keep(format!("{}.{stage}", place.from), Json::from(ids).to_string());
                }
            }
        }
        self.stages.sort_by_key(|(stage, _)| *stage);
    }

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        let named = |name, doc| Described { name, doc, personal: false, volatile: false };
        let stage = record.names.record("ServiceStage", None, "A stage of a service.", |record| {
            let doc = "Orders the stages; commands call it priority.";
            record.required(&named("stage", doc), json!("long"));
            let doc = "Operations of the stage, by id.";
            record.list(&named("operation_ids", doc), json!("long"));
        });
        record.list(of, stage);
    }

    fn write(&self, out: &mut Vec<u8>) {
        if !self.stages.is_empty() {
            put_long(out, self.stages.len() as i64);
            for (stage, operations) in &self.stages {
                put_long(out, *stage);
                operations.write(out);
            }
        }
        put_long(out, 0);
    }

    fn strictest(_: &How<'_>) -> Policy {
        Policy::Keep
    }
}
