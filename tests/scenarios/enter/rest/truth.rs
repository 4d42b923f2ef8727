//! What the topics must tell, feed by feed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use talon_enter::rest_contracts as contracts;
use talon_schemas::Contract;
use talon_simulators::enter_rest::Simulator;

/// The default of `day.turn.ms`.
const MARGIN_MS: i64 = 600_000;

/// The feeds of a branch.
pub(super) const OF_BRANCH: [&str; 16] = [
    "board_call",
    "ticket",
    "booking",
    "product",
    "menu",
    "menu_item",
    "awaiting",
    "booking_day",
    "booking_slot",
    "workplace",
    "operator_queue",
    "personal_queue",
    "survey",
    "queue_statistics",
    "service_indicator",
    "ticket_history",
];

/// The feeds of a central server.
pub(super) const OF_CENTRAL: [&str; 4] =
    ["branch", "queue_statistics", "network_load", "service_indicator"];

pub(super) fn contract(feed: &str) -> &'static Contract {
    match feed {
        "board_call" => &contracts::BOARD_CALL,
        "ticket" => &contracts::TICKET,
        "booking" => &contracts::BOOKING,
        "product" => &contracts::PRODUCT,
        "menu" => &contracts::MENU,
        "menu_item" => &contracts::MENU_ITEM,
        "branch" => &contracts::BRANCH,
        "awaiting" => &contracts::AWAITING,
        "booking_day" => &contracts::BOOKING_DAY,
        "booking_slot" => &contracts::BOOKING_SLOT,
        "workplace" => &contracts::WORKPLACE,
        "operator_queue" => &contracts::OPERATOR_QUEUE,
        "personal_queue" => &contracts::PERSONAL_QUEUE,
        "survey" => &contracts::SURVEY,
        "queue_statistics" => &contracts::QUEUE_STATISTICS,
        "network_load" => &contracts::NETWORK_LOAD,
        "service_indicator" => &contracts::SERVICE_INDICATOR,
        "ticket_history" => &contracts::TICKET_HISTORY,
        other => panic!("no feed `{other}`"),
    }
}

/// How what was published differs from what the upstream says now.
pub(super) fn differs(
    upstream: &Simulator,
    feed: &str,
    published: &BTreeMap<String, Value>,
) -> Option<String> {
    let truth = truth(upstream, feed);
    let shown: BTreeMap<String, Value> =
        published.iter().map(|(key, after)| (key.clone(), of_event(feed, after))).collect();
    // What passed is not deleted: a day that has begun, an hour that has begun or is about to.
    let soon = upstream.now_ms() + MARGIN_MS;
    let zone = TimeZone::get(&upstream.settings().zone).unwrap();
    let soon = Timestamp::from_millisecond(soon).unwrap().to_zoned(zone).datetime();
    let is_past = |key: &String| {
        let parts: Vec<&str> = key.split('/').collect();
        let date = || parts[1].parse::<Date>().unwrap();
        match feed {
            "booking_day" => date() <= soon.date(),
            // Those of the days before yesterday were told too, if anybody asked then.
            "service_indicator" => date() < soon.date().yesterday().unwrap(),
            "booking_slot" => date().at(parts[2][..2].parse().unwrap(), 0, 0, 0) <= soon,
            _ => false,
        }
    };
    let keys: BTreeSet<&String> = shown.keys().chain(truth.keys()).collect();
    let odd = keys.into_iter().find(|key| {
        let is_left = !truth.contains_key(*key) && is_past(key);
        shown.get(*key) != truth.get(*key) && !is_left
    })?;
    Some(format!("`{feed}` {odd}: {:?}, but upstream {:?}", shown.get(odd), truth.get(odd)))
}

/// A number, also as a text.
fn number(value: &Value) -> Value {
    value.as_str().and_then(|text| text.parse::<i64>().ok()).map_or(value.clone(), Value::from)
}

