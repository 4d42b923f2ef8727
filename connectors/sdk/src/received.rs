//! By what an answer is known to be one.

use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::Fault;
use crate::feeds::MarkedRows;
use crate::rows::Rows;
use crate::split::fields_of;

/// What came with success where an answer was asked for.
///
/// A proxy, a login page or an error comes with status 200 too, so success alone makes nothing an answer.
/// What was received is had only by saying what an answer is: a list, or an object that is known by its
/// fields. Else `{}` would pass for an entity whose fields are all empty, and overwrite one.
///
/// Debug shows no content.
#[derive(Clone)]
pub struct Received {
    from: &'static str,
    body: Bytes,
}

/// The JSON form of a field by which an object is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A text.
    Text,
    /// A number.
    Number,
    /// A list.
    List,
    /// An object.
    Object,
}

/// What was received is no answer. Names what came, never its content.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NoAnswer {
    /// What came instead of what.
    pub reason: String,
    /// What came.
    pub body: Bytes,
}

impl std::fmt::Debug for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NoAnswer({})", self.reason)
    }
}

/// Such as while the upstream is down and something else answers in its place.
impl From<NoAnswer> for Fault {
    fn from(no_answer: NoAnswer) -> Fault {
        Fault::unavailable(no_answer.reason)
    }
}

impl Received {
    /// The body of a success; empty where there was no content. `from` is the endpoint or command, for
    /// people.
    pub fn new(from: &'static str, body: Bytes) -> Received {
        Received { from, body }
    }

    /// An answer that is a list: its rows. No content is an empty list.
    ///
    /// # Errors
    /// Where it is no list, or where one cannot say where its rows end.
    pub fn rows(self) -> Result<Rows, NoAnswer> {
        let body = self.body.trim_ascii();
        if body.is_empty() {
            return Ok(Rows::default());
        }
        let is_list = body.starts_with(b"[");
        Rows::of_array(self.body.clone()).map_err(|error| {
            let reason = if is_list {
                format!("`{}` was answered with a broken list: {error}", self.from)
            } else {
                format!("`{}` was answered with {}, expected a list", self.from, what(&self.body))
            };
            NoAnswer { reason, body: self.body }
        })
    }

    /// [`Received::rows`], and of each row what `Head` asks for; see [`Rows::heads`].
    ///
    /// # Errors
    /// As [`Received::rows`].
    pub fn rows_with_heads<Head: DeserializeOwned>(
        self,
    ) -> Result<(Rows, Vec<Option<Head>>), NoAnswer> {
        let rows = self.rows()?;
        let heads = rows.heads();
        Ok((rows, heads))
    }

    /// [`Received::rows`] with the mark of each: the whole number under this name.
    ///
    /// # Errors
    /// As [`Received::rows`].
    pub fn marked_rows(self, mark: &str) -> Result<MarkedRows, NoAnswer> {
        let rows = self.rows()?;
        let marks = rows.marks(mark);
        Ok(MarkedRows { rows, marks })
    }

    /// An answer that is an object with at least one of these fields, in this form; `None` where there was
    /// no content. What else is wrong with it is a matter of who reads it: it may be no JSON.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn object(self, known_by: &[(&str, Form)]) -> Result<Option<Bytes>, NoAnswer> {
        if self.body.trim_ascii().is_empty() {
            return Ok(None);
        }
        let is_known = fields_of(&self.body).is_some_and(|fields| {
            fields.iter().any(|(name, place)| {
                let form = form_of(&self.body[place.clone()]);
                known_by.iter().any(|(known, of)| name == known && form == Some(*of))
            })
        });
        if is_known {
            return Ok(Some(self.body));
        }
        let names: Vec<String> = known_by.iter().map(|(name, _)| format!("`{name}`")).collect();
        let reason = format!(
            "`{}` was answered with {}, expected an object with {}",
            self.from,
            what(&self.body),
            names.join(" or ")
        );
        Err(NoAnswer { reason, body: self.body })
    }

    /// The bytes, unjudged: for what is no JSON, and for what a type judges that is read from it.
    pub fn as_it_came(self) -> Bytes {
        self.body
    }
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Received({}, {} bytes)", self.from, self.body.len())
    }
}

