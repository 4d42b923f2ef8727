//! Changes of offsets as they are asked for, by hand and over REST, in the words of Kafka Connect (KIP-875): a
//! partition is a feed, and its offset is the feed's cursor.

use serde_json::{Value, json};
use talon_runtime::Setup;
use talon_runtime::offsets::Offsets as Known;
use talon_sdk::{Cursor, Kind};

/// What the offset of a feed is to be; without one it reads from the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) feed: String,
    pub(crate) offset: Option<Cursor>,
}

/// Offsets in the form of Kafka Connect.
pub(crate) fn show(offsets: &Known) -> Value {
    let all = offsets.all().into_iter();
    let offsets = all.map(|(feed, offset)| {
        let offset = offset.map(|cursor| json!({ "cursor": cursor }));
        json!({ "partition": { "feed": feed }, "offset": offset })
    });
    json!({ "offsets": offsets.collect::<Vec<_>>() })
}

/// Reads a list in the form in which [`show`] writes it.
///
/// # Errors
/// What is expected.
pub(crate) fn parse(offsets: &[Value]) -> Result<Vec<Asked>, String> {
    let one = |value: &Value| {
        let partition = value["partition"].as_object().filter(|partition| partition.len() == 1);
        let feed = partition.and_then(|partition| partition.get("feed")?.as_str());
        let feed = feed.ok_or(r#"a partition is expected as `{"feed": "NAME"}`"#)?.to_owned();
        let cursor = match value.get("offset") {
            Some(Value::Null) => return Ok(Asked { feed, offset: None }),
            Some(offset) => &offset["cursor"],
            None => &Value::Null,
        };
        let text = match cursor {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => {
                return Err(format!(
                    r#"the offset of `{feed}` is expected as `{{"cursor": "…"}}`, or null"#
                ));
            }
        };
        Ok(Asked { feed, offset: Some(Cursor(text)) })
    };
    offsets.iter().map(one).collect()
}

/// Why the offset of a feed cannot be this one. `force` says how to have it all the same, where that was not said.
pub(crate) fn problem(setup: &Setup, asked: &Asked, force: Option<&str>) -> Option<String> {
    let Asked { feed, offset } = asked;
    let plans = setup.connector.feeds();
    let Some(plan) = plans.iter().find(|plan| *plan.spec.name == **feed) else {
        let known: Vec<&str> = plans.iter().map(|plan| &*plan.spec.name).collect();
        return Some(format!(
            "`{}` reads no feed `{feed}`; it reads: {}",
            setup.name,
            known.join(", ")
        ));
    };
    if plan.spec.kind == Kind::Log
        && let Some(how) = force
    {
        return Some(format!(
            "`{feed}` is a log: facts that its topic has let go of would be published again; \
             say {how} if that is meant"
        ));
    }
    let problem = setup.connector.offset_problem(feed, offset.as_ref()?)?;
    Some(format!("`{feed}` cannot go on from there: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_is_shown_and_all_else_is_told() {
        let read =
            |text: &str| parse(serde_json::from_str::<Value>(text).unwrap().as_array().unwrap());
        let asked = |offset: Option<&str>| Asked {
            feed: "call".to_owned(),
            offset: offset.map(|text| Cursor(text.to_owned())),
        };
        let text = r#"[{"partition":{"feed":"call"},"offset":{"cursor":"7"}},
            {"partition":{"feed":"call"},"offset":{"cursor":7}},
            {"partition":{"feed":"call"},"offset":null}]"#;
        assert_eq!(read(text).unwrap(), [asked(Some("7")), asked(Some("7")), asked(None)]);
        for odd in [
            "[1]",
            "[{}]",
            r#"[{"partition":{"feed":"call"}}]"#,
            r#"[{"partition":{"feed":"call"},"offset":{}}]"#,
            r#"[{"partition":{"feed":"call"},"offset":"7"}]"#,
            r#"[{"partition":{"feed":"call","scope":"a"},"offset":null}]"#,
            r#"[{"partition":{"filename":"x"},"offset":{"position":1}}]"#,
        ] {
            assert!(read(odd).is_err(), "{odd}");
        }
    }
}
