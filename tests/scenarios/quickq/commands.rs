//! Every command that must not be repeated blindly, with something going wrong at every moment of its
//! life: exactly one effect in the hall's journal, and one outcome.

use serde_json::{Value, json};
use talon_brokers::unique;
use talon_quickq::QuickQ;
use talon_sdk::{Class, CommandSpec, OrderingKey, Repeat};
use talon_simulators::quickq::{Fault, FaultKind, Settings, Simulator};

use crate::support::moments::{Moment, Scene, live_through, moments};
use crate::support::results::outcomes;
use crate::support::{On, Talon, until};
use crate::{CANARY, configuration, hall};

/// At workplaces 1, 2 and so on.
const AT_WORKPLACES: [&str; 11] = [
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
];

struct Sent {
    spec: &'static CommandSpec,
    id: String,
    command: (String, Value),
}

struct Hall {
    simulator: Simulator,
    sent: Vec<Sent>,
}

impl Hall {
    async fn open() -> Hall {
        let workplaces = AT_WORKPLACES.len() as i64;
        let settings = Settings { workplaces, visitors: 60, ..hall(7) };
        let mut hall =
            Hall { simulator: Simulator::start(settings).await.unwrap(), sent: Vec::new() };
        // From the end of the queue, so that nobody else calls them.
        let mut waiting = hall.simulator.queue(1);
        for (name, workplace) in AT_WORKPLACES.into_iter().zip(1..) {
            let whom = waiting.pop().unwrap();
            let at_workplace = json!({ "workplace": workplace, "id": whom });
            let (params, expected) = match name {
                "NextConsumer" => (json!({}), Value::Null),
                "CallConsumer" => (json!({ "consumer_id": whom }), Value::Null),
                _ => {
                    let visitor =
                        hall.simulator.act("consumerFromQueueBody", at_workplace).unwrap();
                    (about(name, &visitor), json!(whom))
                }
            };
            hall.add(name, workplace.into(), params, json!({ "consumer_id": expected }));
        }
        let comment = json!({ "service_ids": [1], "comment": CANARY });
        hall.add("RegisterConsumer", Value::Null, comment, json!({}));
        let fields = json!({ "fields": { "name": "Третье" } });
        hall.add("NewQBoard", Value::Null, fields, json!({}));
        // Its id is that of no workplace, which would be the same key.
        let board = hall.simulator.act("newScoreBoard", json!({ "name": "Лишнее" })).unwrap();
        hall.add("RemoveScoreBoard", Value::Null, json!({ "id": board["id"] }), json!({}));
        hall.add("RemoveAllRegistrators", Value::Null, json!({}), json!({}));
        hall
    }

    fn add(&mut self, name: &str, workplace: Value, mut params: Value, expect: Value) {
        let spec = QuickQ.commands().unwrap().spec(name).unwrap();
        assert_ne!(spec.repeat, Repeat::Always, "{name}");
        if !workplace.is_null() {
            params["workplace_id"] = workplace;
        }
        let id = unique(name);
        let key = match spec.key {
            OrderingKey::Params(names) => params[names[0]].to_string(),
            OrderingKey::Fixed(key) => key.to_owned(),
            OrderingKey::Own => id.clone(),
        };
        let command = json!({ "id": id, "type": name, "params": params, "expect": expect });
        self.sent.push(Sent { spec, id, command: (key, command) });
    }
}

/// The parameters of a command about a visitor, but for the workplace.
fn about(name: &str, visitor: &Value) -> Value {
    let first = |of: &Value| {
        let (key, value) = of.as_object().unwrap().iter().next().unwrap();
        (key.parse::<i64>().unwrap(), value.clone())
    };
    let (service, stages) = first(&visitor["services"]);
    let (stage, operations) = first(&stages);
    let (operation, _) = first(&operations);
    match name {
        "ServeOperation" | "RejectOperation" => {
            json!({ "service_id": service, "stage": stage, "operation_id": operation, "comment": CANARY })
        }
        "RejectService" => json!({ "service_id": service }),
        "PostponeConsumer" => json!({ "delay_minutes": 15, "return_to_me": true }),
        "AddService" => json!({ "service_id": service % 4 + 1 }),
        "ServeConsumer" | "RejectConsumer" => json!({ "comment": CANARY }),
        _ => json!({}),
    }
}

