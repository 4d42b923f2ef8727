//! Opens a feed by its name.

use std::sync::Arc;

use talon_sdk::feeds::{ListFeed, ScopedListFeed};
use talon_sdk::{Fault, Feed};

use super::booking::Bookings;
use super::dated::DatedFeed;
use super::day::BranchClock;
use super::known::Known;
use super::menu;
use super::places::{Of, Places};
use super::schedule::{Days, Schedule, Slots};
use super::today::Today;
use crate::rest::client::{As, Shared};
use crate::rest::config::Config;

/// The feed of that name.
///
/// # Errors
/// There is none.
pub(crate) fn open(
    feed: &str,
    config: &Config,
    upstream: Shared,
    clock: BranchClock,
    known: Arc<Known>,
) -> Result<Box<dyn Feed>, Fault> {
    let interval = config.interval(feed);
    let places = |of, client_ids: &[String]| {
        let (upstream, client_ids) = (upstream.clone(), client_ids.to_vec());
        let places = Places { upstream, of, client_ids };
        Box::new(ScopedListFeed::new(clock.clock.clone(), interval, places)) as Box<dyn Feed>
    };
    let schedule = || Schedule {
        upstream: upstream.clone(),
        products: config.products.clone(),
        parameter: config.product_parameter,
        date_form: config.date_form,
        slot_days: config.slot_days,
    };
    // A plain list: what is not in it is absent.
    macro_rules! list {
        (|$upstream:ident| $rows:expr) => {{
            let shared = upstream.clone();
            Box::new(ListFeed::new(clock.clock.clone(), move || {
                let $upstream = shared.clone();
                async move { $rows.await }
            }))
        }};
    }
    let (categories, with_booking) = (config.categories, config.booking_menu);
    Ok(match feed {
        "board_call" => places(Of::Board, &config.boards),
        "workplace" => places(Of::State, &config.workplaces),
        "operator_queue" => places(Of::Queue, &config.workplaces),
        "personal_queue" => places(Of::Personal, &config.workplaces),
        "survey" => places(Of::Survey, &config.surveys),
        "ticket" => Box::new(Today::new(upstream, clock)),
        "booking" => {
            let bookings = Bookings { upstream };
            Box::new(DatedFeed::new(clock, known, interval, bookings))
        }
        "booking_day" => Box::new(DatedFeed::new(clock, known, interval, Days(schedule()))),
        "booking_slot" => Box::new(DatedFeed::new(clock, known, interval, Slots(schedule()))),
        "product" => list!(|upstream| upstream.products(categories)),
        "menu" => list!(|upstream| upstream.list(As::Hall, "GET /config/menus")),
        "menu_item" => {
            let children = config.children.clone();
            Box::new(ListFeed::new(clock.clock.clone(), move || {
                let (upstream, children) = (upstream.clone(), children.clone());
                async move { menu::items(&upstream, &children, with_booking).await }
            }))
        }
        "branch" => list!(|upstream| upstream.list(As::Hall, "GET /config/servers")),
        "awaiting" => {
            list!(|upstream| upstream.list_or_one(As::Hall, "GET /queue/awaiting", "queue"))
        }
        "queue_statistics" => {
            list!(|upstream| upstream.list_or_one(As::Hall, "GET /queue/statistics", "queue"))
        }
        "network_load" => {
            list!(|upstream| upstream.list_or_one(As::Hall, "GET /queue/load", "network"))
        }
        other => return Err(Fault::Internal { reason: format!("no feed `{other}`") }),
    })
}
