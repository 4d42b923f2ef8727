//! A whole list.

use std::future::Future;

use async_trait::async_trait;

use super::whole::whole;
use crate::{Clock, Cursor, Fault, Feed, Observation, Rows};

/// A list that is read as a whole. A closure that reads it is one.
#[async_trait]
pub trait List: Send {
    /// Reads all of it.
    async fn rows(&mut self) -> Result<Rows, Fault>;
}

#[async_trait]
impl<F, R> List for F
where
    F: FnMut() -> R + Send,
    R: Future<Output = Result<Rows, Fault>> + Send,
{
    async fn rows(&mut self) -> Result<Rows, Fault> {
        self().await
    }
}

/// A feed that is a whole list: what is not in it is absent.
pub struct ListFeed<L> {
    list: L,
    clock: Clock,
}

impl<L: List> ListFeed<L> {
    /// Reads that list.
    pub fn new(clock: Clock, list: L) -> ListFeed<L> {
        ListFeed { list, clock }
    }
}

#[async_trait]
impl<L: List> Feed for ListFeed<L> {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let as_of_ms = self.clock.now_ms();
        let rows = self.list.rows().await?;
        Ok(whole(String::new(), rows, from.is_none(), as_of_ms))
    }
}
