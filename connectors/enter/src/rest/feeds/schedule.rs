//! The feeds `booking_day` and `booking_slot`: what can be booked.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use talon_http::order::Order;
use talon_sdk::Fault;
use talon_sdk::entity::{Flag, Int};

use super::dated::{Dated, Slices};
use super::day::BranchClock;
use crate::rest::client::{As, Shared};

const DAYS: &str = "GET /booking/schedule/days";
const TIMES: &str = "GET /booking/schedule/days/{date}";

/// What of the schedule is read.
#[derive(Clone)]
pub(crate) struct Schedule {
    pub(crate) upstream: Shared,
    /// Identifiers of the catalogue.
    pub(crate) products: Vec<String>,
    /// What names a product in the query: `productId` or `menuLinkId`.
    pub(crate) parameter: &'static str,
    /// The date in a path, as `strftime` has it.
    pub(crate) date_form: &'static str,
    /// For how many days from today the times are read.
    pub(crate) slot_days: i32,
}

/// `[{Year, Months: [{Month, Days: [{Day, Free}]}]}]`, from public pages.
#[derive(Deserialize)]
struct Year<'a> {
    #[serde(rename = "Year")]
    year: Int,
    #[serde(rename = "Months", borrow)]
    months: Vec<Month<'a>>,
}

#[derive(Deserialize)]
struct Month<'a> {
    #[serde(rename = "Month")]
    month: Int,
    #[serde(rename = "Days", borrow)]
    days: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Day {
    #[serde(rename = "Day")]
    day: Int,
    #[serde(rename = "Free")]
    is_free: Option<Flag>,
}

impl Schedule {
    /// The days of a product: the date, whether it is free, and the row.
    async fn days(&self, product: &str) -> Result<Vec<(Date, bool, Bytes)>, Fault> {
        let order = Order::plain(DAYS).query(self.parameter, product);
        let body = self.upstream.read(As::Visitor, &order).await?.as_it_came();
        days_of(product, &body).ok_or_else(|| {
            Fault::unavailable(format!("`{DAYS}` was answered with other JSON than years of days"))
        })
    }

    /// The times of a day of a product: the hour of each, and its row.
    async fn times(&self, product: &str, date: Date) -> Result<Vec<(String, Bytes)>, Fault> {
        let of_path = date.strftime(self.date_form).to_string();
        let order = Order::new(TIMES, &[of_path]).query(self.parameter, product);
        let rows = self.upstream.read(As::Visitor, &order).await?.rows()?;
        Ok(rows.iter().map(|row| slot_of(product, date, row)).collect())
    }
}

fn days_of(product: &str, body: &[u8]) -> Option<Vec<(Date, bool, Bytes)>> {
    let years: Vec<Year<'_>> = serde_json::from_slice(body).ok()?;
    let mut days = Vec::new();
    for year in years {
        for month in &year.months {
            for raw in &month.days {
                let day: Day = serde_json::from_str(raw.get()).ok()?;
                let date = Date::new(
                    year.year.0.try_into().ok()?,
                    month.month.0.try_into().ok()?,
                    day.day.0.try_into().ok()?,
                );
                let date = date.ok()?;
                let is_free = day.is_free.is_none_or(|Flag(is_free)| is_free);
                let row = format!(
                    "{{\"ProductId\":{},\"Date\":\"{date}\",\"Of\":{}}}",
                    json!(product),
                    raw.get()
                );
                days.push((date, is_free, Bytes::from(row)));
            }
        }
    }
    Some(days)
}

/// The hour of a time, and its row. One whose time cannot be read has no hour, and its row tells why.
fn slot_of(product: &str, date: Date, row: &[u8]) -> (String, Bytes) {
    let text = String::from_utf8_lossy(row);
    let value: serde_json::Value = serde_json::from_slice(row).unwrap_or_default();
    let time = [&value["Time"], &value["StartTime"], &value]
        .into_iter()
        .filter_map(serde_json::Value::as_str)
        .find_map(time_of);
    let time = time.map(|time| match time.second() {
        0 => time.strftime("%H:%M").to_string(),
        _ => time.strftime("%H:%M:%S").to_string(),
    });
    let hour = time.as_deref().map_or("", hour_of).to_owned();
    let of = if value.is_object() { text } else { format!("{{\"Slot\":{text}}}").into() };
    let of = if value.is_string() { "null".into() } else { of };
    let time = json!(time);
    let row = format!(
        "{{\"ProductId\":{},\"Date\":\"{date}\",\"Time\":{time},\"Of\":{of}}}",
        json!(product)
    );
    (hour, Bytes::from(row))
}