fn first<'v>(of: &'v Value, names: &[&str]) -> &'v Value {
    let found = names.iter().map(|name| &of[*name]).find(|value| !value.is_null());
    found.unwrap_or(&Value::Null)
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// What is compared of a ticket.
fn ticket(of: &Value, number_names: &[&str], services: &str, state: &str, id: &str) -> Value {
    let mut shown: Vec<Value> = list(&of[services])
        .iter()
        .map(|service| json!([service[id], number(&service[state])]))
        .collect();
    shown.sort_by_key(Value::to_string);
    json!([first(of, number_names), number(&of[state]), shown])
}

fn of_event(feed: &str, after: &Value) -> Value {
    match feed {
        "ticket" | "booking" | "ticket_history" => {
            ticket(after, &["full_number"], "services", "state_code", "id")
        }
        "service_indicator" => Value::Null,
        "board_call" | "operator_queue" | "personal_queue" => {
            json!([after["service"]["state_code"], after["service"]["product_id"]])
        }
        "workplace" => json!([after["is_on_break"], after["service"]["id"]]),
        "survey" => json!([after["survey_id"], after["question"]["id"]]),
        "menu_item" => json!([after["name"], after["parent_id"], after["product_id"]]),
        "booking_day" => json!(after["is_free"]),
        "booking_slot" => Value::Null,
        "awaiting" => json!(after["extra"]["Awaiting"]),
        "queue_statistics" | "network_load" => json!(after["waiting"]),
        _ => json!(after["name"]),
    }
}

