//! Feeds `branch` and `ticket_source`: whole lists. What is not in one is absent.

use std::sync::Arc;

use async_trait::async_trait;
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, Observation};

use crate::export::catalogue::Catalogue;

pub(crate) struct WholeList {
    catalogue: Arc<Catalogue>,
    clock: Clock,
    of: Of,
}

enum Of {
    Branches,
    Sources,
}

impl WholeList {
    pub(crate) fn branches(catalogue: Arc<Catalogue>, clock: Clock) -> WholeList {
        WholeList { catalogue, clock, of: Of::Branches }
    }

    pub(crate) fn sources(catalogue: Arc<Catalogue>, clock: Clock) -> WholeList {
        WholeList { catalogue, clock, of: Of::Sources }
    }
}

#[async_trait]
impl Feed for WholeList {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let as_of_ms = self.clock.now_ms();
        let rows = match self.of {
            Of::Branches => self.catalogue.read_branches().await?.rows,
            Of::Sources => self.catalogue.upstream.sources().await?.rows()?,
        };
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Full,
            rows,
            // There is no place to read on from; the cursor only says that the first read is over.
            cursor: Some(Cursor("read".to_owned())),
            snapshot: from.is_none(),
            as_of_ms,
        })
    }
}
