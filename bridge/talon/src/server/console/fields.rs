//! Entities field by field, and what changed between two of them.
//!
//! Personal data is what the contract marks, at any depth, and what it does not know (`extra`): nobody has said of
//! that what it is. It is masked for whoever may not operate; that it changed is shown all the same.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;
use talon_schemas::Contract;

/// Most fields that are shown of one entity or one change.
const FIELDS: usize = 200;

/// Characters of a text that are shown.
const TEXT: usize = 400;

/// In place of personal data.
pub(super) const MASK: &str = "****";

/// What may be shown.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    pii: &'a [String],
    sees_all: bool,
}

/// A value in its place: `tasks[0].title`.
pub(super) type Field = (String, Value);

/// A field before and after; none where it was not there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) field: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl<'a> Sight<'a> {
    pub(super) fn new(contract: &'a Contract, sees_all: bool) -> Sight<'a> {
        Sight { pii: contract.pii(), sees_all }
    }

    /// A sight that knows no marks: every text is masked for whoever may not see all.
    pub(super) fn of_texts(sees_all: bool) -> Sight<'static> {
        Sight { pii: &[], sees_all }
    }

    fn masks(self, path: &str, value: &Value) -> bool {
        if self.sees_all || value.is_null() {
            return false;
        }
        if self.pii.is_empty() {
            return value.is_string();
        }
        let names = path.split(['.', '[']).map(|part| part.trim_end_matches(']'));
        names.into_iter().any(|name| name == "extra" || self.pii.iter().any(|field| field == name))
    }

    /// A value as text.
    pub(super) fn text(self, path: &str, value: &Value) -> String {
        if self.masks(path, value) {
            return MASK.to_owned();
        }
        match value {
            Value::Null => "null".to_owned(),
            Value::Number(number) if path.ends_with("_at") => {
                instant(number.as_i64()).unwrap_or_else(|| number.to_string())
            }
            Value::String(text) => short(text),
            Value::Array(_) => "empty list".to_owned(),
            Value::Object(_) => "empty".to_owned(),
            other => other.to_string(),
        }
    }

    /// What changed from one entity to another.
    pub(super) fn differences(self, before: &Value, after: &Value) -> Vec<Difference> {
        let (before, after) = (flat(before), flat(after));
        let mut all = Vec::new();
        for (path, value) in &after {
            let old = before.get(path);
            if old != Some(value) && !is_mark(path) {
                all.push(Difference {
                    field: path.clone(),
                    before: old.map(|old| self.text(path, old)),
                    after: Some(self.text(path, value)),
                });
            }
        }
        for (path, old) in before.iter().filter(|(path, _)| !after.contains_key(*path)) {
            if !is_mark(path) {
                all.push(Difference {
                    field: path.clone(),
                    before: Some(self.text(path, old)),
                    after: None,
                });
            }
        }
        all
    }

    /// All fields of an entity; those without a value last, by their names alone.
    pub(super) fn table(self, entity: &Value, caption: &str) -> Markup {
        let fields = fields(entity);
        let is_empty = |value: &Value| match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        let (empty, filled): (Vec<&Field>, Vec<&Field>) =
            fields.iter().partition(|(_, value)| is_empty(value));
        let without: Vec<&str> = empty.iter().map(|(path, _)| path.as_str()).collect();
        html! {
            table.fields {
                caption { (caption) }
                thead { tr { th scope="col" { "Field" } th scope="col" { "Value" } } }
                tbody {
                    @for (path, value) in filled.iter().take(FIELDS) {
                        tr { th scope="row" { (path) } td { (self.text(path, value)) } }
                    }
                }
            }
            @if filled.len() > FIELDS { p.note { "And " (filled.len() - FIELDS) " fields more." } }
            @if !without.is_empty() { p.note { "Without a value: " (without.join(", ")) } }
        }
    }
}

/// Differences as a table.
pub(super) fn differences(all: &[Difference], caption: &str) -> Markup {
    let side = |text: &Option<String>| match text {
        Some(text) => html! { (text) },
        None => html! { span.hint { "not there" } },
    };
    html! {
        table.differences {
            caption { (caption) }
            thead { tr {
                th scope="col" { "Field" } th scope="col" { "Before" } th scope="col" { "After" }
            } }
            tbody {
                @for Difference { field, before, after } in all.iter().take(FIELDS) {
                    tr {
                        th scope="row" { (field) }
                        td data-name="Before" { del { (side(before)) } }
                        td data-name="After" { ins { (side(after)) } }
                    }
                }
            }
        }
        @if all.len() > FIELDS { p.note { "And " (all.len() - FIELDS) " fields more." } }
    }
}

