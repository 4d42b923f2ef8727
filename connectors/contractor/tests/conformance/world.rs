//! A simulator, and commands that bring it where another command can be done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};
use talon_contractor::Contractor;
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Applier, Class, Clock, Command, Connector, Context, Permit, UpstreamMetrics};
use talon_simulators::contractor::{self as simulators, Kind, Simulator, UserSeed};

/// In all that must not be seen.
pub(crate) const CANARY: &str = "кенар";
const USER: &str = "ivanov-кенар";
const PASSWORD: &str = "pässword-кенар";
const EXTERNAL: &str = "external-kenar-token";

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

pub(crate) struct World {
    pub(crate) sim: Simulator,
    connector: Arc<dyn Connector>,
}

impl World {
    pub(crate) async fn start() -> World {
        let user = |name: &str, password: &str| UserSeed {
            name: name.to_owned(),
            password: password.to_owned(),
        };
        let settings = simulators::Settings {
            calls: 12,
            users: vec![user(USER, PASSWORD), user("petrova", "petrova-пароль")],
            external_token: EXTERNAL.to_owned(),
            listed_error_codes: true,
            cost_bumps_call: true,
            // So little that nothing is spelled anew yet, but the field that no document has is there.
            noise: 1e-9,
            ..simulators::Settings::default()
        };
        let sim = Simulator::start(settings).await.unwrap();
        let connector = connector(settings_for(&sim));
        World { sim, connector }
    }

    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        settings_for(&self.sim)
    }

    /// Runs a command of a connector of its own; gives its answer.
    pub(crate) async fn run(&self, name: &str, params: Value) -> Value {
        let applier: Arc<dyn Applier> = self.connector.applier().unwrap();
        let commands = Contractor.commands().unwrap();
        let command = Command {
            // A second command with the same id would be taken for done.
            id: format!("prepares-{}", NEXT_ID.fetch_add(1, Ordering::Relaxed)),
            spec: commands.spec(name).unwrap(),
            key: String::new(),
            params: (commands.contract)().params(name).unwrap().read(&params).unwrap(),
            expect: Map::new(),
            user: None,
            expires_at_ms: None,
        };
        let before = applier.look(&command).await.unwrap();
        let answer = applier.apply(&command, &before, &Permit::always()).await.unwrap();
        serde_json::from_str(&answer.response.unwrap_or_else(|| "null".to_owned())).unwrap()
    }

    pub(crate) fn current(&self, kind: Kind, id: i64) -> Value {
        serde_json::from_str(&self.sim.history().current(kind)[&id]).unwrap()
    }
}

fn settings_for(sim: &Simulator) -> Vec<(String, String)> {
    let all = Contractor.commands().unwrap().specs;
    let all: Vec<&str> = all.iter().map(|spec| spec.name).collect();
    let mut settings = vec![
        ("upstream.url", sim.url()),
        ("upstream.requests.per.second", "10000".to_owned()),
        ("upstream.request.timeout.ms", "10000".to_owned()),
        ("auth.external.token", EXTERNAL.to_owned()),
        ("auth.user.name", USER.to_owned()),
        ("auth.user.password", PASSWORD.to_owned()),
        ("commands", all.join(",")),
        ("commands.templink.publish", "true".to_owned()),
    ];
    settings.extend(
        [
            "call.poll.interval.ms",
            "call_message.poll.interval.ms",
            "call_jeopardy.poll.interval.ms",
            "call_task.poll.interval.ms",
            "call_cost.poll.interval.ms",
        ]
        .map(|key| (key, "10".to_owned())),
    );
    settings.into_iter().map(|(key, text)| (key.to_owned(), text)).collect()
}

fn connector(settings: Vec<(String, String)>) -> Arc<dyn Connector> {
    let (keys, secrets) = (Contractor.keys(), Secrets::Resolve(Arc::default()));
    let texts: BTreeMap<_, _> = settings.into_iter().collect();
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let metrics = UpstreamMetrics::register(&prometheus::Registry::new()).unwrap();
    let context = Context { name: "prepares".to_owned(), clock: Clock::System, metrics };
    Contractor.configure(&mut settings, context).unwrap()
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
