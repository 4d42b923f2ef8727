//! How the shard settles dead letters.
//!
//! Its thread alone publishes, so between the look at what is known and the commit nothing else happens. All that a
//! letter comes to is committed with the record that it is settled ([`settled`](crate::shard::settled)): on Kafka in one
//! transaction; on NATS the record follows, and what was published twice in between is found known.
//!
//! How it can fail, and what holds then:
//!
//! * *Killed at any line before the commit.* Nothing is settled; the request is carried out again. On NATS, and where
//!   much was appended and committed in between, some of it may be there: a row is then found known, and a letter that
//!   was put aside anew stands there twice, of which each can be settled.
//! * *The commit fails.* The shard is opened anew and reads back what is settled; who asked is told nothing, and asks
//!   again.
//! * *Two requests for the same letter.* One thread takes them one after another; the second finds it settled.
//! * *The row's entity changes in between.* It cannot: that is published by this thread too. What changed since the
//!   letter was put aside is known by the event that it named ([`Past`]).

use std::time::Instant;

use talon_sdk::{Coverage, Observation, Rows};

use super::Shard;
use crate::bus::dead_letter::{ENTITY, FIRST_FAILED_AT, MESSAGE, REDRIVE_COUNT};
use crate::bus::{Append, BusFault, DeadLetter, settled_key};
use crate::service::metrics::Stage;
use crate::service::progress::Progress;
use crate::shard::change::{Past, Redriven};
use crate::shard::inbox::{MOST_REDRIVES, Request, Ruling, Sighting, Step};
use crate::shard::pace::Pace;
use crate::shard::settled::{MOST_BYTES, Settled, Verdict};
use crate::shard::state::Known;
use crate::shard::transaction::Transaction;

/// What a letter came to, and why.
type Ruled = (Verdict, String);

impl Shard {
    /// Settles letters, commits, and tells who asked.
    pub(super) fn settle_letters(
        &mut self,
        request: Request,
        pace: &Pace,
        progress: &Progress,
    ) -> Result<(), BusFault> {
        if request.is_of_another_topic {
            self.settled = Settled::default();
        }
        self.settled.forget_before(request.oldest);
        let before = self.settled.clone();
        let mut transaction = Transaction::new(pace, progress);
        let mut rulings = Vec::with_capacity(request.letters.len());
        for (letter, step) in &request.letters {
            let (verdict, note) = self.rule(letter, step, &request, &mut transaction)?;
            if verdict.settles() && !request.dry_run {
                self.settled.add(letter.at, letter.at_ms, verdict);
            }
            rulings.push(Ruling { at: letter.at, verdict, note });
        }
        if self.settled != before {
            let record = (settled_key(&self.name), self.settled.encode());
            match self.log.commit(&[record]) {
                // What was appended stands, and the letters are found known, or stand anew.
                Err(BusFault::TooLarge(why)) => {
                    self.settled = before;
                    self.log.commit(&[])?;
                    for ruling in rulings.iter_mut().filter(|ruling| ruling.verdict.settles()) {
                        ruling.verdict = Verdict::Refused;
                        ruling.note =
                            format!("the record of what is settled is not written: {why}");
                    }
                }
                other => other?,
            }
            match transaction.is_open() {
                true => transaction.committed(Instant::now()),
                false => progress.committed(),
            }
            for feed in &mut self.feeds {
                feed.frame.metrics.count(&mut feed.tally);
            }
        }
        // Who asked may be gone.
        request.answer.send(rulings).ok();
        Ok(())
    }

    fn rule(
        &mut self,
        letter: &DeadLetter,
        step: &Step,
        request: &Request,
        transaction: &mut Transaction,
    ) -> Result<Ruled, BusFault> {
        if let Some(verdict) = self.settled.of(letter.at) {
            return Ok((Verdict::Already, verdict.word().to_owned()));
        }
        if !request.dry_run && self.settled.encode().len() > MOST_BYTES {
            let why = "too many letters between others are settled: settle older ones first";
            return refused(why);
        }
        let is_redrive = !matches!(step, Step::Discard);
        if is_redrive && letter.redriven() >= MOST_REDRIVES && !request.once_more {
            return Ok((Verdict::Refused, too_often(letter)));
        }
        match step {
            Step::Discard => Ok((Verdict::Discarded, String::new())),
            Step::PutBack => Ok((
                Verdict::Redriven,
                "put back to the commands; its outcome is on the results topic".to_owned(),
            )),
            Step::Unreadable(why) => {
                self.put_aside_again(letter, why, request.dry_run, transaction)
            }
            Step::Redrive => self.redrive(letter, request.dry_run, transaction),
        }
    }

