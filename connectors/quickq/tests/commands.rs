//! The commands against the simulated upstream, as the runtime would run them.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::connector;
use talon_quickq::QuickQ;
use talon_sdk::{
    Answer, Applier, ApplyFault, Class, Command, Connector, Evidence, Finding, Permit,
};
use talon_simulators::quickq::{Book, Fault, FaultKind, Settings, Simulator};

struct World {
    simulator: Simulator,
    connector: Arc<dyn Connector>,
    applier: Arc<dyn Applier>,
}

async fn world(simulated: Settings) -> World {
    let simulator = Simulator::start(simulated).await.unwrap();
    let settings = [("upstream.url", &*simulator.url()), ("upstream.request.timeout.ms", "500")];
    let connector = connector(&settings).unwrap();
    let applier = connector.applier().unwrap();
    World { simulator, connector, applier }
}

fn newer() -> Settings {
    Settings { newer_fields: true, ..Settings::default() }
}

fn command(id: &str, name: &str, params: Value, expect: Value) -> Command {
    let commands = QuickQ.commands().unwrap();
    let spec = commands.spec(name).unwrap_or_else(|| panic!("no command `{name}`"));
    let contract = (commands.contract)();
    let params =
        contract.all().iter().find(|one| one.name() == name).unwrap().read(&params).unwrap();
    let fields = |json: Value| json.as_object().cloned().unwrap_or_default();
    Command {
        id: id.to_owned(),
        spec,
        key: String::new(),
        params,
        expect: fields(expect),
        user: None,
        expires_at_ms: None,
    }
}

impl World {
    async fn run(&self, command: &Command) -> Result<Answer, ApplyFault> {
        let before = self.applier.look(command).await?;
        self.applier.apply(command, &before, &Permit::always()).await
    }

    async fn done(&self, name: &str, params: Value) -> Value {
        let command = command(name, name, params, Value::Null);
        let answer = self.run(&command).await.unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        serde_json::from_str(&answer.response.unwrap_or("{}".to_owned())).unwrap()
    }

    /// The visitor at workplace 1, called first where there is none.
    async fn visitor(&self) -> Value {
        let called = self.simulator.act("currentConsumer", json!({ "workplace": 1 }));
        match called {
            Ok(visitor) => visitor,
            Err(_) => self.simulator.act("nextConsumer", json!({ "workplace": 1 })).unwrap(),
        }
    }
}

/// The first operation of a visitor that is being served.
fn serving(visitor: &Value) -> Value {
    let services = visitor["services"].as_object().unwrap();
    for (service, stages) in services {
        for (stage, operations) in stages.as_object().unwrap() {
            for (operation, now) in operations.as_object().unwrap() {
                if now["state"] == "SERVING" {
                    let number = |text: &str| text.parse::<i64>().unwrap();
                    return json!({
                        "workplace_id": 1, "service_id": number(service), "stage": number(stage),
                        "operation_id": number(operation),
                    });
                }
            }
        }
    }
    panic!("nothing is served: {visitor}");
}

/// Each command on the state that it needs: its name, its parameters, the upstream's command.
async fn prepared(world: &World, name: &str) -> Value {
    let place = json!({ "workplace_id": 1 });
    match name {
        "NextConsumer" => place,
        "CallConsumer" => {
            json!({ "workplace_id": 1, "consumer_id": world.simulator.queue(1)[3] })
        }
        "RecallConsumer" | "ServeConsumer" | "RejectConsumer" | "SkipConsumer" => {
            world.visitor().await;
            place
        }
        "ServeOperation" | "RejectOperation" => serving(&world.visitor().await),
        "RejectService" => {
            let one = serving(&world.visitor().await);
            json!({ "workplace_id": 1, "service_id": one["service_id"], "comment": "нет" })
        }
        "PostponeConsumer" => {
            world.visitor().await;
            json!({ "workplace_id": 1, "delay_minutes": 15, "return_to_me": true })
        }
        "AddService" => {
            let visitor = world.visitor().await;
            let has = |id: &i64| visitor["services"].get(id.to_string()).is_some();
            let service = (1..=4).find(|id| !has(id)).unwrap();
            json!({ "workplace_id": 1, "service_id": service })
        }
        "RegisterConsumer" => json!({ "service_ids": [1], "comment": "Какой-то комментарий" }),
        "RemoveQBoard" => json!({ "id": 1 }),
        "SetQBoard" => json!({ "id": 1, "fields": {"name": "Новое"} }),
        "NewQBoard" => json!({ "fields": {"name": "Третье"} }),
        "RemoveAllQBoards" => json!({}),
        other => panic!("{other}"),
    }
}

