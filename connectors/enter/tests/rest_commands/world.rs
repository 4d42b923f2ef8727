//! A simulated branch that stands still, a connector to it, and commands as the runtime would run them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use prometheus::Registry;
use serde_json::{Map, Value, json};
use talon_enter::EnterRest;
use talon_sdk::config::{Problem, Secrets, Settings as Texts};
use talon_sdk::{
    Answer, Applier, ApplyFault, Class, Clock, Command, Connector, Context, Evidence, Fault,
    Finding, OrderingKey, Permit, UpstreamMetrics,
};
use talon_simulators::enter_rest::{self, FaultKind, Settings, Simulator};

/// 2024-07-10 12:00 in Moscow.
const NOON_MS: i64 = 1_720_602_000_000;

/// In all that must not be seen; it has to be encoded in a path.
pub(crate) const CANARY: &str = "кенар/7";

pub(crate) const PLACE: &str = "window01";
pub(crate) const OTHER: &str = "window02";

pub(crate) struct World {
    pub(crate) sim: Simulator,
    pub(crate) applier: Arc<dyn Applier>,
    /// Everything that would leave the process.
    told: Mutex<Vec<String>>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Nothing happens by itself.
pub(crate) fn still() -> Settings {
    Settings {
        visitors_per_hour: 0.0,
        bookings_per_hour: 0.0,
        operators_work: false,
        surveys_run: false,
        hall: (format!("{CANARY}-admin"), format!("{CANARY}-admin-password")),
        operator_password: format!("{CANARY}-operator-password"),
        // So little that nothing is spelled anew yet, but the field that no document has is there.
        noise: 1e-9,
        ..Settings::default()
    }
}

pub(crate) fn texts(sim: &Simulator, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let settings = sim.settings();
    let places = sim.workplaces();
    let mut texts = BTreeMap::new();
    for (key, text) in [
        ("upstream.url", sim.url().as_str()),
        ("upstream.requests.per.second", "100000"),
        ("upstream.request.timeout.ms", "10000"),
        ("auth.admin.login", &settings.hall.0),
        ("auth.admin.password", &settings.hall.1),
        ("auth.booking.identity", "visitor"),
        ("auth.user.deputy.login", "operator05"),
        ("auth.user.deputy.password", &settings.operator_password),
        ("auth.user.wrong.login", "operator05"),
        ("auth.user.wrong.password", "кенар/7-wrong"),
        ("ticket.source", "hall"),
        ("workplaces", &places.join(",")),
    ] {
        texts.insert(key.to_owned(), text.to_owned());
    }
    for (number, place) in places.iter().enumerate() {
        let login = format!("operator{:02}", number + 1);
        texts.insert(format!("auth.operator.{place}.login"), login);
        let password = settings.operator_password.clone();
        texts.insert(format!("auth.operator.{place}.password"), password);
    }
    for (key, text) in more {
        // An empty text means that the setting is not there.
        match text.is_empty() {
            true => drop(texts.remove(*key)),
            false => drop(texts.insert((*key).to_owned(), (*text).to_owned())),
        }
    }
    texts
}

pub(crate) fn configure(
    texts: BTreeMap<String, String>,
    clock: Clock,
) -> (Option<Arc<dyn Connector>>, Vec<Problem>) {
    let (keys, secrets) = (EnterRest.keys(), Secrets::Resolve(Arc::default()));
    let mut settings = Texts::new("", &keys, texts, &secrets);
    let metrics = UpstreamMetrics::register(&Registry::new()).unwrap();
    let context = Context { name: "hall".to_owned(), clock, metrics };
    let connector = EnterRest.configure(&mut settings, context);
    (connector, settings.into_problems())
}

pub(crate) async fn world() -> World {
    world_with(still(), &[]).await
}

pub(crate) async fn world_with(settings: Settings, more: &[(&str, &str)]) -> World {
    let sim = Simulator::start(settings).await.unwrap();
    sim.clock().store(NOON_MS, Ordering::SeqCst);
    let (connector, problems) = configure(texts(&sim, more), Clock::Manual(sim.clock()));
    assert_eq!(problems, []);
    let applier = connector.unwrap().applier().unwrap();
    World { sim, applier, told: Mutex::default() }
}

/// A command as the runtime makes it: its parameters pass the schema.
pub(crate) fn command(name: &str, params: Value, expect: Value) -> Command {
    let commands = EnterRest.commands().unwrap();
    let spec = commands.spec(name).unwrap();
    let params: Map<String, Value> =
        (commands.contract)().params(name).unwrap().read(&params).unwrap();
    let id = format!("+7900-{}", NEXT_ID.fetch_add(1, Ordering::Relaxed));
    let key = match spec.key {
        OrderingKey::Params(names) => {
            let values: Vec<String> = names.iter().map(|name| params[*name].to_string()).collect();
            values.join("/")
        }
        OrderingKey::Fixed(key) => key.to_owned(),
        OrderingKey::Own => id.clone(),
    };
    let expect = expect.as_object().cloned().unwrap_or_default();
    Command { id, spec, key, params, expect, user: None, expires_at_ms: None }
}

/// A command at [`PLACE`] about the visitor who is there.
pub(crate) fn about(name: &str, visitor: &str, params: Value) -> Command {
    let mut all = json!({ "client_id": PLACE });
    all.as_object_mut().unwrap().extend(params.as_object().cloned().unwrap_or_default());
    command(name, all, json!({ "ticket_product_id": visitor }))
}

impl World {
    fn tell<T: std::fmt::Debug>(&self, result: T) -> T {
        self.told.lock().unwrap().push(format!("{result:?}"));
        result
    }

