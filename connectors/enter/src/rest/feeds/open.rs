//! Opens a feed by its name.

use std::sync::Arc;

use talon_http::order::Order;
use talon_sdk::feeds::{ListFeed, ScopedListFeed};
use talon_sdk::{Fault, Feed, Progress};

use super::booking::Bookings;
use super::dated::DatedFeed;
use super::day::BranchClock;
use super::history::History;
use super::indicators::Indicators;
use super::known::Known;
use super::menu;
use super::places::{Of, Places};
use super::schedule::{Days, Schedule, Slots};
use super::today::Today;
use crate::rest::client::{As, Shared};
use crate::rest::config::Config;

/// What the feeds are made of.
pub(crate) struct Opening<'c> {
    pub(crate) config: &'c Config,
    pub(crate) upstream: Shared,
    pub(crate) clock: BranchClock,
    pub(crate) known: Arc<Known>,
    pub(crate) progress: Progress,
}

/// The feed of that name.
///
/// # Errors
/// There is none.
pub(crate) fn open(feed: &str, opening: Opening<'_>) -> Result<Box<dyn Feed>, Fault> {
    let Opening { config, upstream, clock, known, progress } = opening;
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
    // A list, or an object that is the only one of it.
    let state = |endpoint: &'static str, id: &'static str| {
        let shared = upstream.clone();
        Box::new(ListFeed::new(clock.clock.clone(), move || {
            let upstream = shared.clone();
            async move { upstream.list_or_one(As::Hall, &Order::plain(endpoint), id).await }
        })) as Box<dyn Feed>
    };
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
        "awaiting" => state("GET /queue/awaiting", "queue"),
        "queue_statistics" => state("GET /queue/statistics", "queue"),
        "network_load" => state("GET /queue/load", "network"),
        "ticket_history" => {
            let (plan, clock) = (config.history.clone(), clock.clock);
            Box::new(History::new(upstream, plan, config.interval_form, clock, progress))
        }
        "service_indicator" => Box::new(Indicators {
            upstream,
            clock,
            interval: config.interval_form,
            end: config.indicator_end,
            first: config.history.backfill_from,
            is_behind: false,
        }),
        other => return Err(Fault::Internal { reason: format!("no feed `{other}`") }),
    })
}