const ALL: [&str; 16] = [
    "NextConsumer",
    "CallConsumer",
    "RecallConsumer",
    "ServeOperation",
    "RejectOperation",
    "ServeConsumer",
    "RejectConsumer",
    "RejectService",
    "PostponeConsumer",
    "SkipConsumer",
    "AddService",
    "RegisterConsumer",
    "NewQBoard",
    "SetQBoard",
    "RemoveQBoard",
    "RemoveAllQBoards",
];

fn effects(world: &World, name: &str) -> usize {
    let call = QuickQ.commands().unwrap().spec(name).unwrap().call;
    world.simulator.journal().effects_of(call).len()
}

#[tokio::test]
async fn every_command_has_its_effect_once_and_tells_no_personal_data() {
    for echo_id in [false, true] {
        for name in ALL {
            let world = world(Settings { echo_id, ..newer() }).await;
            let params = prepared(&world, name).await;
            let command = command("c1", name, params, Value::Null);
            let answer =
                world.run(&command).await.unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
            assert_eq!(effects(&world, name), 1, "{name}");
            let told = format!("{answer:?}");
            assert!(!told.contains("комментарий") && !told.contains("base64"), "{told}");
        }
    }
}

#[tokio::test]
async fn invariant_5_a_lost_reply_is_found_by_reading_back() {
    for name in ALL {
        let world = world(newer()).await;
        let params = prepared(&world, name).await;
        let command = command("c1", name, params, Value::Null);
        let before = world.applier.look(&command).await.unwrap();
        world.simulator.fault(Fault::from(FaultKind::CutAfter).at(command.spec.call).times(1));
        let lost = world.applier.apply(&command, &before, &Permit::always()).await.unwrap_err();
        assert!(matches!(lost, ApplyFault::Unclear(_)), "{name}: {lost:?}");
        assert_eq!(effects(&world, name), 1, "{name}");
        if name == "SetQBoard" {
            continue; // repeat-safe: never probed
        }
        let found = world.applier.probe(&command, &before, 0).await.unwrap();
        assert!(matches!(found, Finding::Applied(_)), "{name}: {found:?}");
    }
}

#[tokio::test]
async fn invariant_5_a_lost_request_is_found_absent() {
    for kind in [FaultKind::CutBefore, FaultKind::NoReply] {
        for name in ALL {
            let world = world(newer()).await;
            let params = prepared(&world, name).await;
            let command = command("c1", name, params, Value::Null);
            let before = world.applier.look(&command).await.unwrap();
            world.simulator.fault(Fault::from(kind.clone()).at(command.spec.call).times(1));
            let lost = world.applier.apply(&command, &before, &Permit::always()).await.unwrap_err();
            assert!(matches!(lost, ApplyFault::Unclear(_)), "{name}: {lost:?}");
            if name != "SetQBoard" {
                let found = world.applier.probe(&command, &before, 0).await.unwrap();
                assert_eq!(found, Finding::Absent, "{name}");
            }
            world.applier.apply(&command, &before, &Permit::always()).await.unwrap();
            assert_eq!(effects(&world, name), 1, "{name}");
        }
    }
}

#[tokio::test]
async fn invariant_5_a_new_item_of_a_book_that_shows_no_names_is_not_found_absent() {
    let world = world(newer()).await;
    let params = json!({ "fields": {"name": "Новый", "services": [1]} });
    let command = command("c1", "NewConsumer", params, Value::Null);
    let before = world.applier.look(&command).await.unwrap();
    world.simulator.fault(Fault::from(FaultKind::CutAfter).at(command.spec.call).times(1));
    world.applier.apply(&command, &before, &Permit::always()).await.unwrap_err();
    let found = world.applier.probe(&command, &before, 0).await.unwrap();
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
}

/// What comes under a command's name in place of its answer.
const NO_ANSWERS: [&str; 8] = [
    "{}",
    "null",
    "[]",
    "7",
    r#""Сервис недоступен""#,
    r#"{"error":"down"}"#,
    r#"{"status":502,"title":"Bad gateway"}"#,
    r#"{"id":null,"services":[]}"#,
];

