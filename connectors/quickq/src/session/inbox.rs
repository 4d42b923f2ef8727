//! What becomes of a message that arrives.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::exchange::{Answer, Exchange, Push, lock};
use super::failure::Failure;
use crate::frame::{Frame, Read, UpstreamError};
use crate::texts::texts;

impl Exchange {
    /// Takes a frame in, which may be several messages.
    pub(super) fn take(&self, frame: &Bytes) {
        *lock(&self.heard) = Instant::now();
        if let Some(read) = Frame::of(frame) {
            return self.take_message(read);
        }
        for text in texts(frame) {
            match Frame::read(text) {
                Ok(read) => self.take_message(read),
                Err(unreadable) => self.put_aside(unreadable.text, unreadable.command.as_deref()),
            }
        }
    }

    /// Takes a message in: for who waits for it, and for who follows its list.
    fn take_message(&self, Read { frame, token }: Read) {
        let frame = Arc::new(frame);
        let is_list = lock(&self.pushes).contains_key(&frame.command);
        if is_list && frame.error.is_none() {
            if !frame.has_rows() {
                return self.put_aside(frame.text(), Some(&frame.command));
            }
            if self.is_overtaken(&frame) {
                tracing::debug!(command = frame.command, "a list that a newer one has overtaken");
            } else if let Some(sender) = lock(&self.pushes).get(&frame.command) {
                let made_ms = frame.made_ms.map(|at| (frame.command.clone(), at));
                lock(&self.made_ms).extend(made_ms);
                sender.send_replace(Push::List(frame.clone()));
            }
        }
        let Some((waiter, command)) = self.waiter(&frame) else {
            if frame.command.is_empty() {
                return self.put_aside(frame.text(), None);
            }
            if !is_list {
                tracing::debug!(command = frame.command, "a message that nobody waits for");
            }
            return;
        };
        let answer = match &frame.error {
            None => Ok((frame, token)),
            Some(error) => Err(refused(command, error)),
        };
        // Who stopped waiting needs no answer.
        waiter.send(answer).ok();
    }

    /// Whether a newer list of the same name came before this one: an answer may be late. What is older
    /// than an answer can be is not late: then the upstream's clock was set back.
    pub(super) fn is_overtaken(&self, list: &Frame) -> bool {
        let newest = lock(&self.made_ms).get(&list.command).copied();
        let late = |newest: i64| newest.saturating_sub(list.made_ms.unwrap_or(newest));
        let limit = i64::try_from(self.hub.config.request_timeout.as_millis()).unwrap_or(i64::MAX);
        newest.is_some_and(|newest| (1..=limit).contains(&late(newest)))
    }

    /// Who waits for this answer. A message without our id is a push where the server repeats ids; it
    /// satisfies a read of the same name all the same where it does not.
    fn waiter(&self, frame: &Frame) -> Option<(oneshot::Sender<Answer>, String)> {
        let mut waiting = lock(&self.waiting);
        if let Some(id) = &frame.id
            && let Some((name, sender)) = waiting.by_id.remove(id)
        {
            return Some((sender, name));
        }
        // A bare failure is about the one thing that was asked, if only one was.
        let only = waiting.by_name.keys().next().filter(|_| waiting.by_name.len() == 1);
        let name = if frame.command.is_empty() { only?.clone() } else { frame.command.clone() };
        let (_, sender) = waiting.by_name.remove(&name)?;
        Some((sender, name))
    }

    /// A message that cannot be read: a dead letter. Whoever waits for its command is told, and every
    /// list is to be read again, for it may have been any.
    fn put_aside(&self, text: Bytes, command: Option<&str>) {
        if let Some(dropped) = lock(&self.strays).put(text) {
            let connector = &self.hub.context.name;
            tracing::warn!(
                connector,
                dropped,
                "unreadable messages are dropped: too many wait already"
            );
        }
        if let Some(command) = command {
            let waiter = {
                let mut waiting = lock(&self.waiting);
                let id = waiting.by_id.iter().find(|(_, (name, _))| name == command);
                let id = id.map(|(id, _)| id.clone());
                let by_id = id.and_then(|id| waiting.by_id.remove(&id)).map(|(_, sender)| sender);
                by_id.or_else(|| waiting.by_name.remove(command).map(|(_, sender)| sender))
            };
            if let Some(waiter) = waiter {
                waiter.send(Err(Failure::Strange(command.to_owned()))).ok();
            }
        }
        for sender in lock(&self.pushes).values() {
            sender.send_replace(Push::Damaged);
        }
    }
}

fn refused(command: String, error: &UpstreamError) -> Failure {
    Failure::Refused { command, error: error.clone() }
}
