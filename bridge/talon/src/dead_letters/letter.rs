//! A dead letter as it is shown.

use jiff::Timestamp;
use serde_json::{Value, json};
use talon_runtime::bus::DeadLetter;
use talon_runtime::{MOST_REDRIVES, Verdict};

/// Digits from which on a number may name a person: a telephone, a passport, an account.
const LONG_NUMBER: usize = 7;

/// A dead letter, and whether it is settled.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) letter: DeadLetter,
    /// What became of it; none while it waits.
    pub(crate) settled: Option<Verdict>,
}

impl Letter {
    /// What whoever is on call can do.
    pub(crate) fn what_to_do(&self) -> String {
        let letter = &self.letter;
        if let Some(verdict) = self.settled {
            return format!("nothing: it is settled ({})", verdict.word());
        }
        if letter.cut_of().is_some() {
            return "only its beginning is kept: discard it".to_owned();
        }
        if letter.redriven() >= MOST_REDRIVES {
            return "it was redriven too often: mend what cannot read it, then redrive it with `--once-more`, or discard it".to_owned();
        }
        match letter.stage() {
            "decode" => "mend what the reason says (a newer version, a setting, the upstream), try `redrive --dry-run`, then redrive it; or discard it".to_owned(),
            "publish" => "allow larger records, have its entity read again (`talon offsets reset`), and discard it".to_owned(),
            "command" if letter.command_id().is_some() => "its sender was told `REJECTED`: send it anew under another id, and discard it".to_owned(),
            "command" => "mend what the reason says (mostly a schema that the registry lacks), then redrive it; or discard it".to_owned(),
            _ => "it is a relay's, which carries it no more: look at its reason, and carry it by hand if it is still wanted".to_owned(),
        }
    }

    /// As REST and `--json` give it: without the bytes, but their number.
    pub(crate) fn to_value(&self) -> Value {
        let DeadLetter { at, at_ms, key, value, .. } = &self.letter;
        let letter = &self.letter;
        json!({
            "at": at, "failed_at": time(*at_ms), "first_failed_at": time(letter.first_failed_ms()),
            "stage": letter.stage(), "feed": letter.feed(), "scope": letter.scope(), "key": key,
            "reason": letter.reason(), "fault": letter.fault(), "bytes": value.len(),
            "redriven": letter.redriven(), "settled": self.settled.map(Verdict::word),
            "what_to_do": self.what_to_do(),
        })
    }

    /// With headers and bytes; see [`Letter::bytes`].
    pub(crate) fn to_whole_value(&self, reveal: bool) -> Value {
        let mut value = self.to_value();
        let headers = self.letter.headers.iter();
        value["headers"] = headers.map(|(name, text)| (name.clone(), json!(text))).collect();
        value["value"] = json!(self.bytes(reveal));
        value
    }

    /// Its bytes as text. Which of them are personal cannot be told of what could not be read, so unless they are to
    /// be revealed, all texts and long numbers are masked, and what is no JSON is left out.
    pub(crate) fn bytes(&self, reveal: bool) -> String {
        let bytes = &self.letter.value;
        if reveal {
            return match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            };
        }
        match serde_json::from_slice::<Value>(bytes) {
            Ok(mut value) => {
                mask(&mut value);
                value.to_string()
            }
            Err(_) => format!("[{} bytes that are no JSON]", bytes.len()),
        }
    }
}

/// Masks what may be personal. Names of fields stay, as those are the upstream's own.
fn mask(value: &mut Value) {
    match value {
        Value::String(text) if !text.is_empty() => "****".clone_into(text),
        Value::Number(number) if number.to_string().len() >= LONG_NUMBER => {
            *value = Value::String("****".to_owned());
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(map) => map.values_mut().for_each(mask),
        _ => {}
    }
}

/// A time of the bus for people.
pub(crate) fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|at| at.strftime("%FT%TZ").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(value: &[u8], headers: &[(&str, &str)]) -> Letter {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(text).collect();
        let letter =
            DeadLetter { at: 3, at_ms: 1_000, key: "7".to_owned(), value: value.to_vec(), headers };
        Letter { letter, settled: None }
    }

    #[test]
    fn invariant_9_bytes_are_masked_unless_they_are_to_be_revealed() {
        let row = br#"{"id":7,"name":"Anna","phone":79001234567,"tags":["x",""],"ok":true}"#;
        let shown = letter(row, &[]);
        assert_eq!(
            shown.bytes(false),
            r#"{"id":7,"name":"****","phone":"****","tags":["****",""],"ok":true}"#
        );
        assert_eq!(shown.bytes(true).as_bytes(), row);
        let odd = letter(b"<name>Anna</name>", &[]);
        assert_eq!(odd.bytes(false), "[17 bytes that are no JSON]");
        assert_eq!(letter(&[0xff, 0], &[]).bytes(true), "ff00");
        assert!(!shown.to_value().to_string().contains("Anna"));
        assert!(!shown.to_whole_value(false).to_string().contains("Anna"));
        assert!(shown.to_whole_value(true).to_string().contains("Anna"));
    }

    #[test]
    fn each_kind_says_what_to_do() {
        let says = |headers: &[(&str, &str)]| letter(b"", headers).what_to_do();
        let stage = "__connect.errors.stage";
        assert!(says(&[(stage, "decode")]).contains("dry-run"));
        assert!(says(&[(stage, "publish")]).contains("offsets reset"));
        assert!(says(&[(stage, "command")]).contains("registry"));
        let told = [(stage, "command"), ("__talon.errors.command_id", "c")];
        assert!(says(&told).contains("REJECTED"));
        let often = [(stage, "decode"), ("__talon.errors.redrive_count", "3")];
        assert!(says(&often).contains("--once-more"));
        assert!(
            says(&[(stage, "decode"), ("__talon.errors.value.bytes", "9")]).contains("discard")
        );
    }
}
