//! The schema registry: Confluent's API, also spoken by Apicurio and Karapace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::StatusCode;
use serde::Deserialize;
use talon_schemas::wire::{Payload, Wire};
use talon_schemas::{Message, Writer};
use talon_sdk::config::Secret;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::backoff::Backoff;
use crate::bus::BusFault;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Schemas of one connector that are asked for at the same time.
const SIDE_BY_SIDE: usize = 8;

/// Schemas that one process registers at the same time.
const WRITERS: usize = 2;

/// How often a schema is registered that is refused for the moment, and the pauses between.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// For how long it is believed that the registry does not have an id, while what was published is read
/// back: that is one request an id, whatever stands on the topics.
pub(crate) const RECOVERY: Duration = Duration::from_secs(60);

/// And while commands are read: the schema of the next one may just have been registered.
pub(crate) const COMMANDS: Duration = Duration::from_secs(1);

/// Where schemas are registered. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    url: String,
    user_info: Option<Secret>,
    known: Mutex<HashMap<u32, Known>>,
    /// Turns to register something.
    writers: Semaphore,
}

/// What is known of an id.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// Its schema, which never changes.
    Schema(&'static Writer),
    /// That there is none, or none of Avro records, as of then.
    Nothing(Instant),
}

/// What the registry says of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compatibility {
    /// It is the first one.
    New,
    /// Consumers of what is there can go on.
    Compatible,
    /// They cannot.
    Incompatible,
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

#[derive(Deserialize)]
struct Compatible {
    is_compatible: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    schema: String,
    /// Left out for Avro.
    schema_type: Option<String>,
}