/// The mark of a row: it alone is no change.
fn is_mark(path: &str) -> bool {
    path.rsplit('.').next() == Some("mark")
}

fn flat(entity: &Value) -> BTreeMap<String, Value> {
    fields(entity).into_iter().collect()
}

/// The leaves of an entity in their order, bounded.
fn fields(entity: &Value) -> Vec<Field> {
    let mut all = Vec::new();
    collect(String::new(), entity, &mut all);
    all
}

fn collect(path: String, value: &Value, all: &mut Vec<Field>) {
    if all.len() > FIELDS * 20 {
        return;
    }
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(path, value, all);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, value) in items.iter().enumerate() {
                collect(format!("{path}[{at}]"), value, all);
            }
        }
        _ => all.push((path, value.clone())),
    }
}

/// Microseconds or milliseconds since 1970 as a time.
fn instant(number: Option<i64>) -> Option<String> {
    let number = number?;
    // Milliseconds of this age have 13 digits, microseconds 16.
    let at = match number.unsigned_abs() {
        0..100_000_000_000_000 => jiff::Timestamp::from_millisecond(number),
        _ => jiff::Timestamp::from_microsecond(number),
    };
    Some(at.ok()?.strftime("%F %T UTC").to_string())
}

fn short(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use talon_contractor::contracts::CALL;

    use super::*;

    fn changed(
        sees_all: bool,
        before: Value,
        after: Value,
    ) -> Vec<(String, Option<String>, Option<String>)> {
        let all = Sight::new(&CALL, sees_all).differences(&before, &after);
        all.into_iter().map(|d| (d.field, d.before, d.after)).collect()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_difference_names_each_field_with_its_place_and_both_values() {
        let before = json!({"status": "New", "tasks": [{"title": "a"}], "mark": 1});
        let after = json!({"status": "Done", "tasks": [{"title": "a"}, {"title": "b"}], "mark": 2});
        let expected = [
            ("status".to_owned(), some("New"), some("Done")),
            ("tasks[1].title".to_owned(), None, some("b")),
        ];
        assert_eq!(changed(false, before, after), expected);
    }

    #[test]
    fn what_the_contract_marks_is_masked_at_any_depth_and_shown_to_whoever_may_operate() {
        let entity = |phone: &str| {
            json!({
                "contact_person_phone": phone,
                "jeopardies": [{"comment": phone}],
                "extra": {"nick": phone},
                "service_object_latitude": 55.75,
                "status": "New",
            })
        };
        let masked = changed(false, entity("+7 1"), entity("+7 2"));
        assert_eq!(masked.len(), 3);
        assert!(masked.iter().all(|(_, b, a)| (b, a) == (&some(MASK), &some(MASK))), "{masked:?}");
        let seen = changed(true, entity("+7 1"), entity("+7 2"));
        assert!(seen.iter().all(|(_, b, a)| (b, a) == (&some("+7 1"), &some("+7 2"))), "{seen:?}");
        let table = Sight::new(&CALL, false).table(&entity("+7 1"), "").into_string();
        assert!(!table.contains("+7 1") && !table.contains("55.75"), "{table}");
        assert!(table.contains("New"), "{table}");
    }

    #[test]
    fn of_what_has_no_marks_every_text_is_masked() {
        let sight = Sight::of_texts(false);
        let answer = json!({"code": 7, "name": "Ivan", "list": ["x"]});
        let table = sight.table(&answer, "").into_string();
        assert!(
            table.contains('7') && !table.contains("Ivan") && !table.contains(">x<"),
            "{table}"
        );
        assert!(Sight::of_texts(true).table(&answer, "").into_string().contains("Ivan"));
    }

    #[test]
    fn instants_are_times_whatever_their_unit_and_long_texts_are_cut() {
        let sight = Sight::new(&CALL, true);
        for number in [1_769_842_800_000_i64, 1_769_842_800_000_000] {
            assert_eq!(sight.text("created_at", &json!(number)), "2026-01-31 07:00:00 UTC");
        }
        let long = sight.text("status", &json!("я".repeat(5_000)));
        assert!(long.chars().count() < 450 && long.ends_with("(10000 bytes)"), "{long}");
    }
}
