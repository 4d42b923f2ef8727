//! How days are asked for by `startDate` and `endDate`, of which the document says no more than the names.

use jiff::civil::{Date, DateTime};
use talon_http::order::Order;

/// Forms of a date in a query: as people write them, and as `strftime` does.
pub(crate) const INTERVAL_FORMS: &[(&str, &str)] = &[
    ("yyyy-MM-dd", "%Y-%m-%d"),
    ("dd.MM.yyyy", "%d.%m.%Y"),
    ("yyyyMMdd", "%Y%m%d"),
    ("yyyy-MM-ddTHH:mm:ss", "%Y-%m-%dT%H:%M:%S"),
];

/// What `endDate` is of a day that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndDate {
    /// The day itself: it belongs to the interval.
    Same,
    /// The day after it: that one does not belong to the interval.
    Next,
}

/// How an interval is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interval {
    /// As `strftime` has it.
    pub(crate) form: &'static str,
}

impl Interval {
    /// Asks for a day.
    pub(crate) fn of(self, endpoint: &'static str, day: Date, end: EndDate) -> Order {
        let next = day.tomorrow().unwrap_or(day);
        let until = match end {
            EndDate::Same => day.at(23, 59, 59, 0),
            EndDate::Next => next.at(0, 0, 0, 0),
        };
        let text = |at: DateTime| at.strftime(self.form).to_string();
        let order = Order::plain(endpoint).query("startDate", text(day.at(0, 0, 0, 0)));
        order.query("endDate", text(until))
    }
}
