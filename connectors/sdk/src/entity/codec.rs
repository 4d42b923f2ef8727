//! A feed whose rows are records.

use std::marker::PhantomData;

use jiff::tz::TimeZone;

use super::how::{How, Place};
use super::item::Item;
use crate::privacy::{Policy, Privacy};
use crate::record::{Extra, Record, decode, peek_scalar};
use crate::{Row, RowCodec, RowFault};

/// A record that is the entity of a feed.
pub trait Entity: for<'a> Record<Of<'a>: Item<'a>> {
    /// The upstream's name of the key.
    const KEY: &'static str;

    /// Takes what only the scope tells of an entity, once it has settled.
    ///
    /// # Errors
    /// Where no entity can be of that scope.
    fn take_scope(_: &mut Self::Of<'_>, _scope: &str) -> Result<(), RowFault> {
        Ok(())
    }

    /// Writes the key of an entity, once it has settled and taken its scope.
    ///
    /// # Errors
    /// Where there is no entity in the row.
    fn key(of: &Self::Of<'_>, key: &mut String) -> Result<(), RowFault>;

    /// When the upstream changed it, where the row tells that: microseconds since 1970 UTC.
    fn changed_at(_: &Self::Of<'_>) -> Option<i64> {
        None
    }

    /// Writes the key of a row without reading all of it; `false` where it takes more than that.
    /// By default the key is the whole number under [`Entity::KEY`].
    fn peek(row: &[u8], _scope: &str, key: &mut String) -> bool {
        peek_scalar(row, Self::KEY, key) && key.parse::<i64>().is_ok()
    }
}

/// Reads the rows of a feed as the records of its entity.
pub struct Codec<E> {
    zone: TimeZone,
    zones: Vec<(String, TimeZone)>,
    privacy: Privacy,
    of: PhantomData<fn() -> E>,
}

impl<E: Entity> Codec<E> {
    /// Under a configuration.
    pub fn new(zone: TimeZone, privacy: Privacy) -> Codec<E> {
        Codec { zone, zones: Vec::new(), privacy, of: PhantomData }
    }

    /// With other zones for the instants under these upstream names.
    #[must_use]
    pub fn zones(self, zones: Vec<(String, TimeZone)>) -> Codec<E> {
        Codec { zones, ..self }
    }
}

impl<E: Entity> RowCodec for Codec<E> {
    fn peek_key(&self, row: &[u8], scope: &str, key: &mut String) -> bool {
        let is_key = E::peek(row, scope, key);
        if !is_key {
            key.clear();
        }
        is_key
    }

    fn decode(&self, row: &[u8], scope: &str, out: &mut Row) -> Result<(), RowFault> {
        decode::<E, _>(row, |mut entity| {
            let how = How { zone: &self.zone, zones: &self.zones, privacy: &self.privacy };
            entity.settle(
                &Place { from: "", policy: Policy::Keep, how: &how },
                &mut Extra::default(),
            );
            E::take_scope(&mut entity, scope)?;
            E::key(&entity, &mut out.key)?;
            out.ts_ms = E::changed_at(&entity).map(|micros| micros.div_euclid(1000));
            entity.write(&mut out.value);
            Ok(())
        })
    }
}