#[tokio::test]
async fn invariant_5_what_is_no_answer_of_a_command_is_read_back() {
    for json in NO_ANSWERS {
        for name in ALL {
            if json == "{}" && name == "NextConsumer" {
                // Nobody waits.
                continue;
            }
            let world = world(newer()).await;
            let params = prepared(&world, name).await;
            let command = command("c1", name, params, Value::Null);
            let before = world.applier.look(&command).await.unwrap();
            let other = FaultKind::OtherData { json: json.to_owned() };
            world.simulator.fault(Fault::from(other).at(command.spec.call).times(1));
            let unclear = world.applier.apply(&command, &before, &Permit::always()).await;
            assert!(matches!(unclear, Err(ApplyFault::Unclear(_))), "{name} {json}: {unclear:?}");
            if name != "SetQBoard" {
                let found = world.applier.probe(&command, &before, 0).await.unwrap();
                assert!(matches!(found, Finding::Applied(_)), "{name} {json}: {found:?}");
            }
            assert_eq!(effects(&world, name), 1, "{name} {json}");
        }
    }
}

/// Such an answer would say that nobody is at the workplace.
#[tokio::test]
async fn invariant_5_what_is_no_answer_tells_nothing_before_a_command() {
    for json in NO_ANSWERS {
        let world = world(newer()).await;
        world.visitor().await;
        let serve = json!({ "workplace_id": 1 });
        let command = command("c1", "ServeConsumer", serve, Value::Null);
        for call in ["getWorkplace", "getConsumer"] {
            let other = FaultKind::OtherData { json: json.to_owned() };
            world.simulator.fault(Fault::from(other).at(call).times(1));
            let looked = world.applier.look(&command).await;
            assert!(matches!(looked, Err(ApplyFault::NotApplied(_))), "{call} {json}: {looked:?}");
        }
        world.applier.look(&command).await.unwrap();
    }
}

/// Where the server repeats no ids, an answer that comes too late looks like that to the next question.
#[tokio::test]
async fn invariant_5_a_late_answer_is_not_taken_for_that_about_another_visitor() {
    let world = world(newer()).await;
    let [first, second] = [0, 1].map(|place| world.simulator.queue(1)[place]);
    let look = async |id: i64| {
        let params = json!({ "workplace_id": 1, "consumer_id": id });
        world.applier.look(&command("c", "CallConsumer", params, Value::Null)).await
    };
    let operations = |evidence: &Evidence| {
        let seen: Value = serde_json::from_str(&evidence.0).unwrap();
        seen["visitor"]["operations"].clone()
    };
    world.simulator.act("addService", json!({ "id": first, "workplace": 1, "service": 4 })).ok();
    let told = [look(first).await.unwrap(), look(second).await.unwrap()];
    assert_ne!(operations(&told[0]), operations(&told[1]), "the two can be told apart");

    let getting = |kind: FaultKind| Fault::from(kind).at("getConsumer").times(1);
    world.simulator.fault(getting(FaultKind::Late { messages: 3 }));
    assert!(look(first).await.is_err(), "nothing came in time");
    world.simulator.fault(getting(FaultKind::NoReply));
    let asked = world.simulator.journal().count("getConsumer");
    let others = async {
        while world.simulator.journal().count("getConsumer") == asked {
            tokio::task::yield_now().await;
        }
        // Other questions go on meanwhile, and with them the late answer comes.
        for _ in 0..3 {
            let next = command("n", "NextConsumer", json!({ "workplace_id": 2 }), Value::Null);
            world.applier.look(&next).await.ok();
        }
    };
    let (seen, ()) = tokio::join!(look(second), others);
    if let Ok(seen) = seen {
        assert_eq!(operations(&seen), operations(&told[1]), "that of the visitor asked for");
    }
}

#[tokio::test]
async fn another_visitor_than_expected_is_refused_and_nothing_is_sent() {
    let world = world(newer()).await;
    let id = world.visitor().await["id"].as_i64().unwrap();
    let serve = |expected: Value| {
        command(
            "c",
            "ServeConsumer",
            json!({ "workplace_id": 1 }),
            json!({ "consumer_id": expected }),
        )
    };
    for expected in [json!(id + 1), Value::Null] {
        let refused = world.run(&serve(expected)).await.unwrap_err();
        assert!(matches!(refused, ApplyFault::Refused(_)), "{refused:?}");
    }
    assert_eq!(world.simulator.journal().count("serveConsumer"), 0);
    world.run(&serve(json!(id))).await.unwrap();
    let nobody = command("d", "SkipConsumer", json!({ "workplace_id": 1 }), Value::Null);
    assert!(matches!(world.run(&nobody).await, Err(ApplyFault::Refused(_))));
    assert_eq!(world.simulator.journal().count("skipConsumer"), 0);
}