/// What the upstream says now, by the keys of the feed.
pub(super) fn truth(upstream: &Simulator, feed: &str) -> BTreeMap<String, Value> {
    let look = |path: &str| upstream.look(path, None).unwrap();
    let at = |path: &str, place: &str| upstream.look(path, Some(place)).unwrap();
    let id = |row: &Value| row["Id"].as_str().unwrap().to_owned();
    let of_ticket = |row: &Value| {
        let shown = ticket(row, &["FullNumber", "Number"], "Products", "State", "Id");
        (id(row), shown)
    };
    let line = |place: &str, row: &Value| {
        let product = first(&row["Product"], &["Id"]);
        (format!("{place}/{}", id(row)), json!([number(&row["State"]), product]))
    };
    let places = upstream.workplaces();
    let named = |path: &str| -> BTreeMap<String, Value> {
        list(&look(path)).iter().map(|row| (id(row), row["Name"].clone())).collect()
    };
    match feed {
        "board_call" => {
            list(&look("notifications/board01")).iter().map(|row| line("board01", row)).collect()
        }
        "operator_queue" | "personal_queue" => {
            let path =
                if feed == "operator_queue" { "operation/queue" } else { "operation/personal" };
            let rows = places.iter().flat_map(|place| {
                list(&at(path, place)).into_iter().map(|row| line(place, &row)).collect::<Vec<_>>()
            });
            rows.collect()
        }
        "ticket" => list(&look("queue/admin/tickets")).iter().map(of_ticket).collect(),
        "ticket_history" => {
            list(&look(&interval(upstream, "tickets/history/list", Date::new(2000, 1, 1).unwrap())))
                .iter()
                .map(of_ticket)
                .collect()
        }
        "service_indicator" => {
            let zone = TimeZone::get(&upstream.settings().zone).unwrap();
            let now = Timestamp::from_millisecond(upstream.now_ms()).unwrap();
            let yesterday = now.to_zoned(zone).date().yesterday().unwrap();
            list(&look(&interval(upstream, "queue/statistics/history", yesterday)))
                .iter()
                .filter(|row| row["Date"].as_str().unwrap().starts_with(&yesterday.to_string()))
                .map(|row| {
                    let product = row["ProductId"].as_str().unwrap();
                    (format!("queue/{yesterday}/{product}"), Value::Null)
                })
                .collect()
        }
        "booking" => {
            let groups = match look("queue/admin/booking") {
                Value::Object(groups) => groups.into_iter().map(|(_, group)| group).collect(),
                groups => list(&groups).into_iter().map(|group| group["Tickets"].clone()).collect(),
            };
            let groups: Vec<Value> = groups;
            groups.iter().flat_map(list).map(|row| of_ticket(&row)).collect()
        }
        "product" => {
            let mut all = named("config/products/simple");
            all.extend(named("config/products"));
            all
        }
        "menu" => named("config/menus"),
        "menu_item" => {
            let mut all = BTreeMap::new();
            for menu in list(&look("config/menus")) {
                let menu = id(&menu);
                let tree = look(&format!("config/menus/{menu}"));
                for group in list(&tree["Items"]) {
                    let shown = json!([group["Name"], null, null]);
                    all.insert(format!("{menu}/{}", id(&group)), shown);
                    for item in list(&group["Items"]) {
                        let shown = json!([item["Name"], group["Id"], item["ProductId"]]);
                        all.insert(format!("{menu}/{}", id(&item)), shown);
                    }
                }
            }
            all
        }
        "awaiting" => list(&look("queue/awaiting"))
            .iter()
            .map(|row| {
                let text =
                    talon_schemas::canonical::canonical(&row["Awaiting"].to_string()).into_owned();
                (row["ProductId"].as_str().unwrap().to_owned(), json!(text))
            })
            .collect(),
        "booking_day" => days(upstream).into_iter().collect(),
        "booking_slot" => {
            let days: Vec<(String, Value)> = days(upstream).into_iter().take(8).collect();
            let mut all = BTreeMap::new();
            for (key, _) in days {
                let date = key.rsplit_once('/').unwrap().1;
                let date: Date = date.parse().unwrap();
                let date = date.strftime(&upstream.settings().date_form).to_string();
                let rows = look(&format!("booking/schedule/days/{date}?productId=310"));
                for row in list(&rows) {
                    all.insert(
                        format!("{key}/{}", &row["Time"].as_str().unwrap()[..5]),
                        Value::Null,
                    );
                }
            }
            all
        }
        "workplace" => places
            .iter()
            .map(|place| {
                let state = at("operation/state", place);
                (place.clone(), json!([state["IsBreak"], state["TicketProduct"]["Id"]]))
            })
            .collect(),
        "survey" => ["survey01", "survey02"]
            .into_iter()
            .map(|device| {
                let state = look(&format!("survey/{device}/state"));
                (device.to_owned(), json!([state["SurveyId"], state["Question"]["Id"]]))
            })
            .collect(),
        "branch" => named("config/servers"),
        _ => {
            let path = if feed == "network_load" { "queue/load" } else { "queue/statistics" };
            let rows = match look(path) {
                Value::Array(rows) => rows,
                one => vec![one],
            };
            rows.iter()
                .map(|row| {
                    let key = row["ServerId"].as_str().unwrap_or("network").to_owned();
                    (key, number(&row["WaitingCount"]))
                })
                .collect()
        }
    }
}

/// The path for everything since a day.
fn interval(upstream: &Simulator, path: &str, since: Date) -> String {
    let form = upstream.settings().query_date_form;
    let written = |day: Date| day.at(1, 0, 0, 0).strftime(&form).to_string();
    let until = Date::new(2100, 1, 1).unwrap();
    format!("{path}?startDate={}&endDate={}", written(since), written(until))
}

/// The days of the schedule of the product `310`, in order.
fn days(upstream: &Simulator) -> BTreeMap<String, Value> {
    let years = upstream.look("booking/schedule/days?productId=310", None).unwrap();
    let mut days = BTreeMap::new();
    for year in list(&years) {
        for month in list(&year["Months"]) {
            for day in list(&month["Days"]) {
                let [year, month, day_of] = [&year["Year"], &month["Month"], &day["Day"]]
                    .map(|value| number(value).as_i64().unwrap());
                days.insert(format!("310/{year:04}-{month:02}-{day_of:02}"), day["Free"].clone());
            }
        }
    }
    days
}