impl Registry {
    /// Does no I/O. `user_info` is `user:password`.
    ///
    /// # Errors
    /// Where the machine's TLS roots cannot be loaded.
    pub fn new(url: &str, user_info: Option<Secret>) -> Result<Registry, BusFault> {
        // The HTTP library is built without a crypto provider of its own choice. That one is
        // installed already is no error.
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(|error| {
            BusFault::Misconfigured(format!("no HTTP client for the schema registry: {error}"))
        })?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Registry(Arc::new(Inner {
            http,
            url,
            user_info,
            known: Mutex::default(),
            writers: Semaphore::new(WRITERS),
        })))
    }

    /// The subject of a topic's values.
    pub fn subject(topic: &str) -> String {
        format!("{topic}-value")
    }

    /// Whether a schema may be registered for a topic.
    pub async fn check(
        &self,
        topic: &str,
        schema: &impl AsRef<Message>,
    ) -> Result<Compatibility, BusFault> {
        let path = format!("/compatibility/subjects/{}/versions/latest", Registry::subject(topic));
        Ok(match self.post::<Compatible>(&path, schema.as_ref()).await? {
            None => Compatibility::New,
            Some(Compatible { is_compatible: true }) => Compatibility::Compatible,
            Some(Compatible { is_compatible: false }) => Compatibility::Incompatible,
        })
    }

    /// The id of a schema, which is registered after checking it where it is not there. The same schema
    /// again gives the same id.
    ///
    /// It is looked up first: that is one request instead of two where nothing is new, and a client may
    /// have the right to look up alone.
    pub async fn register(
        &self,
        topic: &str,
        schema: &impl AsRef<Message>,
    ) -> Result<u32, BusFault> {
        let subject = Registry::subject(topic);
        let path = format!("/subjects/{subject}");
        if let Some(found) = self.post::<Registered>(&path, schema.as_ref()).await? {
            return Ok(found.id);
        }
        if self.check(topic, schema).await? == Compatibility::Incompatible {
            return Err(BusFault::Misconfigured(format!(
                "the registry's schema of subject `{subject}` is incompatible with this version's: its consumers could not read new events; once they can, delete the subject, or set its compatibility to NONE until the new schema is registered; or use another `talon.prefix`"
            )));
        }
        let path = format!("/subjects/{subject}/versions");
        // It is never closed.
        let _turn = self.0.writers.acquire().await.ok();
        match self.post::<Registered>(&path, schema.as_ref()).await? {
            Some(registered) => Ok(registered.id),
            None => Err(BusFault::Misconfigured(
                "the schema registry does not know its own API; check `schema.registry.url`"
                    .to_owned(),
            )),
        }
    }

    /// Asks whether it answers.
    pub async fn probe(&self) -> Result<(), BusFault> {
        let request = self.authorized(self.0.http.get(format!("{}/subjects", self.0.url)));
        self.answer::<serde::de::IgnoredAny>(request).await.map(drop)
    }

    /// A schema by its id; `None` where there is none of that id, which is asked again after `believed`.
    pub(crate) async fn by_id(
        &self,
        id: u32,
        believed: Duration,
    ) -> Result<Option<&'static Writer>, BusFault> {
        if let Some(known) = self.remembered(id, believed) {
            return Ok(known);
        }
        let request = self.authorized(self.0.http.get(format!("{}/schemas/ids/{id}", self.0.url)));
        let text = self.answer::<Text>(request).await?;
        let is_avro = |text: &Text| text.schema_type.as_deref().is_none_or(|kind| kind == "AVRO");
        let writer = text.filter(is_avro).and_then(|text| Writer::parse(&text.schema));
        let known = writer.map_or_else(|| Known::Nothing(Instant::now()), Known::Schema);
        self.known().insert(id, known);
        Ok(writer)
    }

    /// What an earlier answer says of an id, if it is believed still.
    pub(crate) fn remembered(
        &self,
        id: u32,
        believed: Duration,
    ) -> Option<Option<&'static Writer>> {
        match self.known().get(&id)? {
            Known::Schema(writer) => Some(Some(*writer)),
            Known::Nothing(since) => (since.elapsed() < believed).then_some(None),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u32, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks again where it is refused for the moment: a registry may not be able to take several schemas at
    /// once, even of different subjects, nor to say what it has meanwhile (Apicurio answers 500 then).
    async fn post<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        schema: &Message,
    ) -> Result<Option<T>, BusFault> {
        let body = serde_json::json!({"schema": schema.text(), "schemaType": "AVRO"}).to_string();
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        for tried in 1.. {
            let request = self
                .0
                .http
                .post(format!("{}{path}", self.0.url))
                .header("content-type", "application/vnd.schemaregistry.v1+json")
                .body(body.clone());
            let (status, body) = send(self.authorized(request)).await?;
            if status.is_server_error() && tried < TRIES {
                tokio::time::sleep(backoff.next(None)).await;
            } else {
                return read(status, &body);
            }
        }
        Ok(None)
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let Some(user_info) = &self.0.user_info else { return request };
        let text = user_info.expose();
        let (user, password) = text.split_once(':').unwrap_or((&text, ""));
        request.basic_auth(user, Some(password))
    }

    /// `None` for 404.
    async fn answer<T: for<'de> Deserialize<'de>>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<Option<T>, BusFault> {
        let (status, body) = send(request).await?;
        read(status, &body)
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<(StatusCode, Bytes), BusFault> {
    let away = |error: reqwest::Error| {
        let what = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        BusFault::Unavailable(format!("the schema registry {what}"))
    };
    let reply = request.send().await.map_err(away)?;
    let status = reply.status();
    Ok((status, reply.bytes().await.map_err(away)?))
}

/// What an answer says; `None` for 404.
fn read<T: for<'de> Deserialize<'de>>(
    status: StatusCode,
    body: &[u8],
) -> Result<Option<T>, BusFault> {
    match status.as_u16() {
        200..=299 => serde_json::from_slice(body).map(Some).map_err(|_| {
            BusFault::Misconfigured(
                "what answers at `schema.registry.url` is no schema registry".to_owned(),
            )
        }),
        404 => Ok(None),
        401 | 403 => Err(BusFault::Misconfigured(format!(
            "the schema registry refuses access ({status}); check `schema.registry.basic.auth.user.info`"
        ))),
        409 | 422 => Err(BusFault::Misconfigured(format!(
            "the schema registry refuses the schema ({status})"
        ))),
        _ => Err(BusFault::Unavailable(format!("the schema registry answers {status}"))),
    }
}

/// The schemas of a shard's topics, for a thread that may block.
#[derive(Clone)]
pub(crate) struct Schemas {
    pub(crate) registry: Option<Registry>,
    pub(crate) runtime: Handle,
}

impl Schemas {
    /// Of a registry, if there is one. Must be called inside a Tokio runtime.
    pub(crate) fn new(registry: Option<Registry>) -> Schemas {
        Schemas { registry, runtime: Handle::current() }
    }

    /// How values of topics are written: a topic and its schema each. Registers the schemas where there
    /// is a registry, several at the same time.
    pub(crate) fn wires(&self, wanted: &[(&str, &Message)]) -> Result<Vec<Wire>, BusFault> {
        let Some(registry) = &self.registry else {
            return Ok(vec![Wire::SingleObject; wanted.len()]);
        };
        let register = |&(topic, schema)| async move {
            let id = registry.register(topic, schema).await?;
            Ok(Wire::Confluent { id })
        };
        let all = stream::iter(wanted).map(register).buffered(SIDE_BY_SIDE);
        self.runtime.block_on(all.try_collect())
    }

    /// The datum in a message that was read back, in today's schema; `None` where the message cannot be
    /// read. `is_ours` is asked of a datum in today's schema whether it holds what must stand in it.
    ///
    /// Whose schema the message names is not enough: a registry that was lost has given the id to another
    /// schema since, this one included.
    ///
    /// # Errors
    /// Where the registry is needed and does not answer.
    pub(crate) fn read_back(
        &self,
        of: &Message,
        payload: Payload<'_>,
        is_ours: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, BusFault> {
        let (named, datum) = match payload {
            Payload::Own(datum) => (None, datum),
            Payload::Fingerprinted(fingerprint, datum) => (of.earlier(fingerprint), datum),
            Payload::Registered(id, datum) => (self.by_id(id)?, datum),
            Payload::Json(json) => {
                return Ok(of.from_json(json).ok().filter(|datum| is_ours(datum)));
            }
            Payload::Foreign => return Ok(None),
        };
        let named = named
            .filter(|writer| of.is_written_by(writer))
            .and_then(|writer| of.upgrade(writer, datum).ok())
            .filter(|datum| is_ours(datum));
        Ok(match (named, payload) {
            (Some(datum), _) => Some(datum),
            // It says which schema it has, and that is none of those known.
            (None, Payload::Fingerprinted(..)) => None,
            (None, _) => of.recognise(datum, is_ours),
        })
    }

    /// Not by `block_on`: a bus may call from within a future of its own, where that panics.
    fn by_id(&self, id: u32) -> Result<Option<&'static Writer>, BusFault> {
        let Some(registry) = &self.registry else { return Ok(None) };
        if let Some(known) = registry.remembered(id, RECOVERY) {
            return Ok(known);
        }
        let (registry, (sender, answer)) = (registry.clone(), std::sync::mpsc::sync_channel(1));
        self.runtime.spawn(async move {
            // Who asked does not go away before the answer.
            sender.send(registry.by_id(id, RECOVERY).await).ok();
        });
        let stopping = |_| Err(BusFault::Unavailable("the process stops".to_owned()));
        answer.recv().unwrap_or_else(stopping)
    }
}
