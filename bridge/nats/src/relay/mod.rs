//! Relays from and to NATS.
//!
//! [`source`] reads a stream, [`core`](mod@core) subjects that no stream keeps, [`sink`] writes to a stream.
//! [`place`] says what is called how on a target.

mod core;
mod place;
mod sink;
mod source;

use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Info;
use talon_runtime::bus::{BusFault, Grant};
use talon_runtime::relay::{RelayBus, Selection, Sink, SinkSpec, Source, SourceSpec};
use tokio::runtime::Handle;

use crate::Nats;

use self::core::CoreSource;
use self::sink::NatsSink;
use self::source::StreamSource;

impl RelayBus for Nats {
    fn describe(&self) -> String {
        talon_runtime::bus::Bus::describe(self)
    }

    fn source(&self, spec: &SourceSpec, grant: &Grant) -> Result<Box<dyn Source>, BusFault> {
        let connection = Handle::current().block_on(self.session.connection(grant))?;
        match &spec.selection {
            Selection::Stream { stream, subjects } => {
                let filters = subjects.clone();
                Ok(Box::new(StreamSource::open(connection, stream, filters, grant.clone())?))
            }
            Selection::Subjects(subjects) => {
                Ok(Box::new(CoreSource::open(connection, subjects, grant.clone())))
            }
            Selection::Topics(_) => Err(BusFault::Misconfigured(
                "NATS: a relay reads a stream or subjects here, and no topics".to_owned(),
            )),
        }
    }

    fn sink(&self, spec: &SinkSpec, grant: &Grant) -> Result<Box<dyn Sink>, BusFault> {
        let sink = Handle::current().block_on(NatsSink::open(&self.session, spec, grant))?;
        Ok(Box::new(sink))
    }
}

/// When a stream was created, nanoseconds since 1970 UTC: tells it from another of its name.
fn created(info: &Info) -> u64 {
    u64::try_from(info.created.unix_timestamp_nanos()).unwrap_or_default()
}

/// How a stream is called among the buses that a record has passed.
fn bus_of(stream: &str, created: u64) -> String {
    format!("nats:{stream}@{created}")
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or_default()
}

/// Headers as pairs. Those of one name are in their order.
fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let of_name = |(name, values): (&async_nats::HeaderName, &Vec<async_nats::HeaderValue>)| {
        let name: &str = name.as_ref();
        let pair = |value: &async_nats::HeaderValue| (name.to_owned(), value.as_str().to_owned());
        values.iter().map(pair).collect::<Vec<_>>()
    };
    headers.iter().flat_map(of_name).collect()
}
