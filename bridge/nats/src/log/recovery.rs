//! Reading back what was published.
//!
//! Of the feeds and of the checkpoints the last record of each subject is enough.

use async_nats::header::NATS_MARKER_REASON;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use talon_runtime::bus::{BusFault, Grant, Place, Recovered};
use talon_sdk::Kind;

use crate::connection::Connection;
use crate::layout::{Layout, Route};
use crate::names;
use crate::read::{gone, read_to_end, rest_of, taken_ms};
use crate::streams::info;
use crate::writer::{Life, Sequences};

/// What reading back needs.
pub(crate) struct Recovery<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) layout: &'a Layout,
    pub(crate) grant: &'a Grant,
    /// Whether the sequences of subjects are needed.
    pub(crate) exactly_once: bool,
}

impl Recovery<'_> {
    /// Reads the feeds and the checkpoints to their ends.
    pub(crate) async fn run(
        &self,
        sequences: &mut Sequences,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let stream = &self.layout.feeds.name;
        let what = format!("stream `{stream}`");
        // What comes after this, and is not read, is a record of another process.
        let reached = info(self.connection, stream).await?.ok_or_else(|| gone(&what))?;
        self.feeds(sequences, each).await?;
        sequences.recovered_to(reached.state.last_sequence);
        self.checkpoints(sequences, each).await
    }

    /// The same of what is there, for who takes nothing over.
    pub(crate) async fn run_where_there(
        &self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let mut sequences = Sequences::new();
        if info(self.connection, &self.layout.feeds.name).await?.is_some() {
            self.feeds(&mut sequences, each).await?;
        }
        if info(self.connection, &self.layout.checkpoints.below.name).await?.is_some() {
            self.checkpoints(&mut sequences, each).await?;
        }
        Ok(())
    }

    async fn feeds(
        &self,
        sequences: &mut Sequences,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let stream = &self.layout.feeds.name;
        let subjects = self.layout.feeds.subjects.clone();
        let last = DeliverPolicy::LastPerSubject;
        read_to_end(
            self.connection,
            self.grant,
            (stream, subjects, last),
            &mut |message, sequence| self.take_feed(message, sequence, sequences, each),
        )
        .await
    }

    async fn checkpoints(
        &self,
        sequences: &mut Sequences,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let stream = &self.layout.checkpoints.below.name;
        let prefix = format!("$KV.{}.", self.layout.checkpoints.name);
        let subjects = vec![format!("{prefix}>")];
        let last = DeliverPolicy::LastPerSubject;
        read_to_end(
            self.connection,
            self.grant,
            (stream, subjects, last),
            &mut |message, sequence| {
                let key =
                    message.subject.strip_prefix(prefix.as_str()).and_then(names::checkpoint_key);
                // The keys that say that a stream was created are no checkpoints.
                let Some(key) = key else { return Ok(()) };
                sequences.recover_checkpoint(&key, sequence);
                let value = Some(&message.payload[..]).filter(|value| !value.is_empty());
                each(
                    Place::Checkpoints,
                    Recovered { key: &key, value, event_id: None, at_ms: taken_ms(message) },
                )
            },
        )
        .await
    }

    fn take_feed(
        &self,
        message: &Message,
        sequence: u64,
        sequences: &mut Sequences,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let found = self.layout.routes.iter().enumerate().find_map(|(place, route)| match route {
            Route::Feed { subject, kind, keep } => {
                let token = message.subject.strip_prefix(subject.as_str())?;
                Some((place, token, *kind, *keep))
            }
            Route::DeadLetters { .. } => None,
        });
        let header = |name: &str| message.headers.as_ref().and_then(|headers| headers.get(name));
        // The server's own marker tells nothing that its empty value does not.
        let marker = message.payload.is_empty() || header(NATS_MARKER_REASON.as_ref()).is_some();
        if self.exactly_once {
            let life = match found {
                Some((_, _, _, keep)) if marker => Life::For(rest_of(message, keep)),
                Some((_, _, Kind::Table, _)) => Life::Lasting,
                _ => Life::Passing,
            };
            sequences.recover(&message.subject, sequence, life);
        }
        // A subject that is no key's is no entity of ours.
        let Some((place, token, _, _)) = found else { return Ok(()) };
        let Some(key) = names::key(token) else { return Ok(()) };
        let value = (!marker).then_some(&message.payload[..]);
        let event_id = header("talon-event-id").map(|id| id.as_str().as_bytes());
        each(
            Place::Topic(place),
            Recovered { key: &key, value, event_id, at_ms: taken_ms(message) },
        )
    }
}
