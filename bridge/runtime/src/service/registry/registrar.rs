//! Registers schemas: each once in a process, one after another.
//!
//! A schema that is known to the registry costs one request. A new one costs two, or three and one for each
//! version where its subject has others: they are compared here, because registries need not have a rule.
//!
//! # Failures
//!
//! - Two processes register the same: both get its id.
//! - The registry answers 409 or 500 because another one is at work: it is looked up and tried again.
//! - It refuses by a rule of its own: it is tried a few times, then its words are shown.
//! - A process is killed at any point: the next one looks up what is there.

use apache_avro::Schema;
use serde::Deserialize;
use talon_schemas::compatibility::{Mismatch, is_same, is_same_on_the_wire};
use talon_schemas::{Message, Writer};
use tokio::sync::Semaphore;

use super::client::{Client, Request, TRIES, pauses};
use super::level::{Level, Reader};
use super::options::Options;
use super::remembered::{Given, Remembered};
use crate::bus::BusFault;

/// How many are looked up at the same time.
const LOOK_UPS: usize = 8;

/// A schema that is to be registered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'s> {
    pub(super) text: &'s str,
    pub(super) parsed: &'s Schema,
}

impl<'s> From<&'s Message> for Text<'s> {
    fn from(message: &'s Message) -> Text<'s> {
        Text { text: message.text(), parsed: message.schema() }
    }
}

impl From<&'static Writer> for Text<'static> {
    fn from(writer: &'static Writer) -> Text<'static> {
        Text { text: writer.text(), parsed: writer.schema() }
    }
}

/// Registers schemas.
pub(super) struct Registrar {
    level: Level,
    auto_register: bool,
    use_latest: bool,
    remembered: Remembered,
    /// Turns to look up, first come, first served.
    look_ups: Semaphore,
    /// The turn to register: one at a time, see the head of [`super`].
    writer: Semaphore,
}

/// What a registry has of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is there, under this id.
    Registered(u32),
    /// Its subject has no schema.
    New,
    /// It may be added.
    Compatible {
        /// The newest version that differs in docs, aliases or properties alone.
        alike: Option<u32>,
    },
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

#[derive(Deserialize)]
struct Compatible {
    is_compatible: bool,
}

/// A version of a subject.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    id: u32,
    version: u32,
    schema: String,
    /// Left out for Avro.
    schema_type: Option<String>,
}

impl Registrar {
    pub(super) fn new(options: &Options) -> Registrar {
        Registrar {
            level: options.compatibility,
            auto_register: options.auto_register,
            use_latest: options.use_latest,
            remembered: Remembered::default(),
            look_ups: Semaphore::new(LOOK_UPS),
            writer: Semaphore::new(1),
        }
    }

    pub(super) async fn check(
        &self,
        client: &Client,
        subject: &str,
        schema: Text<'_>,
    ) -> Result<Standing, BusFault> {
        let standing = self.look(client, subject, schema).await?;
        if let Standing::Compatible { .. } = standing {
            // The registry may have a rule that is stricter, and its word is the last.
            let path = format!("/compatibility/subjects/{subject}/versions/latest");
            let answer = client.ask(&Request::post(path, schema.text)).await?;
            if let Ok(Some(Compatible { is_compatible: false })) = answer.found() {
                return Err(BusFault::Misconfigured(format!(
                    "the registry's own rule of subject `{subject}` refuses the schema; relax the subject's compatibility in the registry"
                )));
            }
        }
        Ok(standing)
    }

    pub(super) async fn register(
        &self,
        client: &Client,
        subject: &str,
        schema: Text<'_>,
    ) -> Result<u32, BusFault> {
        let known = self.remembered.of(subject);
        let mut known = known.lock().await;
        if let Some(id) = known.as_ref().and_then(|given| given.id_of(schema.text)) {
            return Ok(id);
        }
        let id = match self.look(client, subject, schema).await? {
            Standing::Registered(id) => id,
            Standing::Compatible { alike: Some(id) } if !self.auto_register => id,
            _ if !self.auto_register || self.use_latest => return Err(not_there(subject)),
            Standing::New => self.add(client, subject, schema, None).await?,
            Standing::Compatible { alike } => self.add(client, subject, schema, alike).await?,
        };
        *known = Some(Given::now(schema.text, id));
        Ok(id)
    }

    /// Adds a schema to its subject. Where this client may not, the version that is alike does.
    async fn add(
        &self,
        client: &Client,
        subject: &str,
        schema: Text<'_>,
        alike: Option<u32>,
    ) -> Result<u32, BusFault> {
        let request = Request::post(format!("/subjects/{subject}/versions"), schema.text);
        let mut pauses = pauses();
        for tried in 1.. {
            // Not held in the pauses: a schema that is refused holds up no other. It is never closed.
            let turn = self.writer.acquire().await.ok();
            let answer = client.once(&request).await?;
            drop(turn);
            match (answer.is_conflict() || answer.is_for_the_moment(), alike) {
                (true, _) if tried < TRIES => tokio::time::sleep(pauses.next(None)).await,
                (true, _) if answer.is_conflict() => {
                    return Err(BusFault::Misconfigured(format!(
                        "the registry refuses the schema of subject `{subject}` (409): {}; relax the subject's compatibility in the registry, or delete the subject",
                        answer.words()
                    )));
                }
                (false, Some(id)) if answer.is_read_only() => return Ok(id),
                (false, None) if answer.is_read_only() => return Err(not_there(subject)),
                _ => match answer.found::<Registered>()? {
                    Some(registered) => return Ok(registered.id),
                    None => break,
                },
            }
            if let Some(found) = self.look_up(client, subject, schema).await?.1 {
                return Ok(found);
            }
        }
        Err(BusFault::Unavailable("the schema registry takes no schema".to_owned()))
    }

