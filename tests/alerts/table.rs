//! The table of faults, alerts and seconds.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::fault::Row;

/// The table as Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| Fault | Alert | Seen after, s | What it says | Others meanwhile | Gone after, s |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    let seconds = |time: Option<Duration>| {
        time.map_or_else(|| "not".to_owned(), |time| format!("{:.0}", time.as_secs_f64()))
    };
    for row in rows {
        let others: Vec<&str> = row.others.iter().map(String::as_str).collect();
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            row.fault,
            row.alert,
            seconds(row.seen),
            row.summary,
            others.join(", "),
            seconds(row.cleared),
        )
        .unwrap();
    }
    text
}

/// What is committed.
pub(crate) fn report(
    factor: u32,
    rows: &[Row],
    lasts: Duration,
    quiet: Option<&[BTreeSet<String>; 2]>,
) -> String {
    let mut text = format!(
        "# Faults, and the alerts that tell them\n\n\
         Written by the program beside it: `TALON_ALERTS=whole TALON_ALERTS_FACTOR={factor} cargo test -p talon --test alerts -- --nocapture whole`.\n\
         Each fault has processes of its own, some at once, on two processors that other work shared, with an unoptimised build.\n\
         Prometheus asks and evaluates every {:.0} s with the rules that ship, their times divided by {factor}; \
         the product's own times, and limits in seconds, are those of production.\n\n",
        15.0 / f64::from(factor),
    );
    text.push_str(&table(rows));
    let shown = quiet.map_or_else(
        || "The quiet day was left out.".to_owned(),
        |[nats, kafka]| {
            let all: Vec<&str> = nats.iter().chain(kafka).map(String::as_str).collect();
            let fired = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
            format!(
                "The quiet day, with the rules as they are: {} s on each bus; two processes, three connectors, \
                 changes, commands, a restart, a rolling restart, a pause. Alerts: {fired}.",
                lasts.as_secs(),
            )
        },
    );
    text + "\n" + &shown + "\n"
}
