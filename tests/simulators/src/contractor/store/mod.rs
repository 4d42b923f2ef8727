//! The truth of the upstream, its rules, and what is published of it.
//!
//! Every operation checks all its conditions before it changes anything, so that a refusal leaves
//! no trace. Requests and the random life use the same operations.

mod attachments;
mod calls;
mod costs;
mod feed;
mod internal;
mod jeopardies;
mod links;
mod messages;
mod notifications;
mod tasks;
mod users;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use self::feed::{Due, Feed};
use super::dates::Dates;
use super::log::{Kind, Log};
use super::model::{CallCostDto, CallDto};
use super::reply::{Refusal, text};
use super::settings::Settings;

pub(super) use self::users::Users;

/// The first instant of every simulated world; nothing depends on the time of the machine.
const EPOCH: &str = "2026-01-12T06:00:00Z";

/// All state, behind one lock.
pub(super) struct Store {
    pub(super) settings: Settings,
    pub(super) users: Users,
    pub(super) calls: BTreeMap<i64, Call>,
    /// The ids of the calls that may be open; the life drops the closed ones as it meets them.
    pub(super) open: Vec<i64>,
    pub(super) log: Log,
    /// How many random edits happened.
    pub(super) edits: u64,
    /// Whether the current edit becomes visible late.
    pub(super) late: bool,
    /// How many answers had a choice between 200 and 204.
    pub(super) turns: u64,
    /// Calls to publish at the end of the seeded population; `None` afterwards.
    pub(super) unpublished: Option<BTreeSet<i64>>,
    call_of_task: HashMap<i64, i64>,
    call_of_link: HashMap<String, i64>,
    files: HashMap<i64, Bytes>,
    notifications: BTreeMap<i64, Notification>,
    cost_deadline_day: i8,
    call_feed: Feed,
    message_feed: Feed,
    jeopardy_feed: Feed,
    tasks: BTreeMap<i64, Bytes>,
    costs: BTreeMap<i64, Bytes>,
    last_id: HashMap<&'static str, i64>,
    dates: Dates,
    now: Timestamp,
}

/// A call and what belongs to it without being in its `CallDTO`.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) dto: CallDto,
    pub(super) cost: Option<CallCostDto>,
    finished: Option<Timestamp>,
    link: Option<String>,
}

/// A notification of a user. The document has no call that lists them.
#[derive(Debug)]
struct Notification {
    user: i64,
    is_read: bool,
}

/// The file of a multipart field `Attachment`.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) name: String,
    pub(super) bytes: Bytes,
}

