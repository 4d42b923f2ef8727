//! A simulator, a connector to it, and commands as the runtime would run them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::Registry;
use serde_json::{Map, Value, json};
use talon_contractor::Contractor;
use talon_sdk::config::{Problem, Secrets, Settings};
use talon_sdk::{
    Answer, Applier, ApplyFault, Class, Clock, Command, CommandSpec, Connector, Context, Evidence,
    Fault, Finding, OrderingKey, Permit, UpstreamMetrics,
};
use talon_simulators::contractor::{
    self as simulators, Effect, FaultKind, Kind, Simulator, UserSeed,
};

use crate::discreet;

/// In everything that must not be seen: secrets, texts, names.
pub(crate) const CANARY: &str = "кенар";
pub(crate) const USER: &str = "ivanov-кенар";
pub(crate) const PASSWORD: &str = "pässword-кенар";
pub(crate) const EXTERNAL: &str = "external-kenar-token";

pub(crate) struct World {
    pub(crate) sim: Simulator,
    pub(crate) applier: Arc<dyn Applier>,
    /// Everything that would leave the process.
    told: std::sync::Mutex<Vec<String>>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

pub(crate) fn simulator_settings() -> simulators::Settings {
    let user = |name: &str, password: &str| UserSeed {
        name: name.to_owned(),
        password: password.to_owned(),
    };
    simulators::Settings {
        calls: 0,
        users: vec![user(USER, PASSWORD), user("petrova", "petrova-пароль")],
        external_token: EXTERNAL.to_owned(),
        listed_error_codes: true,
        ..simulators::Settings::default()
    }
}

/// What a connector to the simulator is configured with, without users.
pub(crate) fn bare(url: &str) -> Vec<(String, String)> {
    let own = |(key, text): (&str, &str)| (key.to_owned(), text.to_owned());
    [
        ("upstream.url", url),
        ("upstream.requests.per.second", "10000"),
        ("upstream.request.timeout.ms", "10000"),
        ("auth.external.token", EXTERNAL),
    ]
    .map(own)
    .to_vec()
}

pub(crate) const WITH_USER: &[(&str, &str)] = &[
    ("auth.user.name", USER),
    ("auth.user.password", PASSWORD),
    ("commands.templink.publish", "true"),
];

pub(crate) fn configure(
    settings: Vec<(String, String)>,
    clock: Clock,
) -> (Option<Arc<dyn Connector>>, Vec<Problem>) {
    let keys = Contractor.keys();
    let secrets = Secrets::Resolve(Arc::default());
    let texts: BTreeMap<_, _> = settings.into_iter().collect();
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let metrics = UpstreamMetrics::register(&Registry::new()).unwrap();
    let context = Context { name: "field".to_owned(), clock, metrics };
    let connector = Contractor.configure(&mut settings, context);
    (connector, settings.into_problems())
}

pub(crate) async fn world() -> World {
    world_with(simulator_settings(), WITH_USER).await
}

pub(crate) async fn world_with(
    simulator: simulators::Settings,
    settings: &[(&str, &str)],
) -> World {
    discreet::record();
    let sim = Simulator::start(simulator).await.unwrap();
    let applier = applier(&sim, settings);
    World { sim, applier, told: std::sync::Mutex::default() }
}

pub(crate) fn applier(sim: &Simulator, settings: &[(&str, &str)]) -> Arc<dyn Applier> {
    let mut all = bare(&sim.url());
    for (key, text) in settings {
        all.retain(|(known, _)| known != key);
        // An empty text means that the setting is not there.
        if !text.is_empty() {
            all.push(((*key).to_owned(), (*text).to_owned()));
        }
    }
    let (connector, problems) = configure(all, Clock::System);
    assert_eq!(problems, []);
    connector.unwrap().applier().unwrap()
}

pub(crate) fn spec(name: &str) -> &'static CommandSpec {
    Contractor.commands().unwrap().spec(name).unwrap()
}

