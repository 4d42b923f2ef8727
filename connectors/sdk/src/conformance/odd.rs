//! Rows with something in them that nobody declared.

use serde_json::{Value as Json, json};

/// Stands in every odd value.
pub(super) const ODD: &str = "conformance-odd";

/// The name of unknown fields.
const UNKNOWN: &str = "conformanceUnknown";

/// Deeper objects are left as they are.
const DEEPEST: usize = 4;

/// A row with one odd value.
pub(super) struct Variant {
    /// Where it stands: names joined by dots, `[]` for an item of a list.
    pub(super) path: String,
    pub(super) json: Vec<u8>,
    /// Whether it is a field more, or another value of a field.
    pub(super) is_unknown: bool,
}

/// The row with a field more, and with another type of each field, one at a time; none where it is no JSON
/// object.
pub(super) fn variants(row: &[u8]) -> Vec<Variant> {
    let Ok(json @ Json::Object(_)) = serde_json::from_slice::<Json>(row) else {
        return Vec::new();
    };
    let mut places = Vec::new();
    visit(&json, &mut Vec::new(), &mut places);
    let mut variants = Vec::new();
    for (pointer, is_unknown) in places {
        let mut odd = json.clone();
        put(&mut odd, &pointer);
        let name = |step: &Step| match step {
            Step::Field(name) => name.clone(),
            Step::Item(_) => "[]".to_owned(),
        };
        let path = pointer.iter().map(name).collect::<Vec<_>>().join(".").replace(".[]", "[]");
        variants.push(Variant { path, json: odd.to_string().into_bytes(), is_unknown });
    }
    variants
}

#[derive(Clone)]
enum Step {
    Field(String),
    Item(usize),
}

fn visit(json: &Json, at: &mut Vec<Step>, places: &mut Vec<(Vec<Step>, bool)>) {
    if at.len() > DEEPEST {
        return;
    }
    let mut go = |step: Step, inner: &Json, is_field: bool| {
        at.push(step);
        if is_field {
            places.push((at.clone(), false));
        }
        visit(inner, at, places);
        at.pop();
    };
    match json {
        Json::Object(fields) => {
            for (name, field) in fields {
                go(Step::Field(name.clone()), field, true);
            }
            at.push(Step::Field(UNKNOWN.to_owned()));
            places.push((at.clone(), true));
            at.pop();
        }
        // The first stands for all.
        Json::Array(items) => {
            if let Some(first) = items.first() {
                go(Step::Item(0), first, false);
            }
        }
        _ => {}
    }
}

/// Puts an odd value there: an object for a plain value, a text for another.
fn put(json: &mut Json, pointer: &[Step]) {
    let Some((step, rest)) = pointer.split_first() else {
        *json = match json {
            Json::Object(_) | Json::Array(_) => Json::from(ODD),
            _ => json!({ "is": ODD }),
        };
        return;
    };
    let inner = match (step, json) {
        (Step::Field(name), Json::Object(fields)) => {
            Some(fields.entry(name.clone()).or_insert(Json::Null))
        }
        (Step::Item(place), Json::Array(items)) => items.get_mut(*place),
        _ => None,
    };
    if let Some(inner) = inner {
        put(inner, rest);
    }
}