impl Store {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            users: Users::new(&settings),
            log: Log::new(settings.keep_history),
            dates: Dates { mixed: settings.naive_dates },
            calls: BTreeMap::new(),
            open: Vec::new(),
            edits: 0,
            late: false,
            turns: 0,
            unpublished: Some(BTreeSet::new()),
            call_of_task: HashMap::new(),
            call_of_link: HashMap::new(),
            files: HashMap::new(),
            notifications: BTreeMap::new(),
            cost_deadline_day: 10,
            call_feed: Feed::new(Kind::Calls),
            message_feed: Feed::new(Kind::Messages),
            jeopardy_feed: Feed::new(Kind::Jeopardies),
            tasks: BTreeMap::new(),
            costs: BTreeMap::new(),
            last_id: HashMap::new(),
            now: EPOCH.parse().expect("the epoch is a date"),
            settings,
        }
    }

    /// Ends the seeded population: everything it made becomes visible.
    pub(super) fn open_for_business(&mut self) {
        for id in self.unpublished.take().unwrap_or_default() {
            self.publish_call(id);
        }
    }

    /// The visible rows of a feed above `mark`.
    pub(super) fn modifications(&mut self, kind: Kind, mark: i64) -> Vec<Bytes> {
        self.reveal_due();
        let (bound, seed) = (self.settings.mark_bound, self.settings.seed);
        self.feed(kind).map_or_else(Vec::new, |feed| feed.since(mark, bound, seed))
    }

    /// The highest mark drawn in a feed.
    pub(super) fn head(&self, kind: Kind) -> i64 {
        self.feed(kind).map_or(0, Feed::head)
    }

    /// What is visible of a kind, by id.
    pub(super) fn current(&self, kind: Kind) -> BTreeMap<i64, Bytes> {
        match kind {
            Kind::Tasks => self.tasks.clone(),
            Kind::Costs => self.costs.clone(),
            _ => self.feed(kind).map(Feed::current).unwrap_or_default(),
        }
    }

    pub(super) fn reveal_due(&mut self) {
        for feed in [&mut self.call_feed, &mut self.message_feed, &mut self.jeopardy_feed] {
            feed.reveal_due(self.edits, &mut self.log);
        }
    }

    /// Makes all late rows visible.
    pub(super) fn settle(&mut self) {
        for feed in [&mut self.call_feed, &mut self.message_feed, &mut self.jeopardy_feed] {
            feed.settle(&mut self.log);
        }
    }

    /// Moves the simulated time, which stands still otherwise.
    pub(super) fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// The text of an instant `minutes` from now.
    pub(super) fn date_in(&self, minutes: i64) -> String {
        self.dates.text(self.now + SignedDuration::from_mins(minutes))
    }

    fn date(&self) -> String {
        self.date_in(0)
    }

    fn feed(&self, kind: Kind) -> Option<&Feed> {
        match kind {
            Kind::Calls => Some(&self.call_feed),
            Kind::Messages => Some(&self.message_feed),
            Kind::Jeopardies => Some(&self.jeopardy_feed),
            Kind::Tasks | Kind::Costs => None,
        }
    }

    /// A new id; each kind counts for itself, so that ids of different kinds collide.
    fn new_id(&mut self, of: &'static str) -> i64 {
        let last = self.last_id.entry(of).or_insert(1000);
        *last += 1;
        *last
    }

    /// The call, if it exists, or the refusal.
    fn call(&self, id: i64, absent: Refusal) -> Result<&Call, Refusal> {
        self.calls.get(&id).ok_or(absent)
    }

    /// The call, if it exists and `user` owns it: 403 otherwise.
    fn own_call(&self, id: i64, user: i64, absent: Refusal) -> Result<&Call, Refusal> {
        let call = self.call(id, absent)?;
        if call.dto.user_id == user { Ok(call) } else { Err(Refusal::empty(403)) }
    }

    fn call_mut(&mut self, id: i64) -> &mut Call {
        self.calls
            .get_mut(&id)
            .expect("operations check that the call exists and calls are never deleted")
    }

    /// Gives the call a new mark and publishes it.
    fn touch_call(&mut self, id: i64) {
        let shared_by = self.settings.marks_shared_by;
        let previous = self.call_mut(id).dto.timestamp;
        let mark = self.call_feed.draw(shared_by, previous);
        self.call_mut(id).dto.timestamp = mark;
        match &mut self.unpublished {
            Some(calls) => {
                calls.insert(id);
            }
            None => self.publish_call(id),
        }
    }

    /// Publishes the call after an edit of a child, with a new mark if children bump it. Without a
    /// new mark the text changes in place, so that no reader of the feed learns of it.
    fn touch_parent(&mut self, id: i64, bumps: bool) {
        if bumps {
            self.touch_call(id);
        } else if self.unpublished.is_none() {
            self.publish_call(id);
        }
    }

    fn publish_call(&mut self, id: i64) {
        let dto = &self.call_mut(id).dto;
        let (mark, json) = (dto.timestamp, text(dto));
        let due = self.due();
        self.call_feed.publish(id, mark, json, due, &mut self.log);
    }

    /// When the rows of the current edit become visible.
    fn due(&self) -> Option<Due> {
        let settings = &self.settings;
        self.late.then(|| Due::after(self.edits, settings.late_edits, settings.late_ms))
    }
}