#[tokio::test]
async fn what_the_upstream_refuses_is_refused_with_its_code() {
    let world = world(Settings { visitors: 1, ..newer() }).await;
    world.visitor().await;
    // Nobody else waits.
    let skip = command("c", "SkipConsumer", json!({ "workplace_id": 1 }), Value::Null);
    let Err(ApplyFault::Refused(answer)) = world.run(&skip).await else { panic!("not refused") };
    assert_eq!(answer.code, Some(172));
    assert_eq!(world.simulator.journal().count("login"), 1, "it is believed");
    let done = world.done("NextConsumer", json!({ "workplace_id": 2 })).await;
    assert_eq!(done, json!({}), "nobody waits");
}

#[tokio::test]
async fn whom_the_upstream_does_not_know_is_refused_and_costs_no_session() {
    let world = world(newer()).await;
    for (name, params) in [
        ("CallConsumer", json!({ "workplace_id": 1, "consumer_id": 5 })),
        ("NextConsumer", json!({ "workplace_id": 99 })),
    ] {
        let command = command("c", name, params, Value::Null);
        let Err(ApplyFault::Refused(answer)) = world.run(&command).await else {
            panic!("{name} is not refused")
        };
        assert_eq!(answer.code, Some(150), "{name}");
        assert_eq!(effects(&world, name), 0);
        let found = world.applier.probe(&command, &Evidence("{}".to_owned()), 0).await.unwrap();
        assert!(matches!(found, Finding::Unclear(_)), "{name}: {found:?}");
    }
    assert_eq!(world.simulator.journal().count("login"), 1);
}

#[tokio::test]
async fn a_session_that_is_forgotten_refuses_nothing() {
    for open_info in [false, true] {
        let world = world(Settings { open_info, ..newer() }).await;
        let next = command("c", "NextConsumer", json!({ "workplace_id": 1 }), Value::Null);
        world.run(&next).await.unwrap();
        let skip = command("d", "SkipConsumer", json!({ "workplace_id": 1 }), Value::Null);
        // Refused, and believed: nobody is there.
        let call = json!({ "workplace_id": 1, "consumer_id": 5 });
        world.run(&command("e", "CallConsumer", call, Value::Null)).await.unwrap_err();
        let before = world.applier.look(&skip).await.unwrap();
        world.simulator.forget_sessions();
        let fault = world.applier.apply(&skip, &before, &Permit::always()).await.unwrap_err();
        assert!(matches!(fault, ApplyFault::NotApplied(_)), "{fault:?}");
        world.applier.apply(&skip, &before, &Permit::always()).await.unwrap();
        assert_eq!(effects(&world, "SkipConsumer"), 1);

        world.simulator.forget_sessions();
        let fault = world.applier.look(&skip).await.unwrap_err();
        assert!(matches!(fault, ApplyFault::NotApplied(_)), "{fault:?}");
        world.applier.look(&skip).await.unwrap();
    }
}

#[tokio::test]
async fn the_states_of_the_operations_are_told_and_not_the_overall_one_alone() {
    let world = world(newer()).await;
    let place = serving(&world.visitor().await);
    let done = world.done("RejectConsumer", json!({ "workplace_id": 1, "comment": "нет" })).await;
    assert_eq!(done["state"], "SERVED", "the upstream says so");
    let key = ["service_id", "stage", "operation_id"].map(|name| place[name].to_string()).join("/");
    assert_eq!(done["operations"][&key], "REJECTED");
}

