//! An upstream in memory: it counts effects, and loses replies on request.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use talon_runtime::Setup;
use talon_runtime::options::{LaneOptions, Options};
use talon_schemas::command::CommandContract;
use talon_sdk::{
    Answer, Applier, ApplyFault, Command, CommandSpec, Commands, Connector, Evidence, Fault, Feed,
    FeedPlan, Finding, OrderingKey, Permit, Repeat,
};
use tokio::sync::Notify;

pub(crate) static CONTRACT: LazyLock<CommandContract> = LazyLock::new(|| {
    let fields = r#"[{"name": "call_id", "type": "long"}, {"name": "text", "type": "string", "default": ""}]"#;
    let records: Vec<String> = ["Add", "Put", "Set", "Off"]
        .iter()
        .map(|name| {
            format!(r#"{{"type": "record", "name": "{name}", "namespace": "talon.test.commands", "fields": {fields}}}"#)
        })
        .collect();
    CommandContract::of(&format!("[{}]", records.join(",")))
});

const fn spec(name: &'static str, repeat: Repeat) -> CommandSpec {
    let key = OrderingKey::Params(&["call_id"]);
    CommandSpec { expect: &["status"], ..CommandSpec::of(name, key, repeat) }
}

static SPECS: [CommandSpec; 4] = [
    spec("Add", Repeat::Never),
    spec("Put", Repeat::Converges),
    spec("Set", Repeat::Always),
    spec("Off", Repeat::Always),
];

pub(crate) const HOUR_MS: i64 = 3_600_000;

/// How much later a request has its effect that lingers.
const LINGERING: Duration = Duration::from_millis(100);

/// What the upstream does with the next request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Does it, and the reply is lost.
    LoseReply,
    /// Does not, and the request is lost.
    LoseRequest,
    /// Refuses.
    Refuse,
    /// Is too busy.
    Busy,
    /// Is too busy, and wants to be left alone for so long.
    LeaveAlone(Duration),
    /// The connector panics.
    Panic,
    /// Does it, and says more than the bus takes.
    Chatter,
    /// The reply is waited for so long, and lost; it is done a moment after that.
    TryAndLinger(Duration),
    /// Does not, and says so when the gate is opened.
    WaitAtGate,
    /// Never answers.
    Hang,
    /// Cannot tell when read back.
    Forget,
    /// Never answers, and the request is lost.
    Vanish,
    /// Does it later, and the reply is lost; meanwhile the clock is set an hour ahead.
    StepAndLinger,
}

#[derive(Default)]
pub(crate) struct State {
    /// Command ids in the order of their effects.
    pub(crate) effects: Vec<String>,
    /// By command id: what happens to it, attempt after attempt.
    pub(crate) plans: BTreeMap<String, VecDeque<Next>>,
    /// Keys at work, to see that no two are.
    at_work: BTreeSet<String>,
    /// The most that were at work at the same time.
    pub(crate) most: usize,
    /// Whether those that wait go on.
    pub(crate) gate: Arc<Notify>,
    pub(crate) overlaps: usize,
    pub(crate) probes: usize,
    /// The clock of the engine, where it is one that can be set.
    pub(crate) clock: Arc<AtomicI64>,
    /// Types that are switched off beside `Off`.
    pub(crate) off: BTreeSet<&'static str>,
}

/// The upstream and its connector. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Upstream(pub(crate) Arc<Mutex<State>>);

impl Upstream {
    pub(crate) fn setup(&self, lane: impl FnOnce(&mut LaneOptions)) -> Setup {
        let mut options = Options::default();
        options.lane.patience.retry_budget = Duration::from_secs(20);
        options.lane.patience.settle = Duration::from_millis(20);
        lane(&mut options.lane);
        Setup {
            name: "upstream".to_owned(),
            class: "test",
            options,
            connector: Arc::new(self.clone()),
            commands: Some(Commands { specs: SPECS.iter().collect(), contract: || &CONTRACT }),
        }
    }

    pub(crate) fn plan(&self, id: &str, plan: impl IntoIterator<Item = Next>) {
        self.0.lock().unwrap().plans.insert(id.to_owned(), plan.into_iter().collect());
    }

    pub(crate) fn effects(&self) -> Vec<String> {
        self.0.lock().unwrap().effects.clone()
    }
}

impl Upstream {
    /// The command has its effect in a moment.
    fn linger(&self, id: &str) {
        let (state, id) = (self.0.clone(), id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(LINGERING).await;
            state.lock().unwrap().effects.push(id);
        });
    }
}

