//! A bus that takes everything and keeps nothing.

use std::hint::black_box;

use talon_runtime::bus::{Append, Bus, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};

/// For what an event costs before it reaches a client library.
pub(crate) struct Void;

impl Bus for Void {
    fn describe(&self) -> String {
        "nothing".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(self.describe())
    }

    fn open(&self, _shard: &ShardSpec, _grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        Ok(Box::new(Void))
    }
}

impl ShardLog for Void {
    fn recover(
        &mut self,
        _each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        Ok(())
    }

    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault> {
        black_box(record);
        Ok(())
    }

    fn commit(&mut self, _checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        Ok(())
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}