    /// What there is, and whether the schema goes with it.
    async fn look(
        &self,
        client: &Client,
        subject: &str,
        schema: Text<'_>,
    ) -> Result<Standing, BusFault> {
        // It is never closed.
        let _turn = self.look_ups.acquire().await.ok();
        if self.use_latest {
            return latest(client, subject, schema).await;
        }
        match self.look_up(client, subject, schema).await? {
            (_, Some(id)) => Ok(Standing::Registered(id)),
            (true, None) => Ok(Standing::New),
            (false, None) => self.compare(client, subject, schema).await,
        }
    }

    /// Whether the subject is surely unknown, and the schema's id.
    async fn look_up(
        &self,
        client: &Client,
        subject: &str,
        schema: Text<'_>,
    ) -> Result<(bool, Option<u32>), BusFault> {
        let request = Request::post(format!("/subjects/{subject}"), schema.text);
        let answer = client.ask(&request).await?;
        let found = answer.found::<Registered>()?.map(|found| found.id);
        Ok((answer.is_unknown_subject(), found))
    }

    /// Holds the schema against the versions of its subject, newest first. One that is the same but for
    /// its spelling is it.
    async fn compare(
        &self,
        client: &Client,
        subject: &str,
        schema: Text<'_>,
    ) -> Result<Standing, BusFault> {
        let path = format!("/subjects/{subject}/versions");
        let versions: Vec<u32> =
            client.ask(&Request::get(path)).await?.found()?.unwrap_or_default();
        let (mut alike, mut refused, mut is_newest) = (None, None, true);
        for version in versions.iter().rev() {
            let Some(there) = version_of(client, subject, &version.to_string()).await? else {
                continue;
            };
            let parsed = there.parsed();
            if parsed.as_ref().is_some_and(|old| is_same(schema.parsed, old)) {
                return Ok(Standing::Registered(there.id));
            }
            if is_newest || self.level.is_transitive() {
                let compared = self.compare_with(subject, schema.parsed, &there, parsed.as_ref());
                refused = refused.or(compared.err());
            }
            if parsed.as_ref().is_some_and(|old| is_same_on_the_wire(schema.parsed, old)) {
                alike = alike.or(Some(there.id));
            }
            is_newest = false;
        }
        match refused {
            Some(fault) => Err(fault),
            None if is_newest => Ok(Standing::New),
            None => Ok(Standing::Compatible { alike }),
        }
    }

    fn compare_with(
        &self,
        subject: &str,
        new: &Schema,
        there: &Version,
        old: Option<&Schema>,
    ) -> Result<(), BusFault> {
        if self.level == Level::named("NONE") {
            return Ok(());
        }
        let Some(old) = old else {
            return Err(incompatible(subject, there.version, "it is no Avro schema"));
        };
        self.level.compare(new, old).map_err(|(reader, Mismatch { field, what })| {
            let who = match reader {
                Reader::New => "a consumer with the new schema cannot read what is there",
                Reader::Old => "a consumer with the registered schema cannot read what is new",
            };
            let field =
                if field.is_empty() { "the record".to_owned() } else { format!("field `{field}`") };
            incompatible(subject, there.version, &format!("{field} {what}: {who}"))
        })
    }
}

impl Version {
    fn parsed(&self) -> Option<Schema> {
        let is_avro = self.schema_type.as_deref().is_none_or(|kind| kind == "AVRO");
        is_avro.then(|| Schema::parse_str(&self.schema).ok()).flatten()
    }
}

async fn version_of(
    client: &Client,
    subject: &str,
    version: &str,
) -> Result<Option<Version>, BusFault> {
    let path = format!("/subjects/{subject}/versions/{version}");
    client.ask(&Request::get(path)).await?.found()
}

/// The newest version, which must write what Talon writes.
async fn latest(client: &Client, subject: &str, schema: Text<'_>) -> Result<Standing, BusFault> {
    let Some(there) = version_of(client, subject, "latest").await? else {
        return Ok(Standing::New);
    };
    match there.parsed() {
        Some(old) if is_same_on_the_wire(schema.parsed, &old) => Ok(Standing::Registered(there.id)),
        _ => Err(BusFault::Misconfigured(format!(
            "version {} of subject `{subject}`, the newest, has other fields than this version of Talon writes; register Talon's with `talon schemas --register`",
            there.version
        ))),
    }
}

fn incompatible(subject: &str, version: u32, why: &str) -> BusFault {
    BusFault::Misconfigured(format!(
        "the schema is incompatible with version {version} of subject `{subject}`: {why}; delete the subject or use another `talon.prefix`, or, if every consumer knows, set `schema.registry.compatibility: NONE` for one start"
    ))
}

fn not_there(subject: &str) -> BusFault {
    BusFault::Misconfigured(format!(
        "the schema of subject `{subject}` is not in the registry, and is not registered by this process; run `talon schemas --register` with an account that may"
    ))
}
