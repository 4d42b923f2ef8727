//! The feed `booking`: booked tickets, grouped by days.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::civil::Date;
use serde_json::value::RawValue;
use talon_http::order::Order;
use talon_sdk::split::fields_of;
use talon_sdk::{Fault, Received, Rows, instant};

use super::dated::{Dated, Slices};
use super::day::{BranchClock, date_of};
use crate::rest::client::{As, Shared};

const ENDPOINT: &str = "GET /queue/admin/booking";

pub(crate) struct Bookings {
    pub(crate) upstream: Shared,
}

#[async_trait]
impl Dated for Bookings {
    async fn read(&mut self, clock: &BranchClock) -> Result<Slices, Fault> {
        let body = self.upstream.read(As::Hall, &Order::plain(ENDPOINT)).await?.as_it_came();
        let mut slices = Slices { covered: vec![String::new()], ..Slices::default() };
        for (label, rows) in groups(body)? {
            for row in rows.iter() {
                let row = Bytes::copy_from_slice(row);
                slices.latest_ms = slices.latest_ms.max(made_ms(&row, clock));
                let day = label.or_else(|| booked_day(&row, clock));
                // One that tells no day has none to be absent from.
                let scope = day.map_or_else(String::new, |day| day.to_string());
                slices.rows.entry(scope).or_default().push(row);
            }
            if let Some(day) = label {
                slices.rows.entry(day.to_string()).or_default();
            }
        }
        Ok(slices)
    }

    fn is_over(scope: &str, clock: &BranchClock) -> bool {
        scope.parse::<Date>().map_or(true, |day| day < clock.soon().date())
    }
}

/// The groups of a reply: a list of objects that have a day and a list, an object of lists under days, or
/// the bookings themselves. The document says only that they are grouped by days.
fn groups(body: Bytes) -> Result<Vec<(Option<Date>, Rows)>, Fault> {
    let other =
        || Fault::unavailable(format!("`{ENDPOINT}` was answered with other JSON than groups"));
    if body.trim_ascii().starts_with(b"{") {
        let fields = fields_of(&body).ok_or_else(other)?;
        let groups = fields.into_iter().map(|(name, place)| {
            let rows = Rows::of_array(body.slice(place)).map_err(|_| other())?;
            Ok((Some(date_of(&name).ok_or_else(other)?), rows))
        });
        return groups.collect();
    }
    let list = Received::new(ENDPOINT, body.clone()).rows()?;
    let mut groups = Vec::new();
    let mut alone = Vec::new();
    for row in list.iter() {
        let row = Bytes::copy_from_slice(row);
        match group(&row) {
            Some(group) => groups.push(group),
            None => alone.push(row),
        }
    }
    if !alone.is_empty() {
        groups.push((None, Rows::of_bodies(&alone)));
    }
    Ok(groups)
}

/// A group: an object without an identifier, with a list of objects and maybe a day.
fn group(row: &Bytes) -> Option<(Option<Date>, Rows)> {
    let fields = fields_of(row)?;
    if fields.iter().any(|(name, _)| name == "Id") {
        return None;
    }
    let rows = fields.iter().find_map(|(_, place)| {
        let value = row.slice(place.clone());
        value.starts_with(b"[").then(|| Rows::of_array(value).ok())?
    })?;
    let day = fields.iter().find_map(|(_, place)| {
        date_of(&serde_json::from_slice::<String>(&row[place.clone()]).ok()?)
    });
    Some((day, rows))
}

/// When a booking was made, by the configured zone, ms since 1970 UTC.
fn made_ms(row: &[u8], clock: &BranchClock) -> Option<i64> {
    #[derive(serde::Deserialize)]
    struct Head {
        #[serde(rename = "Created", alias = "CreatedTime")]
        created: Option<String>,
    }
    let created = serde_json::from_slice::<Head>(row).ok()?.created?;
    Some(instant::micros(&created, &clock.zone)?.div_euclid(1000))
}

/// The day that a booking is for, where its group does not say it.
fn booked_day(row: &[u8], clock: &BranchClock) -> Option<Date> {
    #[derive(serde::Deserialize)]
    struct Head<'a> {
        #[serde(rename = "Products", borrow)]
        services: Option<Vec<&'a RawValue>>,
    }
    #[derive(serde::Deserialize)]
    struct Service {
        #[serde(rename = "StartTime")]
        starts: Option<String>,
    }
    let services = serde_json::from_slice::<Head<'_>>(row).ok()?.services?;
    let starts = services
        .iter()
        .filter_map(|service| serde_json::from_str::<Service>(service.get()).ok()?.starts);
    starts.filter_map(|starts| clock.day_of(&starts)).min()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn shown(body: &'static str) -> Vec<(Option<Date>, Vec<String>)> {
        let groups = groups(Bytes::from_static(body.as_bytes())).unwrap().into_iter();
        let texts =
            |rows: Rows| rows.iter().map(|row| String::from_utf8(row.to_vec()).unwrap()).collect();
        groups.map(|(day, rows)| (day, texts(rows))).collect()
    }

    #[test]
    fn bookings_are_found_however_they_are_grouped() {
        let day = Some(date(2024, 7, 11));
        let rows = || vec![r#"{"Id":"a"}"#.to_owned(), r#"{"Id":"b"}"#.to_owned()];
        for body in [
            r#"[{"Date":"2024-07-11T00:00:00","Tickets":[{"Id":"a"},{"Id":"b"}]}]"#,
            r#"[{"Count":2,"Items":[{"Id":"a"},{"Id":"b"}],"Day":"11.07.2024"}]"#,
            r#"{"2024-07-11":[{"Id":"a"},{"Id":"b"}]}"#,
        ] {
            assert_eq!(shown(body), [(day, rows())], "{body}");
        }
        assert_eq!(shown(r#"[{"Id":"a"},{"Id":"b"}]"#), [(None, rows())]);
        // A day without bookings is one all the same.
        assert_eq!(shown(r#"[{"Date":"2024-07-11","Tickets":[]}]"#), [(day, vec![])]);
        for body in ["{\"UserMessage\":\"x\"}", "null", "7", "<html>"] {
            assert!(groups(Bytes::from_static(body.as_bytes())).is_err(), "{body}");
        }
    }
}
