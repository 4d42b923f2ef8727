//! Spellings that the document leaves open, of what commands send.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};
use serde_json::{Map, Value as Json};
use talon_sdk::ApplyFault;

use super::values::{number, refused};
use crate::rest::feeds::Interval;

/// Fields of bodies, as public pages name them.
pub(crate) const FIELDS: [&str; 7] =
    ["products", "priority", "userId", "workPlaceId", "returnAfter", "return", "ticketProductId"];

/// Forms of a time in a path: as people write them, and as `strftime` does.
pub(crate) const TIME_FORMS: &[(&str, &str)] =
    &[("HH:mm", "%H:%M"), ("HH:mm:ss", "%H:%M:%S"), ("HHmm", "%H%M"), ("HH-mm", "%H-%M")];

/// What `queue/admin/redirect/:productId` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RedirectBy {
    /// The service in the ticket.
    TicketProduct,
    /// The service of the catalogue; the one in the ticket stands in the body.
    Product,
}

/// The spellings of one instance.
pub(crate) struct Forms {
    pub(crate) date: &'static str,
    pub(crate) time: &'static str,
    /// How days are asked for.
    pub(crate) interval: Interval,
    /// What names a service that is booked.
    pub(crate) product: &'static str,
    pub(crate) redirect_by: RedirectBy,
    /// Other names of [`FIELDS`].
    pub(crate) fields: BTreeMap<String, String>,
    /// What `Source` says of tickets that the hall's administrator makes.
    pub(crate) source: Option<String>,
}

impl Forms {
    /// A body with the fields that have a value.
    pub(super) fn body(&self, fields: &[(&str, Option<Json>)]) -> Json {
        let mut body = Map::new();
        for (name, value) in fields {
            if let Some(value) = value {
                let name = self.fields.get(*name).map_or(*name, String::as_str);
                body.insert(name.to_owned(), value.clone());
            }
        }
        Json::Object(body)
    }

    /// A date and a time as a path has them.
    pub(super) fn moment(&self, date: &str, time: &str) -> Result<[String; 2], ApplyFault> {
        let date: Date = date.parse().map_err(|_| refused("`params.date` is no `2024-07-10`"))?;
        let time: Time = time.parse().map_err(|_| refused("`params.time` is no `09:30`"))?;
        Ok([date.strftime(self.date).to_string(), time.strftime(self.time).to_string()])
    }

    /// Whether a ticket's `Source` says that the hall's administrator made it; `None` where it does not say.
    pub(super) fn is_ours(&self, source: Option<&Json>) -> Option<bool> {
        let source = source.filter(|source| !source.is_null())?;
        if let Some(wanted) = &self.source {
            let is_it = |value: &Json| value.as_str() == Some(wanted);
            let mut fields = source.as_object().into_iter().flat_map(Map::values);
            return Some(is_it(source) || fields.any(is_it));
        }
        // TicketSourceType of the ticket export.
        const HALL_ADMINISTRATOR_API: i64 = 2;
        number(&source["Type"]).map(|kind| kind == HALL_ADMINISTRATOR_API)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn forms(source: Option<&str>) -> Forms {
        Forms {
            date: "%d.%m.%Y",
            time: "%H:%M",
            interval: Interval { form: "%Y-%m-%d" },
            product: "productId",
            redirect_by: RedirectBy::TicketProduct,
            fields: [("userId".to_owned(), "UserId".to_owned())].into(),
            source: source.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_sent_is_spelled_as_configured() {
        let forms = forms(None);
        assert_eq!(forms.moment("2024-07-10", "09:30").unwrap(), ["10.07.2024", "09:30"]);
        for (date, time) in [("10.07.2024", "09:30"), ("2024-07-10", "9.30"), ("", "")] {
            assert!(forms.moment(date, time).is_err(), "{date} {time}");
        }
        let body = forms.body(&[("userId", Some(json!("u"))), ("priority", None)]);
        assert_eq!(body, json!({ "UserId": "u" }));
    }

    #[test]
    fn a_ticket_tells_by_its_source_who_made_it_or_does_not_tell() {
        for (wanted, source, expected) in [
            (Some("hall"), json!({ "Name": "hall" }), Some(true)),
            (Some("hall"), json!("hall"), Some(true)),
            (Some("hall"), json!({ "Name": "terminal" }), Some(false)),
            (Some("hall"), Json::Null, None),
            (None, json!({ "Type": 2 }), Some(true)),
            (None, json!({ "Type": "0" }), Some(false)),
            (None, json!({ "Name": "hall" }), None),
        ] {
            assert_eq!(forms(wanted).is_ours(Some(&source)), expected, "{wanted:?} {source}");
        }
    }
}