fn form_of(value: &[u8]) -> Option<Form> {
    match value.first()? {
        b'"' => Some(Form::Text),
        b'[' => Some(Form::List),
        b'{' => Some(Form::Object),
        b'-' | b'0'..=b'9' => Some(Form::Number),
        _ => None,
    }
}

/// What something is, for people.
fn what(body: &[u8]) -> &'static str {
    let body = body.trim_ascii();
    match form_of(body) {
        None if body.is_empty() => "nothing",
        None if body == b"null" => "`null`",
        None if body.starts_with(b"<") => "a page or XML",
        Some(Form::Object) if serde_json::from_slice::<IgnoredAny>(body).is_ok() => {
            "another object, such as an error"
        }
        Some(Form::List) if serde_json::from_slice::<IgnoredAny>(body).is_ok() => "a list",
        Some(Form::Text) => "a text",
        Some(Form::Number) => "a number",
        Some(_) => "broken JSON",
        None => "something that is no JSON",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes with status 200 in place of an answer.
    const NO_ANSWERS: [(&str, &str); 12] = [
        ("{}", "another object"),
        (r#"{"errorCode":7}"#, "another object"),
        (r#"{"type":"about:blank","title":"Not found","status":404}"#, "another object"),
        ("<!doctype html><title>Log in</title>", "a page"),
        ("null", "`null`"),
        ("7", "a number"),
        ("-1.5", "a number"),
        ("true", "no JSON"),
        ("\"down\"", "a text"),
        ("Service Unavailable", "no JSON"),
        (r#"{"status":"Draft","expenses":[{"id":1"#, "broken JSON"),
        ("[{\"id\":1},{\"id\"", "a broken list"),
    ];

    fn of(body: &'static str) -> Received {
        Received::new("GET /x", Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn a_200_that_is_no_list_is_no_answer_of_a_list() {
        for (body, what) in NO_ANSWERS {
            let reason = of(body).rows().unwrap_err().reason;
            assert!(reason.starts_with("`GET /x` was answered with "), "{reason}");
            let said = reason.contains(what) || what == "a broken list" || body.starts_with('{');
            assert!(said, "{body}: {reason}");
        }
        assert_eq!(of("[{\"id\":1}]").rows().unwrap().len(), 1);
        assert_eq!(of(" [ ] ").rows().unwrap().len(), 0);
    }

    #[test]
    fn a_200_that_is_no_such_object_is_no_answer_of_one() {
        let known_by = [("status", Form::Text), ("expenses", Form::List)];
        for (body, what) in NO_ANSWERS {
            let fault = of(body).object(&known_by).unwrap_err();
            let said = fault.reason.contains(what) || what == "a broken list";
            assert!(said, "{body}: {}", fault.reason);
            assert_eq!(fault.body, body);
            assert_eq!(Fault::from(fault).kind(), "unavailable");
        }
        for body in [
            r#"{"status":"Draft"}"#,
            r#" {"x":1,"expenses":[],"status":null} "#,
            r#"{"st\u0061tus":"Draft"}"#,
            r#"{"status":"Draft","expenses":[{"price":NaN}]}"#,
        ] {
            assert!(of(body).object(&known_by).unwrap().is_some(), "{body}");
        }
    }

    #[test]
    fn no_content_is_an_empty_list_and_no_object() {
        for body in ["", " \r\n"] {
            assert_eq!(of(body).rows().unwrap().len(), 0);
            assert_eq!(of(body).object(&[("id", Form::Number)]).unwrap(), None);
        }
    }

    #[test]
    fn a_reason_quotes_nothing_of_what_came() {
        for body in ["{\"name\":\"secret\"}", "\"secret\"", "secret", "[{\"secret\"", "<secret/>"] {
            assert!(!of(body).object(&[]).unwrap_err().reason.contains("secret"), "{body}");
        }
    }
}
