//! What one message of the upstream says (`quickq-websocket.txt`, Структура ответа, Ошибки).
//!
//! Builds and samples differ; all of these are read alike:
//!
//! | Where they differ | Forms |
//! | --- | --- |
//! | time | `dateTime`, `datetime`, nothing |
//! | token | in `data`, on top (login); on top of every answer |
//! | failure | the result object in `data`, in `error` on top, its fields on top |
//! | success | `codeError` 0; `code` alone says nothing, and needs 64 bits |
//! | a visitor's fields | in `data`, or outside because a brace closes it too early |
//! | JSON | surplus or missing last brace, commas before a closing bracket, as in the samples |
//!
//! Password hashes, licence numbers (`hasp`) and tokens are blanked here, so that nothing behind this
//! file, dead letters included, can let them out.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use talon_sdk::Rows;
use talon_sdk::entity::{Int, RawJson, Record};
use talon_sdk::record::{Extra, Text};
use talon_sdk::spelling::respelled;
use talon_sdk::split::fields_of;

use crate::blank::{blanked, command_in};
use crate::repair::repaired;

/// A message that could be read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The command that it answers, or the list that it pushes. Empty for a bare failure, as in the
    /// document's section on errors.
    pub command: String,
    /// What the request gave as `id`, where the build repeats it.
    pub id: Option<String>,
    /// The failure that it tells, if it does.
    pub error: Option<UpstreamError>,
    /// Whether it has the result object of a success.
    pub is_success: bool,
    /// When the upstream made it, milliseconds since 1970 UTC by its clock, if it says so.
    pub made_ms: Option<i64>,
    text: Bytes,
    data: Range<usize>,
    outside: Vec<(String, Range<usize>)>,
}

/// The result object of a failed command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("error {code_error} of module {code_module}")]
pub struct UpstreamError {
    /// Unique within the module.
    pub code_error: i64,
    /// Where it happened.
    pub code_module: i64,
    /// Both in one.
    pub code: i64,
    /// The upstream's words. They may quote content, so they go to no log.
    pub desc: String,
}

/// A message that says nothing: its bytes, blanked, for the dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// As received.
    pub text: Bytes,
    /// The command, if it can be told from what is there.
    pub command: Option<String>,
}

/// A frame, and the token if it is the answer to a login.
#[derive(Debug)]
pub struct Read {
    /// The message, blanked.
    pub frame: Frame,
    /// The token of a login.
    pub token: Option<SecretString>,
}

/// The top of a message.
#[derive(Record)]
struct Top<'a> {
    #[from("command")]
    command: Option<Text<'a>>,
    #[from("data")]
    data: Option<RawJson<'a>>,
    #[from("id")]
    id: Option<RawJson<'a>>,
    #[from("token")]
    token: Option<RawJson<'a>>,
    #[from("error")]
    error: Option<RawJson<'a>>,
    #[from("codeError")]
    code_error: Option<Int>,
    #[from("codeModule")]
    code_module: Option<Int>,
    #[from("code")]
    code: Option<Int>,
    #[from("desc")]
    desc: Option<RawJson<'a>>,
    #[from("children")]
    children: Option<RawJson<'a>>,
    #[from("dateTime")]
    date_time: Option<RawJson<'a>>,
    #[from("datetime")]
    datetime: Option<RawJson<'a>>,
    extra: Extra<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultObject<'a> {
    code_error: Option<Int>,
    code_module: Option<Int>,
    code: Option<Int>,
    #[serde(borrow)]
    desc: Option<Cow<'a, str>>,
}

impl Frame {
    /// Reads a message.
    ///
    /// # Errors
    /// Where it is no JSON object, also after repair, or neither names a command nor tells a failure.
    pub fn read(text: Bytes) -> Result<Read, Unreadable> {
        if let Some(read) = Frame::of(&text) {
            return Ok(read);
        }
        let mended = repaired(&text).map(Bytes::from);
        let of_mended = mended.as_ref().and_then(Frame::of);
        let read = of_mended.or_else(|| Frame::of_bad_list(&text));
        let read = read.or_else(|| mended.as_ref().and_then(Frame::of_bad_list));
        read.ok_or_else(|| {
            let text = blanked(text);
            Unreadable { command: command_in(&text), text }
        })
    }

    /// Reads a message that needs no repair.
    pub(crate) fn of(text: &Bytes) -> Option<Read> {
        Frame::with_data(text, text, None)
    }

    /// A message whose list has rows that are no JSON: they are the list's business, and all around it must
    /// be sound.
    fn of_bad_list(text: &Bytes) -> Option<Read> {
        let fields = fields_of(text)?;
        let mut data = fields.into_iter().filter(|(name, _)| name == "data");
        let (Some((_, data)), None) = (data.next(), data.next()) else { return None };
        let list = text.slice(data.clone());
        Rows::of_array(list.slice(list_in(&list)?)).ok()?;
        // A number of the same length in its place, so that all else stands where it stood.
        let mut around = text.to_vec();
        around[data.clone()].fill(b'1');
        Frame::with_data(text, &around, Some(data))
    }

