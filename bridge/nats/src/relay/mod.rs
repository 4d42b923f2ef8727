//! Relays from and to NATS.
//!
//! [`source`] reads a stream, [`core`](mod@core) subjects that no stream keeps, [`sink`] writes to a stream.
//! [`place`] says what is called how on a target.

mod core;
mod message;
mod place;
mod sink;
mod source;

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

    fn losses(&self, spec: &SinkSpec, _: &[String]) -> Result<Vec<String>, BusFault> {
        Handle::current().block_on(async {
            let connection = self.session.connection(&Grant::unlimited("")).await?;
            sink::losses(&connection, &self.session.prefix, spec).await
        })
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