/// A command as the runtime makes it: its parameters pass the schema.
pub(crate) fn command(name: &str, params: Value) -> Command {
    let commands = Contractor.commands().unwrap();
    let spec = spec(name);
    let params: Map<String, Value> =
        (commands.contract)().params(name).unwrap().read(&params).unwrap();
    let id = format!("{CANARY}-{}", NEXT_ID.fetch_add(1, Ordering::Relaxed));
    let key = match spec.key {
        OrderingKey::Params(names) => {
            let values: Vec<String> = names.iter().map(|name| params[*name].to_string()).collect();
            values.join("/")
        }
        OrderingKey::Fixed(key) => key.to_owned(),
        OrderingKey::Own => id.clone(),
    };
    Command { id, spec, key, params, expect: Map::new(), user: None, expires_at_ms: None }
}

impl World {
    /// Sets another connector's settings against the same simulator.
    pub(crate) fn reconfigured(&self, settings: &[(&str, &str)]) -> World {
        World {
            sim: self.sim.clone(),
            applier: applier(&self.sim, settings),
            told: std::sync::Mutex::default(),
        }
    }

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
        let now = Clock::System.now_ms();
        self.tell(self.applier.probe(command, before, now).await)
    }

    /// Looks and sends.
    pub(crate) async fn send(&self, command: &Command) -> Result<Answer, ApplyFault> {
        let before = self.look(command).await?;
        self.apply(command, &before).await
    }

    /// [`World::send`] of what is done.
    pub(crate) async fn run(&self, name: &str, params: Value) -> Value {
        let answer = self.send(&command(name, params)).await.unwrap();
        let response = answer.response.unwrap_or_else(|| "null".to_owned());
        serde_json::from_str(&response).unwrap()
    }

    /// How often an endpoint had an effect.
    pub(crate) fn effects(&self, endpoint: &str) -> usize {
        self.effects_of(endpoint).len()
    }

    pub(crate) fn effects_of(&self, endpoint: &str) -> Vec<Effect> {
        self.sim.journal().effects_of(in_journal(endpoint))
    }

    /// How often an endpoint was asked.
    pub(crate) fn asked(&self, endpoint: &str) -> u64 {
        self.sim.journal().count(in_journal(endpoint))
    }

    /// One fault for the next request to an endpoint.
    pub(crate) fn strike(&self, kind: FaultKind, endpoint: &str) {
        let (method, path) = endpoint.split_once(' ').unwrap();
        let path = path.split("/{").next().unwrap();
        self.sim.fault(simulators::Fault::from(kind).at(path).method(method).times(1));
    }

    pub(crate) fn current(&self, kind: Kind, id: i64) -> Value {
        serde_json::from_str(&self.sim.history().current(kind)[&id]).unwrap()
    }

    /// Fails where something that left the process has what it must not.
    pub(crate) fn assert_discreet(&self) {
        discreet::assert_discreet(&self.told.lock().unwrap());
    }
}

/// An endpoint of the document as the simulator's journal has it: its router wants one name for one
/// place in a path.
fn in_journal(endpoint: &str) -> &str {
    match endpoint {
        "POST /call/{callId}/templink" => "POST /call/{id}/templink",
        endpoint => endpoint,
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_discreet();
        }
    }
}

pub(crate) fn new_call() -> Value {
    json!({
        "client_name": "ООО «Ромашка» кенар",
        "owner_id": 1,
        "created_at": "2026-01-12T09:00:00+03:00",
        "description_html": "<p>не работает кенар</p>",
        "description_for_field_employee": "не работает кенар",
        "service_object_name": "Склад № 1",
        "service_object_address": "ул. Ленина, д. 1 кенар",
        "service_object_latitude": 55.75,
        "service_object_longitude": 37.61,
        "tasks": ["Диагностика", "Замена"],
        "available_expenditure_items": ["Проезд"],
        "contact_person_phone": "+79001234567 кенар",
        "critical": true,
        "resolution_due_at": "2026-01-13T09:00:00+03:00"
    })
}
