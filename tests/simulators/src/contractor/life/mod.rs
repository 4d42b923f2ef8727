//! The seeded life: new calls, messages, risks, tasks, costs, statuses, by the same operations as
//! requests. The same seed makes the same life, whatever the other settings.

mod costs;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::inputs::{
    CallInput, DispatcherMessage, Jeopardy, JeopardyAnswer, Named, NewCallStatus, NewTaskStatus,
    PatchCall, Titled, UserMessage,
};
use super::model::{CallStatus, TaskStatus};
use super::reply::{Refusal, Reply};
use super::settings::Settings;
use super::store::{Store, Upload};

/// How many different descriptions there are of the usual and of the large size.
const DESCRIPTIONS: (usize, usize) = (48, 4);

/// The size of a large description, in bytes.
const LARGE: usize = 20 * 1024;

/// The source of random edits.
pub(super) struct Life {
    random: ChaCha8Rng,
    /// Apart, so that the life stays the same with and without late rows.
    lateness: ChaCha8Rng,
    usual: Vec<Arc<str>>,
    large: Vec<Arc<str>>,
}

impl Life {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
        let sizes = settings.description_bytes / 3..=settings.description_bytes * 2;
        let usual = (0..DESCRIPTIONS.0)
            .map(|_| {
                let size = random.random_range(sizes.clone());
                words::html(&mut random, size)
            })
            .collect();
        let large = (0..DESCRIPTIONS.1).map(|_| words::html(&mut random, LARGE)).collect();
        let lateness = ChaCha8Rng::seed_from_u64(settings.seed ^ 0x6c61_7465);
        Self { random, lateness, usual, large }
    }

    /// Makes the calls of the start, in all stages, and publishes them.
    pub(super) fn populate(&mut self, store: &mut Store) {
        for _ in 0..store.settings.calls {
            store.pass(self.random.random_range(60..600));
            let Some(call) = self.create(store) else {
                continue;
            };
            for _ in 0..self.random.random_range(0..16) {
                if is_open(store, call) {
                    self.edit_call(store, call);
                }
            }
        }
        store.open_for_business();
    }

    /// One edit: exactly one operation that has an effect.
    pub(super) fn edit(&mut self, store: &mut Store) {
        store.edits += 1;
        store.pass(self.random.random_range(5..120));
        let late_share = store.settings.late_share;
        store.late = self.lateness.random_bool(late_share);
        let is_short_of_calls = store.open.len() < store.settings.calls / 4;
        let call = if is_short_of_calls || self.random.random_ratio(1, 20) {
            None
        } else {
            self.open_call(store)
        };
        match call {
            Some(call) => self.edit_call(store, call),
            None => {
                self.create(store);
            }
        }
        store.late = false;
        store.reveal_due();
    }

    fn open_call(&mut self, store: &mut Store) -> Option<i64> {
        while !store.open.is_empty() {
            let at = self.random.random_range(0..store.open.len());
            let call = store.open[at];
            if is_open(store, call) {
                return Some(call);
            }
            store.open.swap_remove(at);
        }
        None
    }

    fn edit_call(&mut self, store: &mut Store, call: i64) {
        let Some(owner) = store.calls.get(&call).map(|call| call.dto.user_id) else {
            return;
        };
        let outcome = match self.random.random_range(0..100) {
            0..16 => self.advance(store, call, owner),
            16..30 => self.finish_task(store, call, owner),
            30..36 => self.attach(store, call, owner),
            36..46 => self.jeopardy(store, call, owner),
            46..72 => self.cost(store, call, owner),
            72..76 => {
                let tto = store.date_in(self.random.random_range(60..600));
                let ttf = store.date_in(self.random.random_range(600..6000));
                store.patch_call(call, PatchCall { ttf: Some(ttf), tto: Some(tto) })
            }
            76..88 => {
                let message = words::message(&mut self.random);
                let said = store.say(call, owner, UserMessage { message });
                said.map(|message| Reply::wrote(message.id, &message.id))
            }
            _ => self.dispatcher_message(store, call),
        };
        // An operation that does not fit the state of the call leaves room for one that always fits.
        if outcome.is_err()
            && let Err(refusal) = self.dispatcher_message(store, call)
        {
            tracing::debug!(call, ?refusal, "an open call took no message");
        }
    }

    fn create(&mut self, store: &mut Store) -> Option<i64> {
        let random = &mut self.random;
        let owner_id = *store.users.ids().choose(random)?;
        let is_large = random.random_bool(store.settings.large_descriptions);
        let descriptions = if is_large { &self.large } else { &self.usual };
        let description = descriptions.choose(random)?;
        let person = words::person(random);
        let input = CallInput {
            available_expenditure_items: words::some_of(random, &words::EXPENDITURES, 1..4)
                .map(|name| Named { name })
                .collect(),
            client_name: words::client(random),
            contact_person_email: random.random_bool(0.6).then(|| words::email(random)),
            contact_person_name: random.random_bool(0.9).then_some(person),
            contact_person_phone: random.random_bool(0.8).then(|| words::phone(random)),
            created: store.date_in(0),
            critical: Some(random.random_bool(0.1)),
            description_html_text: Arc::clone(description),
            description_text_for_field_employee: words::message(random),
            owner_id,
            service_object_address: words::address(random),
            service_object_latitude: random.random_range(43.0..68.0),
            service_object_longitude: random.random_range(20.0..140.0),
            service_object_name: words::object(random),
            service_object_type: random.random_bool(0.7).then(|| words::object_kind(random)),
            tasks: words::some_of(random, &words::TASKS, 1..5)
                .map(|title| Titled { title })
                .collect(),
            ttf: random.random_bool(0.7).then(|| store.date_in(2880)),
            tto: random.random_bool(0.7).then(|| store.date_in(240)),
        };
        store.create_call(input).ok()?.effect
    }

    fn advance(&mut self, store: &mut Store, call: i64, owner: i64) -> Result<Reply, Refusal> {
        let (status, comments) = match status_of(store, call) {
            Some(CallStatus::New) => (CallStatus::Committed, None),
            Some(CallStatus::Committed) => {
                (CallStatus::Done, Some(words::message(&mut self.random)))
            }
            _ => return store.close_call(call),
        };
        store.set_call_status(call, owner, NewCallStatus { status, comments })
    }

    fn finish_task(&mut self, store: &mut Store, call: i64, owner: i64) -> Result<Reply, Refusal> {
        let task = self.task(store, call, TaskStatus::New)?;
        let is_done = self.random.random_bool(0.85);
        let status = if is_done { TaskStatus::Done } else { TaskStatus::Canceled };
        store.set_task_status(task, owner, &NewTaskStatus { status })
    }

    fn attach(&mut self, store: &mut Store, call: i64, owner: i64) -> Result<Reply, Refusal> {
        let task = self.task(store, call, TaskStatus::Done)?;
        let name = words::file(&mut self.random);
        let bytes = Bytes::from_static(b"\xFF\xD8\xFF\xE0 a photograph that nobody looks at");
        store.attach(task, owner, Upload { name, bytes })
    }

    fn jeopardy(&mut self, store: &mut Store, call: i64, owner: i64) -> Result<Reply, Refusal> {
        let comment = words::message(&mut self.random);
        let answer = JeopardyAnswer { answer_comment: comment.clone() };
        store
            .answer_jeopardy(call, answer)
            .or_else(|_| store.raise_jeopardy(call, owner, Jeopardy { comment }))
    }

    fn dispatcher_message(&mut self, store: &mut Store, call: i64) -> Result<Reply, Refusal> {
        let input =
            DispatcherMessage { date: store.date_in(0), message: words::message(&mut self.random) };
        store.dispatcher_message(call, input)
    }

    fn task(&mut self, store: &Store, call: i64, status: TaskStatus) -> Result<i64, Refusal> {
        let none = Refusal::empty(404);
        let tasks = &store.calls.get(&call).ok_or(none)?.dto.tasks;
        let fitting: Vec<_> = tasks.iter().filter(|task| task.status == status).collect();
        let task = fitting.choose(&mut self.random).ok_or(none)?;
        Ok(task.id)
    }
}

fn status_of(store: &Store, call: i64) -> Option<CallStatus> {
    store.calls.get(&call).map(|call| call.dto.status)
}

fn is_open(store: &Store, call: i64) -> bool {
    status_of(store, call).is_some_and(|status| status != CallStatus::Closed)
}