impl Scene for Hall {
    fn strike(&self, moment: Moment) {
        let kind = match moment {
            Moment::Nothing => return,
            Moment::ReplyLost => FaultKind::CutAfter,
            Moment::RequestLost => FaultKind::CutBefore,
            Moment::KilledBeforeTheEffect => FaultKind::NoReply,
            Moment::KilledAfterTheEffect | Moment::KilledBeforeTheCommit => {
                FaultKind::Late { messages: u32::MAX }
            }
        };
        for sent in &self.sent {
            self.simulator.fault(Fault::from(kind.clone()).at(sent.spec.call).times(1));
        }
    }

    async fn broker_is_gone(&self, talon: &mut Talon) {
        let answered = r#"talon_upstream_requests_total{code="ok",connector="hall"}"#;
        let all = talon.metric(answered).await + self.sent.len() as f64;
        self.simulator.release();
        until("all replies are read, or the outage is noticed", async || {
            talon.metric(answered).await >= all || talon.health().await.0 == 503
        })
        .await;
    }

    fn done(&self) -> Vec<String> {
        let journal = self.simulator.journal();
        let done = self.sent.iter().filter(|sent| !journal.effects_of(sent.spec.call).is_empty());
        done.map(|sent| sent.spec.name.to_owned()).collect()
    }

    fn mend(&self) {
        self.simulator.faults().clear();
    }
}

async fn at(on: On, moment: Moment) {
    let Some(mut bus) = moment.bus(on, "quickq_commands") else { return };
    let mut hall = Hall::open().await;
    let prefix = unique("hall");
    let types: Vec<&str> = hall.sent.iter().map(|sent| sent.spec.name).collect();
    let settings = [
        ("feeds", "service"),
        ("refresh.interval.ms", "600000"),
        ("upstream.request.timeout.ms", "20000"),
        ("upstream.ping.interval.ms", "600000"),
        ("upstream.idle.timeout.ms", "600000"),
        ("commands", &types.join(",")),
        ("commands.settle.ms", "20000"),
    ];
    let texts = configuration(&prefix, bus.address(), &hall.simulator.url(), &settings);
    // What the preparation did is no effect of a command.
    let prepared = hall.simulator.journal().effects().len();
    assert_eq!(prepared, 0);
    let commands: Vec<(String, Value)> =
        hall.sent.iter_mut().map(|sent| std::mem::take(&mut sent.command)).collect();
    let (results, log) =
        live_through(moment, &mut bus, (&prefix, "hall"), &texts, &commands, &hall).await;

    let outcomes = outcomes(&results);
    let journal = hall.simulator.journal();
    for Sent { spec, id, .. } in &hall.sent {
        let (name, of) = (spec.name, &outcomes[id.as_str()]);
        assert_eq!(of.len(), 1, "{moment:?}, {name}: {of:?}");
        let outcome = of[0].outcome.as_deref();
        assert_eq!(outcome, Some("APPLIED"), "{moment:?}, {name}: {:?}\n{log}", of[0]);
        let effects = journal.effects_of(spec.call);
        assert_eq!(effects.len(), 1, "{moment:?}, {name}: {effects:?}");
    }
    assert!(!format!("{results:?}").contains(CANARY), "personal data is on the results topic");
}

moments! {
    invariant_5_a_lost_reply_is_read_back_on_kafka invariant_5_a_lost_reply_is_read_back_on_nats ReplyLost
    invariant_5_a_lost_request_is_sent_again_on_kafka invariant_5_a_lost_request_is_sent_again_on_nats RequestLost
    invariant_5_killed_before_the_effect_on_kafka invariant_5_killed_before_the_effect_on_nats KilledBeforeTheEffect
    invariant_5_killed_after_the_effect_on_kafka invariant_5_killed_after_the_effect_on_nats KilledAfterTheEffect
    invariant_5_killed_before_the_commit_on_kafka invariant_5_killed_before_the_commit_on_nats KilledBeforeTheCommit
}
