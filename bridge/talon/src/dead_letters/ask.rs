//! Asking whoever runs a connector to settle dead letters.

use std::time::Duration;

use jiff::Timestamp;
use talon_runtime::bus::{Entry, Expected, Told, WriteFault};
use talon_runtime::engine::Order;
use tokio::sync::mpsc::Receiver;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::{Answer, DeadLetters, Report, Request, Trouble, key};

/// What both stores say of a connector's dead letters now.
#[derive(Default)]
struct Known {
    request: Option<(Request, u64)>,
    /// Something stands there, whatever it is.
    revision: Option<u64>,
    answer: Option<Answer>,
}

/// The two stores, as they are followed.
struct Followed {
    key: String,
    configs: Receiver<Told>,
    states: Receiver<Told>,
    /// Whether each was read as a whole.
    current: (bool, bool),
    known: Known,
    trouble: Option<String>,
}

impl Followed {
    /// Waits for something new; `false` if there is nothing until then.
    async fn next(&mut self, end: Instant) -> bool {
        let told = async {
            tokio::select! {
                told = self.configs.recv() => (told, true),
                told = self.states.recv() => (told, false),
            }
        };
        let Ok((Some(told), of_configs)) = timeout_at(end, told).await else { return false };
        match told {
            Told::Current if of_configs => self.current.0 = true,
            Told::Current => self.current.1 = true,
            Told::Trouble(fault) => self.trouble = Some(fault.to_string()),
            Told::Entry(Entry { key, value, revision }) if key == self.key => match of_configs {
                true => {
                    self.known.revision = Some(revision);
                    self.known.request = Request::of_json(&value).map(|found| (found, revision));
                }
                false => self.known.answer = Answer::of_json(&value),
            },
            Told::Removed(key) if key == self.key => match of_configs {
                true => (self.known.request, self.known.revision) = (None, None),
                false => self.known.answer = None,
            },
            Told::Entry(_) | Told::Removed(_) => {}
        }
        true
    }

    /// Whether somebody else's request is still to be answered.
    fn is_busy(&self, now_ms: i64) -> bool {
        let Some((request, _)) = &self.known.request else { return false };
        let is_answered = self.known.answer.as_ref().is_some_and(|answer| answer.id == request.id);
        !is_answered && !request.is_over(now_ms)
    }
}

impl DeadLetters {
    /// Asks, and waits for the answer. A request that nobody has answered by then is withdrawn.
    pub(super) async fn ask(
        &self,
        connector: &str,
        order: Order,
        patience: Duration,
    ) -> Result<Report, Trouble> {
        let end = Instant::now() + patience;
        let mut followed = Followed {
            key: key(connector),
            configs: self.configs.follow(),
            states: self.states.follow(),
            current: (false, false),
            known: Known::default(),
            trouble: None,
        };
        let request = loop {
            let now_ms = Timestamp::now().as_millisecond();
            if followed.current == (true, true) && !followed.is_busy(now_ms) {
                let request = Request::new(order.clone(), now_ms);
                match self.write(&followed, Some(&request)).await {
                    Err(WriteFault::Conflict) => {}
                    // Whether it stands there, its answer tells.
                    Ok(_) | Err(WriteFault::Unclear(_)) => break request,
                    Err(WriteFault::Bus(fault)) => return Err(Trouble::Bus(fault.to_string())),
                }
            }
            if !followed.next(end).await {
                return Err(match (followed.current, followed.trouble) {
                    ((true, true), _) => Trouble::NotCarriedOut(format!(
                        "somebody else settles dead letters of `{connector}` and has no answer yet; try again"
                    )),
                    (_, Some(trouble)) => Trouble::Bus(trouble),
                    _ => Trouble::Bus("the stores of the group cannot be read in time".to_owned()),
                });
            }
        };
        let answered = loop {
            if let Some(answer) = followed.known.answer.take_if(|answer| answer.id == request.id) {
                break Some(answer.report);
            }
            if !followed.next(end).await {
                break None;
            }
        };
        // What was read back of it: an answered request is only in the way, and an unanswered one is withdrawn.
        let is_ours =
            followed.known.request.as_ref().is_some_and(|(found, _)| found.id == request.id);
        if is_ours {
            self.write(&followed, None).await.ok();
        }
        match answered {
            Some(report) => match &report.trouble {
                Some(trouble) if report.rulings.is_empty() => {
                    Err(Trouble::NotCarriedOut(trouble.clone()))
                }
                _ => Ok(report),
            },
            None => Err(Trouble::NotCarriedOut(self.silence(connector).await)),
        }
    }

    /// Writes a request, or takes it back, if what stands there is what was read.
    async fn write(
        &self,
        followed: &Followed,
        request: Option<&Request>,
    ) -> Result<u64, WriteFault> {
        let (configs, key) = (self.configs.clone(), followed.key.clone());
        let expected = followed.known.revision.map_or(Expected::Absent, Expected::Revision);
        let value = request.map(Request::to_json);
        let writing = spawn_blocking(move || configs.write(&key, value.as_deref(), expected));
        writing.await.unwrap_or(Err(WriteFault::Conflict))
    }

    /// Why nobody answers, as far as can be told.
    async fn silence(&self, connector: &str) -> String {
        let (bus, name) = (self.bus.clone(), connector.to_owned());
        let owner = spawn_blocking(move || bus.owner(&name)).await;
        match owner {
            Ok(Ok(Some(process))) => format!(
                "`{process}` runs `{connector}` and has not answered in time; what it may have settled, the list tells"
            ),
            Ok(Ok(None)) => format!(
                "nobody runs `{connector}`, so nothing was settled: start it, or resume it (`PUT /connectors/{connector}/resume`), and ask again"
            ),
            _ => "nobody has answered in time; what was settled, the list tells".to_owned(),
        }
    }
}