struct Work<'a>(&'a Upstream, &'a str);

impl<'a> Work<'a> {
    fn on(upstream: &'a Upstream, key: &'a str) -> Work<'a> {
        let mut state = upstream.0.lock().unwrap();
        if !state.at_work.insert(key.to_owned()) {
            state.overlaps += 1;
        }
        state.most = state.most.max(state.at_work.len());
        Work(upstream, key)
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().at_work.remove(self.1);
    }
}

#[async_trait]
impl Applier for Upstream {
    async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault> {
        match command.expect.get("status") {
            Some(status) if status != "open" => {
                Err(ApplyFault::Refused(Answer::saying("`expect.status` does not hold")))
            }
            _ => Ok(Evidence("{\"mark\":1}".to_owned())),
        }
    }

    async fn apply(
        &self,
        command: &Command,
        _: &Evidence,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault> {
        let _work = Work::on(self, &command.key);
        tokio::time::sleep(Duration::from_millis(2)).await;
        permit.check()?;
        let next = {
            let mut state = self.0.lock().unwrap();
            let next = state.plans.get_mut(&command.id).and_then(VecDeque::pop_front);
            if matches!(next, None | Some(Next::LoseReply | Next::Hang | Next::Chatter)) {
                state.effects.push(command.id.clone());
            }
            next
        };
        match next {
            None => Ok(Answer { status: Some(200), ..Answer::default() }),
            Some(Next::LoseReply | Next::LoseRequest | Next::Forget) => {
                Err(ApplyFault::Unclear(Answer::saying("no reply")))
            }
            Some(Next::Refuse) => {
                Err(ApplyFault::Refused(Answer { status: Some(409), ..Answer::saying("no") }))
            }
            Some(Next::Busy) => Err(ApplyFault::NotApplied(Fault::unavailable("busy"))),
            Some(Next::LeaveAlone(asked)) => Err(ApplyFault::NotApplied(Fault::Unavailable {
                reason: "busy".to_owned(),
                retry_after: Some(asked),
            })),
            Some(Next::WaitAtGate) => {
                let gate = self.0.lock().unwrap().gate.clone();
                gate.notified().await;
                Err(ApplyFault::Unclear(Answer::saying("no reply")))
            }
            Some(Next::Panic) => panic!("planted"),
            Some(Next::Chatter) => Ok(Answer {
                message: "y".repeat(20_000),
                response: Some("x".repeat(50_000)),
                ..Answer::default()
            }),
            Some(Next::TryAndLinger(waited)) => {
                tokio::time::sleep(waited).await;
                self.linger(&command.id);
                Err(ApplyFault::Unclear(Answer::saying("no reply")))
            }
            Some(Next::Hang | Next::Vanish) => std::future::pending().await,
            Some(Next::StepAndLinger) => {
                self.0.lock().unwrap().clock.fetch_add(HOUR_MS, Ordering::Relaxed);
                self.linger(&command.id);
                Err(ApplyFault::Unclear(Answer::saying("no reply")))
            }
        }
    }

    async fn probe(&self, command: &Command, before: &Evidence, _: i64) -> Result<Finding, Fault> {
        assert_eq!(before.0, "{\"mark\":1}", "the evidence of the look");
        let mut state = self.0.lock().unwrap();
        state.probes += 1;
        if state.plans.get(&command.id).is_some_and(|plan| plan.front() == Some(&Next::Forget)) {
            return Ok(Finding::Unclear("it cannot be told".to_owned()));
        }
        Ok(if state.effects.contains(&command.id) {
            Finding::Applied(Answer::default())
        } else {
            Finding::Absent
        })
    }
}

#[async_trait]
impl Connector for Upstream {
    fn feeds(&self) -> Vec<FeedPlan> {
        Vec::new()
    }

    fn open(&self, _: &str) -> Result<Box<dyn Feed>, Fault> {
        Err(Fault::Internal { reason: "no feeds".to_owned() })
    }

    fn commands(&self) -> Vec<&'static CommandSpec> {
        let state = self.0.lock().unwrap();
        let is_on = |spec: &&CommandSpec| spec.name != "Off" && !state.off.contains(spec.name);
        SPECS.iter().filter(is_on).collect()
    }

    fn applier(&self) -> Result<Arc<dyn Applier>, Fault> {
        Ok(Arc::new(self.clone()))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}