#[tokio::test]
async fn a_ticket_is_found_by_its_marker_and_its_picture_comes_if_asked_for() {
    let world = world(newer()).await;
    let done = world
        .done("RegisterConsumer", json!({ "service_ids": [1], "preview": true, "photo": "iVBO" }))
        .await;
    assert!(done["preview"].as_str().unwrap().starts_with("image/png"));
    let visitor = &world.simulator.book(Book::Consumer)[&done["id"].as_i64().unwrap()];
    assert!(visitor["comment"].as_str().unwrap().starts_with("[talon:"));
    let sent = &world.simulator.journal().effects_of("registrateConsumer")[0].data;
    assert_eq!((&sent["noprint"], &sent["priority"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn where_comments_are_not_shown_a_lost_ticket_is_unclear() {
    let world = world(Settings::default()).await;
    let register = command("c", "RegisterConsumer", json!({ "service_ids": [1] }), Value::Null);
    let before = world.applier.look(&register).await.unwrap();
    let found = world.applier.probe(&register, &before, 0).await.unwrap();
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
}

#[tokio::test]
async fn evidence_has_ids_and_states_alone() {
    let world = world(newer()).await;
    world.simulator.act("setConsumer", json!({ "id": 1001, "comment": "Иванов" })).unwrap();
    let call = json!({ "workplace_id": 1, "consumer_id": 1001 });
    let Evidence(text) =
        world.applier.look(&command("c", "CallConsumer", call, Value::Null)).await.unwrap();
    assert!(!text.contains("Иванов") && text.contains("1001"), "{text}");
}

#[tokio::test]
async fn what_removes_for_good_is_off_unless_named() {
    let world = world(newer()).await;
    let names: Vec<&str> = world.connector.commands().iter().map(|spec| spec.name).collect();
    assert!(names.contains(&"SetService") && names.contains(&"NewUser"));
    assert!(names.iter().all(|name| !name.starts_with("Remove")));
    let named = connector(&[("commands", "RemoveService")]).unwrap();
    assert_eq!(named.commands().len(), 1);
}

#[tokio::test]
async fn a_command_of_a_book_may_be_spelled_otherwise() {
    let simulator = Simulator::start(newer()).await.unwrap();
    let settings = [
        ("upstream.url", &*simulator.url()),
        ("book.commands.qboard.list", "scoreBoardList"),
        ("book.commands.qboard.new", "newScoreBoard"),
        ("book.commands.qboard.set", "setScoreBoard"),
    ];
    let connector = connector(&settings).unwrap();
    let applier = connector.applier().unwrap();
    let world = World { simulator, connector, applier };
    world.done("NewQBoard", json!({ "fields": {"name": "Третье"} })).await;
    world.done("SetQBoard", json!({ "id": 1, "fields": {"name": "Новое"} })).await;
    let effects = world.simulator.journal().effects();
    let commands: Vec<&str> = effects.iter().map(|effect| effect.command.as_str()).collect();
    assert_eq!(commands, ["newScoreBoard", "setScoreBoard"]);
}

#[test]
fn every_command_has_its_parameters_and_fits_its_key() {
    let commands = QuickQ.commands().unwrap();
    let contract = (commands.contract)();
    assert_eq!(commands.specs.len(), contract.all().len());
    for spec in commands.specs {
        let params = contract.all().iter().find(|one| one.name() == spec.name);
        let params = params.unwrap_or_else(|| panic!("{}", spec.name)).list();
        if let talon_sdk::OrderingKey::Params(key) = spec.key {
            let has =
                |name: &&&str| params.iter().any(|param| param.name == **name && param.required);
            assert!(key.iter().all(|name| has(&name)), "{}", spec.name);
        }
    }
}

/// A permit that holds until the upstream has seen something so often.
fn until(world: &World, asked: &'static str, times: u64) -> Permit {
    let journal = world.simulator.journal();
    Permit::new(move || journal.count(asked) < times)
}

#[tokio::test]
async fn a_permit_that_ends_during_the_login_keeps_the_command_back() {
    let world = world(newer()).await;
    let next = command("c", "NextConsumer", json!({ "workplace_id": 1 }), Value::Null);
    let before = Evidence::default();
    let unsent = world.applier.apply(&next, &before, &until(&world, "login", 1)).await.unwrap_err();
    let ApplyFault::NotApplied(fault) = unsent else { panic!("{unsent:?}") };
    assert_eq!(fault.kind(), "unavailable");
    assert_eq!(world.simulator.journal().count("login"), 1, "it got as far as that");
    assert_eq!(world.simulator.journal().count("nextConsumer"), 0);
    // The socket is as good as before.
    world.applier.apply(&next, &before, &Permit::always()).await.unwrap();
    assert_eq!(world.simulator.journal().count("login"), 1);
    assert_eq!(effects(&world, "NextConsumer"), 1);
}

#[tokio::test]
async fn a_permit_that_ends_while_another_command_of_the_name_is_answered_keeps_the_command_back() {
    let world = world(Settings { echo_id: false, ..newer() }).await;
    let next = |workplace: i64| {
        let params = json!({ "workplace_id": workplace });
        command("c", "NextConsumer", params, Value::Null)
    };
    let (first, second, before) = (next(1), next(2), Evidence::default());
    let (always, ending) = (Permit::always(), until(&world, "nextConsumer", 1));
    let (applied, unsent) = tokio::join!(
        world.applier.apply(&first, &before, &always),
        world.applier.apply(&second, &before, &ending),
    );
    applied.unwrap();
    assert!(matches!(unsent, Err(ApplyFault::NotApplied(_))), "{unsent:?}");
    assert_eq!(world.simulator.journal().count("nextConsumer"), 1);
}