    /// Reads what is around the data in `around`, which is the text but for the data.
    fn with_data(text: &Bytes, around: &[u8], data: Option<Range<usize>>) -> Option<Read> {
        let top: Top<'_> = serde_json::from_slice(around).ok()?;
        let place = |raw: RawJson<'_>| place_in(around, raw.0.get());
        let result = result_of(&top);
        let is_success = result.as_ref().is_some_and(|result| result.code_error == 0);
        let error = result.filter(|_| !is_success);
        let command = match &top.command {
            Some(command) => command.0.clone().into_owned(),
            None => error.as_ref().map(|_| String::new())?,
        };
        let token = (command == "login" && error.is_none()).then(|| token_of(&top)).flatten();
        // `id` on top is what we gave, or a visitor's id that stands outside `data`.
        let mut outside: Vec<(String, Range<usize>)> = Vec::new();
        let ours = top.id.and_then(|id| serde_json::from_str::<String>(id.0.get()).ok());
        if ours.is_none() {
            outside.extend(top.id.map(|id| ("id".to_owned(), place(id))));
        }
        for (name, json) in &top.extra.0 {
            outside.push((name.clone().into_owned(), place_in(around, json)));
        }
        let data = data.unwrap_or_else(|| top.data.map_or(0..0, place));
        let made_ms = top.date_time.or(top.datetime).and_then(|raw| instant_of(raw.0));
        let (id, text) = (ours, blanked(text.clone()));
        let frame = Frame { command, id, error, is_success, made_ms, text, data, outside };
        Some(Read { frame, token })
    }

    /// The whole message, blanked.
    pub fn text(&self) -> Bytes {
        self.text.clone()
    }

    /// The data as JSON text; empty where there is none.
    pub fn data(&self) -> Bytes {
        self.text.slice(self.data.clone())
    }

    /// Whether the data is an object without fields.
    pub fn has_empty_data(&self) -> bool {
        fields_of(&self.data()).is_some_and(|fields| fields.is_empty())
    }

    /// Whether the data is a list.
    pub fn has_rows(&self) -> bool {
        self.list().is_some()
    }

    /// The rows of a list, as spans of the message's bytes. `None` where the data is no list.
    pub fn rows(&self) -> Option<Rows> {
        Rows::of_array(self.list()?).ok()
    }

    /// The list: the data itself, or in newer builds its `list`.
    fn list(&self) -> Option<Bytes> {
        let data = self.data();
        list_in(&data).map(|place| data.slice(place))
    }

    /// The one entity that a command answers with, wherever its fields stand; `None` where there is
    /// none (`data` is empty). A ticket's picture is left out.
    pub fn entity(&self) -> Option<Map<String, Value>> {
        let data = serde_json::from_slice::<Value>(&respelled(&self.data())).unwrap_or_default();
        let mut entity = match data {
            Value::Object(mut data) => match data.shift_remove("consumer") {
                Some(Value::Object(mut consumer)) => {
                    data.shift_remove("preview");
                    consumer.extend(data);
                    consumer
                }
                _ => data,
            },
            _ => Map::new(),
        };
        if !entity.is_empty() {
            for (name, place) in &self.outside {
                if let Ok(value) = serde_json::from_slice(&respelled(&self.text[place.clone()])) {
                    entity.entry(name.as_str()).or_insert(value);
                }
            }
        }
        (!entity.is_empty()).then_some(entity)
    }
}

/// Where the list of some data stands: it is the data itself, or in newer builds its `list`. Rows may be no
/// JSON.
fn list_in(data: &[u8]) -> Option<Range<usize>> {
    let is_list = |place: &Range<usize>| data[place.clone()].starts_with(b"[");
    match data.first()? {
        b'[' => Some(0..data.len()),
        b'{' => {
            let mut named = fields_of(data)?.into_iter().filter(|(name, _)| name == "list");
            let (_, list) = named.next()?;
            (named.next().is_none() && is_list(&list)).then_some(list)
        }
        _ => None,
    }
}

fn place_in(text: &[u8], part: &str) -> Range<usize> {
    // A part borrows from the text, or else it stands nowhere in it.
    let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    if start <= text.len() && part.len() <= text.len() - start {
        start..start + part.len()
    } else {
        0..0
    }
}

fn instant_of(raw: &RawValue) -> Option<i64> {
    let text: String = serde_json::from_str(raw.get()).ok()?;
    let micros = talon_sdk::instant::micros(&text, &jiff::tz::TimeZone::UTC)?;
    Some(micros.div_euclid(1000))
}

/// The result object, of a failure or a success.
fn result_of(top: &Top<'_>) -> Option<UpstreamError> {
    let number = |number: Option<Int>| number.map_or(0, |number| number.0);
    let of = |RawJson(raw): RawJson<'_>| {
        if !raw.get().starts_with('{') {
            return None;
        }
        let object: ResultObject<'_> = serde_json::from_str(raw.get()).ok()?;
        let code_error = object.code_error?.0;
        Some(UpstreamError {
            code_error,
            code_module: number(object.code_module),
            code: object.code.map_or(code_error, |code| code.0),
            desc: object.desc.unwrap_or_default().into_owned(),
        })
    };
    let bare = || {
        let code_error = top.code_error?.0;
        let desc = top.desc.and_then(|desc| serde_json::from_str(desc.0.get()).ok());
        Some(UpstreamError {
            code_error,
            code_module: number(top.code_module),
            code: top.code.map_or(code_error, |code| code.0),
            desc: desc.unwrap_or_default(),
        })
    };
    top.error.and_then(of).or_else(bare).or_else(|| top.data.and_then(of))
}

fn token_of(top: &Top<'_>) -> Option<SecretString> {
    #[derive(Deserialize)]
    struct InData<'a> {
        #[serde(borrow)]
        token: Option<Cow<'a, str>>,
    }
    let in_data = || {
        let data: InData<'_> = serde_json::from_str(top.data?.0.get()).ok()?;
        data.token.map(Cow::into_owned)
    };
    let on_top = top.token.and_then(|token| serde_json::from_str::<String>(token.0.get()).ok());
    in_data().or(on_top).filter(|token| !token.is_empty()).map(SecretString::from)
}
