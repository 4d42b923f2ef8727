//! A hall with very many tickets, whose list takes long.

use std::time::Instant;

use talon_brokers::unique;
use talon_simulators::enter_rest::{Fault, FaultKind, Settings, Simulator};

use super::topics::{configuration, noon};
use crate::support::{On, Talon, until};

const TICKETS: usize = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_tickets_are_read_and_a_list_that_takes_long_holds_up_no_other_feed() {
    let Some(address) = On::Nats.shared("rest_large") else { return };
    // Without noise: it is the size that counts.
    let upstream = Simulator::start(Settings {
        zone: noon(),
        visitors: TICKETS,
        visitors_per_hour: 0.0,
        operators_work: false,
        surveys_run: false,
        bookings: 0,
        bookings_per_hour: 0.0,
        ..Settings::default()
    })
    .await
    .unwrap();
    let body = upstream.look("queue/admin/tickets", None).unwrap().to_string().len();
    let list = "GET queue/admin/tickets";
    upstream.fault(Fault::from(FaultKind::HeldReply).only(list).times(1));
    let mut texts = configuration(&unique("large"), address, &upstream);
    for (key, text) in [
        ("feeds", "ticket,board_call,workplace"),
        ("upstream.request.timeout.ms", "60000"),
        ("commands", ""),
        ("before.image", "none"),
    ] {
        texts.insert(format!("connectors.hall.{key}"), text.to_owned());
    }
    let count = |row: &str| upstream.requests().get(row).copied().unwrap_or(0);
    let began = Instant::now();
    let mut talon = Talon::run(&texts);
    until("the list is asked for", async || count(list) > 0).await;
    let entities = "talon_feed_entities{connector=\"hall\",feed=\"ticket\"}";
    let board = "GET notifications/:clientId";
    let before = count(board);
    until("the board is read again and again", async || count(board) >= before + 20).await;
    upstream.release();
    until("all tickets are known", async || talon.metric(entities).await >= TICKETS as f64).await;
    println!(
        "{TICKETS} tickets in a list of {body} bytes: known after {:?}, {} bytes resident at the most",
        began.elapsed(),
        talon.largest_resident()
    );
    assert!(talon.terminate().await.success(), "{}", talon.log());
}