fn time_of(text: &str) -> Option<Time> {
    let time = text.split('T').next_back()?;
    time.parse().ok()
}

/// The hour of `09:30`.
pub(crate) fn hour_of(time: &str) -> &str {
    time.get(..2).unwrap_or(time)
}

/// The feed `booking_day`. The scope is `product/date`.
pub(crate) struct Days(pub(crate) Schedule);

#[async_trait]
impl Dated for Days {
    async fn read(&mut self, _: &BranchClock) -> Result<Slices, Fault> {
        let mut slices = Slices::default();
        for product in &self.0.products {
            match self.0.days(product).await {
                Err(fault) => slices.failed.push(fault),
                Ok(days) => {
                    slices.covered.push(format!("{product}/"));
                    for (date, _, row) in days {
                        slices.rows.entry(format!("{product}/{date}")).or_default().push(row);
                    }
                }
            }
        }
        Ok(slices)
    }

    /// Today can be gone as soon as its last time is.
    fn is_over(scope: &str, clock: &BranchClock) -> bool {
        let date = scope.rsplit_once('/').and_then(|(_, date)| date.parse::<Date>().ok());
        date.is_none_or(|date| date <= clock.soon().date())
    }
}

/// The feed `booking_slot`. The scope is `product/date/hour`.
pub(crate) struct Slots(pub(crate) Schedule);

impl Slots {
    async fn of(&self, product: &str, until: Date, slices: &mut Slices) -> Result<(), Fault> {
        for (date, is_free, _) in self.0.days(product).await? {
            if date > until {
                continue;
            }
            // A day that is not free has no times.
            let times = if is_free { self.0.times(product, date).await? } else { Vec::new() };
            slices.covered.push(format!("{product}/{date}/"));
            for (hour, row) in times {
                slices.rows.entry(format!("{product}/{date}/{hour}")).or_default().push(row);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Dated for Slots {
    async fn read(&mut self, clock: &BranchClock) -> Result<Slices, Fault> {
        let today = clock.now().date();
        let until = today.checked_add(self.0.slot_days.days()).unwrap_or(today);
        let mut slices = Slices::default();
        for product in &self.0.products {
            if let Err(fault) = self.of(product, until, &mut slices).await {
                slices.failed.push(fault);
            }
        }
        Ok(slices)
    }

    /// A time is gone when it is past, so the hour that has begun tells nothing.
    fn is_over(scope: &str, clock: &BranchClock) -> bool {
        let begins = || -> Option<DateTime> {
            let (day, hour) = scope.rsplit_once('/')?;
            let (_, date) = day.rsplit_once('/')?;
            Some(date.parse::<Date>().ok()?.at(hour.parse().ok()?, 0, 0, 0))
        };
        begins().is_none_or(|begins| begins <= clock.soon())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_are_read_with_numbers_as_numbers_and_as_texts() {
        for body in [
            r#"[{"Year":2024,"Months":[{"Month":7,"Days":[{"Day":10,"Free":true},{"Day":11,"Free":false,"x":1}]}]}]"#,
            r#"[{"Months":[{"Days":[{"Free":1,"Day":"10"},{"Free":"0","Day":11.0,"x":1}],"Month":"7"}],"Year":2024.0}]"#,
        ] {
            let days = days_of("p", body.as_bytes()).unwrap();
            let shown: Vec<_> = days.iter().map(|(date, is_free, _)| (*date, *is_free)).collect();
            assert_eq!(shown, [(date(2024, 7, 10), true), (date(2024, 7, 11), false)]);
            assert!(days[1].2.ends_with(b"}}") && days[1].2.starts_with(b"{\"ProductId\":\"p\""));
        }
        assert!(days_of("p", b"{}").is_none());
        assert!(
            days_of("p", br#"[{"Year":2024,"Months":[{"Month":13,"Days":[{"Day":1}]}]}]"#)
                .is_none()
        );
    }

    #[test]
    fn a_time_is_read_alone_and_as_an_object() {
        for (row, hour, time) in [
            (r#""09:30""#, "09", r#""09:30""#),
            (r#"{"Time":"09:30:00","x":1}"#, "09", r#""09:30""#),
            (r#"{"StartTime":"2024-07-10T14:05:30"}"#, "14", r#""14:05:30""#),
            (r#"{"x":1}"#, "", "null"),
        ] {
            let (of, row) = slot_of("p", date(2024, 7, 10), row.as_bytes());
            let row = String::from_utf8(row.to_vec()).unwrap();
            assert_eq!(of, hour);
            assert!(row.contains(&format!("\"Time\":{time},")), "{row}");
            serde_json::from_str::<serde_json::Value>(&row).unwrap();
        }
    }
}
