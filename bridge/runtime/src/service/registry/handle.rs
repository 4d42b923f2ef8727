//! The registry, as the rest of the process has it.

use std::sync::Arc;
use std::time::Duration;

use talon_schemas::{Message, Writer};

use super::by_id::ById;
use super::client::Client;
use super::options::Options;
use super::probe::{self, Seen};
use super::registrar::{Registrar, Standing};
use crate::bus::BusFault;

/// For how long it is believed that the registry does not have an id, while what was published is read
/// back: that is one request an id, whatever stands on the topics.
pub(crate) const RECOVERY: Duration = Duration::from_secs(60);

/// And while commands are read: the schema of the next one may just have been registered.
pub(crate) const COMMANDS: Duration = Duration::from_secs(1);

/// And while a relay converts values: records whose id there is not come in thousands.
pub(crate) const RELAYED: Duration = Duration::from_secs(10);

/// Where schemas are registered. Cheap to clone; clones share what is known.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    client: Client,
    registrar: Registrar,
    by_id: ById,
}

impl Registry {
    /// Reads the certificate files and, for https, the machine's authorities; asks nothing yet.
    ///
    /// # Errors
    /// [`BusFault::Misconfigured`] where a file cannot be used.
    pub fn new(options: Options) -> Result<Registry, BusFault> {
        let registrar = Registrar::new(&options);
        let client = Client::new(options)?;
        Ok(Registry(Arc::new(Inner { client, registrar, by_id: ById::default() })))
    }

    /// The subject of a topic's values.
    pub fn subject(topic: &str) -> String {
        format!("{topic}-value")
    }

    /// What the registry has of a topic's schema. Registers nothing.
    ///
    /// # Errors
    /// [`BusFault::Misconfigured`] where it may not be registered, with the field and the remedy.
    pub async fn check(
        &self,
        topic: &str,
        schema: &impl AsRef<Message>,
    ) -> Result<Standing, BusFault> {
        let Inner { client, registrar, .. } = &*self.0;
        registrar.check(client, &Registry::subject(topic), schema.as_ref().into()).await
    }

    /// The id of a topic's schema, which is registered where it is not there. Asks nothing where this
    /// process has asked a moment ago. May be called by many at once: they take turns.
    ///
    /// # Errors
    /// As [`Registry::check`], and where it may not be registered by this client.
    pub async fn register(
        &self,
        topic: &str,
        schema: &impl AsRef<Message>,
    ) -> Result<u32, BusFault> {
        let Inner { client, registrar, .. } = &*self.0;
        registrar.register(client, &Registry::subject(topic), schema.as_ref().into()).await
    }

    /// As [`Registry::register`], for a schema that is not Talon's own.
    pub(crate) async fn register_other(
        &self,
        topic: &str,
        schema: &'static Writer,
    ) -> Result<u32, BusFault> {
        let Inner { client, registrar, .. } = &*self.0;
        registrar.register(client, &Registry::subject(topic), schema.into()).await
    }

    /// Asks each address whether a schema registry answers there.
    pub async fn probe(&self) -> Vec<Seen> {
        probe::probe(&self.0.client).await
    }

    /// A schema by its id; `None` where there is none of that id, which is asked again after `believed`.
    pub(crate) async fn by_id(
        &self,
        id: u32,
        believed: Duration,
    ) -> Result<Option<&'static Writer>, BusFault> {
        self.0.by_id.get(&self.0.client, id, believed).await
    }

    /// What an earlier answer says of an id, if it is believed still.
    pub(crate) fn remembered(
        &self,
        id: u32,
        believed: Duration,
    ) -> Option<Option<&'static Writer>> {
        self.0.by_id.remembered(id, believed)
    }
}
