//! The feeds: what each reads.

mod history;
mod opened;
pub(crate) mod specs;

use std::sync::Arc;

use talon_http::soap::Caller;
use talon_sdk::entity::Codec;
use talon_sdk::feeds::{MeteredFeed, is_cursor};
use talon_sdk::{Context, Fault, Feed, RowCodec};

use crate::config::Config;
use crate::entity::{COLUMNS, OpenTreatment, Treatment};
use history::History;
use opened::Opened;

/// How the rows of a feed read.
pub(crate) fn codec(feed: &str, config: &Config) -> Arc<dyn RowCodec> {
    let (zone, zones) = (config.zone.clone(), config.zones.clone());
    let privacy = config.privacy.clone();
    match feed {
        "treatment" => Arc::new(Codec::<Treatment<'_>>::new(zone, privacy).zones(zones)),
        _ => Arc::new(Codec::<OpenTreatment<'_>>::new(zone, privacy).zones(zones)),
    }
}

/// Opens a feed.
pub(crate) fn open(
    feed: &str,
    config: &Config,
    http: talon_http::Client,
    context: &Context,
) -> Result<Box<dyn Feed>, Fault> {
    let upstream = Caller::new(http, config.credentials.clone(), COLUMNS);
    let quota = config.quota.clone();
    let timeout = config.http.request_timeout;
    Ok(match feed {
        "treatment" => {
            let (plan, filter) = (config.plan.clone(), config.filter.clone());
            let history = History { upstream, plan, filter, progress: context.progress() };
            Box::new(MeteredFeed::new(history, quota, timeout, context))
        }
        "open_treatment" => {
            let (interval, filter) = (config.open_interval, config.filter.clone());
            let opened = Opened { upstream, interval, filter };
            Box::new(MeteredFeed::new(opened, quota, timeout, context))
        }
        other => return Err(Fault::Internal { reason: format!("no feed `{other}`") }),
    })
}

/// Whether a feed can go on from a cursor.
pub(crate) fn can_go_on(feed: &str, cursor: &talon_sdk::Cursor) -> bool {
    match feed {
        "treatment" => is_cursor::<History>(cursor),
        _ => is_cursor::<Opened>(cursor),
    }
}