    pub(crate) async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault> {
        let seen = self.tell(self.applier.look(command).await);
        if let Ok(evidence) = &seen {
            assert!(evidence.0.len() < 4096, "{} of evidence", evidence.0.len());
        }
        seen
    }

    pub(crate) async fn apply(
        &self,
        command: &Command,
        before: &Evidence,
    ) -> Result<Answer, ApplyFault> {
        self.tell(self.applier.apply(command, before, &Permit::always()).await)
    }

    pub(crate) async fn probe(
        &self,
        command: &Command,
        before: &Evidence,
    ) -> Result<Finding, Fault> {
        self.tell(self.applier.probe(command, before, self.sim.now_ms()).await)
    }

    /// Looks and sends.
    pub(crate) async fn send(&self, command: &Command) -> Result<Answer, ApplyFault> {
        let before = self.look(command).await?;
        self.apply(command, &before).await
    }

    /// [`World::send`] of what is done: its response.
    pub(crate) async fn run(&self, command: &Command) -> Value {
        let answer = self.send(command).await.unwrap();
        serde_json::from_str(&answer.response.unwrap_or_else(|| "null".to_owned())).unwrap()
    }

    /// [`World::send`] of what is refused.
    pub(crate) async fn refused(&self, command: &Command) -> Answer {
        match self.send(command).await {
            Err(ApplyFault::Refused(answer)) => answer,
            other => panic!("{}: {other:?}", command.spec.name),
        }
    }

    /// Sends a command whose reply is lost, before or after its effect, and reads it back; `meanwhile` is
    /// what happens before that.
    pub(crate) async fn lose(
        &self,
        command: &Command,
        kind: FaultKind,
        meanwhile: impl FnOnce(),
    ) -> Finding {
        let before = self.look(command).await.unwrap();
        self.strike(kind, &row_of(command.spec.call));
        let lost = self.apply(command, &before).await;
        assert!(matches!(lost, Err(ApplyFault::Unclear(_))), "{}: {lost:?}", command.spec.name);
        meanwhile();
        self.probe(command, &before).await.unwrap()
    }

    /// One fault for the next request of a row of the table.
    pub(crate) fn strike(&self, kind: FaultKind, row: &str) {
        self.sim.fault(enter_rest::Fault::from(kind).only(row).times(1));
    }

    /// How often commands had an effect.
    pub(crate) fn effects(&self, what: &str) -> usize {
        self.sim.journal().iter().filter(|effect| effect.asked && effect.what == what).count()
    }

    /// How often a row of the table was asked.
    pub(crate) fn asked(&self, row: &str) -> u64 {
        self.sim.requests().get(row).copied().unwrap_or(0)
    }

    /// Somebody else does something.
    pub(crate) fn act(&self, path: &str, who: Option<&str>) -> Value {
        self.sim.act(path, Value::Null, who).unwrap()
    }

    /// Calls a visitor to a workplace: the service in the ticket.
    pub(crate) fn called(&self, place: &str) -> String {
        self.act("operation/invite", Some(place))["Id"].as_str().unwrap().to_owned()
    }

    /// Calls a visitor to a workplace and begins to serve.
    pub(crate) fn served(&self, place: &str) -> String {
        let visitor = self.called(place);
        self.act("operation/start", Some(place));
        visitor
    }

    /// What a GET of the table gives.
    pub(crate) fn see(&self, path: &str) -> Value {
        self.sim.look(path, None).unwrap()
    }

    /// Identifier of a service of the catalogue.
    pub(crate) fn product(&self, at: usize) -> String {
        self.see("config/products")[at]["Id"].as_str().unwrap().to_owned()
    }

    /// A ticket that waits: its identifier, and that of its first service.
    pub(crate) fn ticket(&self) -> (String, String) {
        let tickets = self.see("queue/admin/tickets");
        let waits = |ticket: &&Value| ticket["State"] == 1 && ticket["Products"][0]["State"] == 3;
        let ticket = tickets.as_array().unwrap().iter().find(waits).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&ticket["Id"]), text(&ticket["Products"][0]["Id"]))
    }

    /// Fails where something that left the process has what it must not.
    fn assert_discreet(&self) {
        for text in self.told.lock().unwrap().iter() {
            for secret in ["кенар", "%D0%BA%D0%B5", "pin-", "operator0", "Толбузин", "Канарейкин"]
            {
                assert!(!text.contains(secret), "`{secret}` is in {text}");
            }
        }
    }
}

/// A call as the table has it.
pub(crate) fn row_of(call: &str) -> String {
    call.replacen(" /", " ", 1).replace('{', ":").replace('}', "")
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_discreet();
        }
    }
}