    /// Decodes a row anew, and publishes what is new of it.
    fn redrive(
        &mut self,
        letter: &DeadLetter,
        dry_run: bool,
        transaction: &mut Transaction,
    ) -> Result<Ruled, BusFault> {
        if let Some(bytes) = letter.cut_of() {
            return Ok((
                Verdict::Refused,
                format!("only the beginning of its {bytes} bytes is kept"),
            ));
        }
        if letter.stage() != Stage::Decode.word() {
            return refused(
                "it is no row but an event that the bus did not take: allow larger records, then `talon offsets reset` makes the feed read its entity again; discard the letter",
            );
        }
        let Some(place) = self.feeds.iter().position(|feed| *feed.frame.feed == *letter.feed())
        else {
            let feed = letter.feed();
            return Ok((Verdict::Refused, format!("the connector reads no feed `{feed}` now")));
        };
        let age_ms = self.clock.now_ms() - letter.at_ms;
        let Known::Entities(differ) = &mut self.feeds[place].known else {
            return refused(
                "it is a fact that the row of another feed tells: it comes with the next change of that row",
            );
        };
        let past = Past::of(letter.header(ENTITY));
        match differ.redrive(&letter.value, letter.scope(), past, age_ms) {
            Redriven::Known => Ok((Verdict::Known, "what it says is published".to_owned())),
            Redriven::Changed(why) => Ok((Verdict::Changed, why.to_owned())),
            Redriven::Unreadable(fault) => {
                self.put_aside_again(letter, &fault.0, dry_run, transaction)
            }
            Redriven::New if dry_run => Ok((Verdict::Redriven, String::new())),
            Redriven::New => {
                let sighting = sighting(letter, place, self.clock.now_ms());
                let summary = self.observe(&sighting, transaction)?;
                Ok(match summary.dead {
                    0 => (Verdict::Redriven, String::new()),
                    _ => {
                        (Verdict::Again, "it could not be read, and was put aside anew".to_owned())
                    }
                })
            }
        }
    }

    /// Puts a letter aside anew, with today's reason, and counts.
    fn put_aside_again(
        &mut self,
        letter: &DeadLetter,
        why: &str,
        dry_run: bool,
        transaction: &mut Transaction,
    ) -> Result<Ruled, BusFault> {
        let Some(first) = self.feeds.first() else { return refused(why) };
        let note = format!("it still cannot be read: {why}");
        if dry_run {
            return Ok((Verdict::Again, note));
        }
        let (count, since) =
            ((letter.redriven() + 1).to_string(), letter.first_failed_ms().to_string());
        let changed =
            [(MESSAGE, why), (REDRIVE_COUNT, count.as_str()), (FIRST_FAILED_AT, since.as_str())];
        let kept = letter.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let kept = kept.filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let headers: Vec<(&str, &[u8])> =
            kept.chain(changed).map(|(name, value)| (name, value.as_bytes())).collect();
        let append = Append {
            topic: first.frame.dead_letters,
            key: &letter.key,
            value: Some(&letter.value),
            headers: &headers,
        };
        match transaction.append(self.log.as_mut(), &append) {
            Err(BusFault::TooLarge(_)) => refused("with its headers it is too large for the bus"),
            other => other.map(|()| (Verdict::Again, note)),
        }
    }
}

/// A row as an observation that says nothing of others.
fn sighting(letter: &DeadLetter, feed: usize, now_ms: i64) -> Sighting {
    Sighting {
        feed,
        observation: Observation {
            scope: letter.scope().to_owned(),
            coverage: Coverage::Delta,
            rows: Rows::of_one(letter.value.clone().into()),
            cursor: None,
            snapshot: false,
            as_of_ms: if letter.at_ms > 0 { letter.first_failed_ms() } else { now_ms },
        },
        after_fault: false,
        after_gap: false,
        follows: None,
        committed: None,
    }
}

fn too_often(letter: &DeadLetter) -> String {
    format!(
        "it was redriven {} times and could not be read: run a version or a configuration that can read it, and say so (`--once-more`); or discard it",
        letter.redriven()
    )
}

fn refused(why: &str) -> Result<Ruled, BusFault> {
    Ok((Verdict::Refused, why.to_owned()))
}
