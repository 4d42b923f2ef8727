//! A connector of one log, whose rows are their own keys and values.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use talon_sdk::{
    Connector, Coverage, Cursor, Fault, Feed, FeedPlan, FeedSpec, Observation, Row, RowCodec,
    RowFault, Rows,
};

mod contractor {
    talon_schemas::contracts! {
        "contractor":
        CALL_MESSAGE = "call_message",
    }
}

fn spec() -> Arc<FeedSpec> {
    FeedSpec::log("log", &contractor::CALL_MESSAGE).into()
}

/// Says which row a read gives.
type Read = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
pub(crate) struct OneLog(Read);

impl OneLog {
    pub(crate) fn of(read: impl Fn() -> String + Send + Sync + 'static) -> OneLog {
        OneLog(Arc::new(read))
    }
}

#[async_trait]
impl Connector for OneLog {
    fn feeds(&self) -> Vec<FeedPlan> {
        vec![FeedPlan { spec: spec(), interval: Duration::from_millis(1), codec: Arc::new(Codec) }]
    }

    fn open(&self, _: &str) -> Result<Box<dyn Feed>, Fault> {
        Ok(Box::new(self.clone()))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

#[async_trait]
impl Feed for OneLog {
    async fn next(&mut self, _: Option<&Cursor>) -> Result<Observation, Fault> {
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Delta,
            rows: Rows::of_one((self.0)().into()),
            cursor: None,
            snapshot: false,
            as_of_ms: 0,
        })
    }
}

struct Codec;

impl RowCodec for Codec {
    fn peek_key(&self, _: &[u8], _: &str, _: &mut String) -> bool {
        false
    }

    fn decode(&self, row: &[u8], _: &str, out: &mut Row) -> Result<(), RowFault> {
        out.key = String::from_utf8(row.to_vec()).unwrap();
        out.value = row.to_vec();
        Ok(())
    }
}
