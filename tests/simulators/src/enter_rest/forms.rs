//! The forms that the document leaves open.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, fmt::strtime};
use serde_json::{Value, json};

use super::settings::{Dates, ErrorForm, Settings};
use super::store::Store;
use super::store::model::Refusal;

/// A moment, as replies have it.
pub(super) fn moment(store: &Store, at_ms: i64) -> Value {
    let local = store.local(at_ms);
    let text = written(local);
    match store.settings.dates {
        Dates::Local => json!(text),
        Dates::Offset => {
            let offset = Timestamp::from_millisecond(at_ms)
                .map_or(0, |at| store.zone.to_offset(at).seconds());
            let sign = if offset < 0 { '-' } else { '+' };
            let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
            json!(format!("{text}{sign}{hours:02}:{minutes:02}"))
        }
    }
}

/// Local time as .NET writes it: no zeros at the end of the fraction.
fn written(local: DateTime) -> String {
    let whole = local.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    match local.millisecond() {
        0 => whole,
        fraction => format!("{whole}.{}", format!("{fraction:03}").trim_end_matches('0')),
    }
}

/// The date of a path or query.
pub(super) fn date_of(settings: &Settings, text: &str) -> Result<Date, Refusal> {
    let parsed = strtime::parse(&settings.date_form, text).and_then(|broken| broken.to_date());
    parsed.map_err(|_| Refusal::new(400, "Неверная дата"))
}

/// The first and the last day of an interval in a query.
pub(super) fn interval_of(
    settings: &Settings,
    from: &str,
    until: &str,
) -> Result<(Date, Date), Refusal> {
    let wrong = |_| Refusal::new(400, "Неверная дата");
    let parsed = |text: &str| strtime::parse(&settings.query_date_form, text).map_err(wrong);
    let from = parsed(from)?.to_date().map_err(wrong)?;
    let until = parsed(until)?;
    let last = until.to_date().map_err(wrong)?;
    // A time of day that is told counts.
    let tells_time = settings.query_date_form.contains("%H");
    let is_midnight = tells_time && until.to_time().is_ok_and(|time| time == Time::midnight());
    let is_excluded = settings.ends_before || is_midnight;
    let last = if is_excluded { last.yesterday().map_err(wrong)? } else { last };
    Ok((from, last))
}

/// The time of a path.
pub(super) fn time_of(settings: &Settings, text: &str) -> Result<Time, Refusal> {
    let parsed = strtime::parse(&settings.time_form, text).and_then(|broken| broken.to_time());
    parsed.map_err(|_| Refusal::new(400, "Неверное время"))
}

/// A date as replies have it.
pub(super) fn day(date: Date) -> Value {
    json!(format!("{date}T00:00:00"))
}

/// A reply in the form of numbers that is wanted.
pub(super) fn formed(settings: &Settings, mut reply: Value) -> Value {
    if settings.numbers_as_text {
        numbers_to_texts(&mut reply);
    }
    reply
}

fn numbers_to_texts(value: &mut Value) {
    match value {
        Value::Number(number) => *value = json!(number.to_string()),
        Value::Array(items) => items.iter_mut().for_each(numbers_to_texts),
        Value::Object(fields) => fields.values_mut().for_each(numbers_to_texts),
        _ => {}
    }
}

/// The body of a refusal, and its type.
pub(super) fn refused(settings: &Settings, refusal: &Refusal) -> (String, &'static str) {
    let words = refusal.words;
    match settings.errors {
        ErrorForm::Text => (words.to_owned(), "text/plain; charset=utf-8"),
        ErrorForm::UserMessage => {
            (json!({ "UserMessage": words }).to_string(), "application/json; charset=utf-8")
        }
        ErrorForm::Empty => (String::new(), "text/plain"),
        ErrorForm::Html => (
            format!("<!DOCTYPE html><title>Ошибка</title><p>{words}</p>"),
            "text/html; charset=utf-8",
        ),
    }
}
