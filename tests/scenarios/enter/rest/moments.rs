//! Commands of which a second one would be wrong, with something going wrong at every moment of their life:
//! exactly one effect in the simulator's journal, at the visitor whom it expected, and one outcome.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use talon_brokers::unique;
use talon_enter::EnterRest;
use talon_sdk::{Class, CommandSpec, OrderingKey, Repeat};
use talon_simulators::enter_rest::{Effect, Fault, FaultKind, Settings, Simulator};

use super::commands::{effect, row};
use super::topics::{configuration, noon};
use crate::support::moments::{Moment, Scene, live_through, moments};
use crate::support::results::outcomes;
use crate::support::{On, Talon, until};

/// At workplaces 1, 2 and so on. A new process signs in anew, which takes back what `ChangeUser` did.
const AT_WORKPLACES: [&str; 9] = [
    "InviteNext",
    "InviteTicket",
    "StartService",
    "RejectVisitor",
    "CompleteService",
    "HoldVisitor",
    "RedirectVisitor",
    "BeginBreak",
    "EndBreak",
];

struct Sent {
    spec: &'static CommandSpec,
    id: String,
    command: (String, Value),
    /// Where it has its effect: a workplace, a device, or the hall.
    place: String,
    /// The one visitor that it may hit.
    visitor: Value,
}

struct Branch {
    simulator: Simulator,
    sent: Vec<Sent>,
}

impl Branch {
    async fn open() -> Branch {
        let settings = Settings {
            zone: noon(),
            workplaces: AT_WORKPLACES.len(),
            visitors: 40,
            visitors_per_hour: 0.0,
            bookings_per_hour: 0.0,
            operators_work: false,
            surveys_run: false,
            ..Settings::noisy()
        };
        let simulator = Simulator::start(settings).await.unwrap();
        let mut branch = Branch { simulator, sent: Vec::new() };
        for (place, name) in branch.simulator.workplaces().into_iter().zip(AT_WORKPLACES) {
            branch.at_workplace(&place, name);
        }
        branch.in_the_hall();
        branch.booked();
        for (device, name) in [("survey01", "BeginSurvey"), ("survey02", "AnswerSurvey")] {
            let mut params = json!({ "client_id": device });
            if name == "AnswerSurvey" {
                branch.act(&format!("survey/{device}/begin"), Value::Null, None);
                params["answer"] = json!({ "Answer": "да" });
            }
            branch.add(name, device, params, Value::Null);
        }
        branch
    }

    fn act(&self, path: &str, body: Value, who: Option<&str>) -> Value {
        self.simulator.act(path, body, who).unwrap()
    }

    fn see(&self, path: &str) -> Value {
        self.simulator.look(path, None).unwrap()
    }

    fn product(&self) -> Value {
        self.see("config/products")[0]["Id"].clone()
    }

    /// A ticket of its own, that nobody else calls.
    fn ticket(&self) -> (Value, Value) {
        let ticket = self.act("queue/admin/tickets/new", json!([self.product()]), None);
        (ticket["Id"].clone(), ticket["Products"][0]["Id"].clone())
    }

    fn at_workplace(&mut self, place: &str, name: &str) {
        let act = |path: &str| self.act(path, Value::Null, Some(place));
        let mut params = json!({ "client_id": place });
        let mut visitor = Value::Null;
        match name {
            "InviteTicket" => {
                visitor = self.ticket().1;
                params["ticket_product_id"] = visitor.clone();
            }
            "EndBreak" => drop(act("operation/break/begin")),
            "InviteNext" | "BeginBreak" => {}
            _ => {
                visitor = act("operation/invite")["Id"].clone();
                if !matches!(name, "StartService" | "RejectVisitor") {
                    act("operation/start");
                }
                if name == "RedirectVisitor" {
                    let offered = act("operation/redirect/workPlaces/x");
                    params["menu_link_id"] = self.product();
                    params["workplace_id"] = offered[0]["Id"].clone();
                }
            }
        }
        self.add(name, place, params, visitor);
    }

    fn in_the_hall(&mut self) {
        // Of three services, which no other ticket comes to have.
        let products = json!({ "product_ids": vec![self.product(); 3] });
        self.add("NewTicket", "", products, Value::Null);
        let (ticket, _) = self.ticket();
        let params = json!({ "ticket_id": ticket, "product_id": self.product() });
        self.add("AddProduct", "", params, Value::Null);
        let (ticket, service) = self.ticket();
        let params = json!({ "ticket_id": ticket, "ticket_product_id": service });
        self.add("CancelProduct", "", params, service);
    }

    fn booked(&mut self) {
        let zone = TimeZone::get(&self.simulator.settings().zone).unwrap();
        let day = Timestamp::now().to_zoned(zone).date().checked_add(2.days()).unwrap();
        let free = |branch: &Branch, at: usize| {
            let times = branch.see(&format!("booking/schedule/days/{day}?productId=310"));
            times[at]["Time"].as_str().unwrap()[..5].to_owned()
        };
        for name in ["ConfirmBooking", "CancelBooking"] {
            let path = format!("booking/book/{day}/{}?productId=310", free(self, 0));
            let booked = self.act(&path, Value::Null, Some("talon"));
            let params = json!({ "ticket_id": booked["TicketId"] });
            self.add(name, "talon", params, booked["TicketId"].clone());
        }
        let time = free(self, 1);
        let params = json!({ "product_id": "310", "date": day.to_string(), "time": time });
        self.add("Book", "*", params, Value::Null);
    }

    fn add(&mut self, name: &str, place: &str, params: Value, visitor: Value) {
        let spec = EnterRest.commands().unwrap().spec(name).unwrap();
        assert_ne!(spec.repeat, Repeat::Always, "{name}");
        let id = unique(name);
        let key = match spec.key {
            OrderingKey::Params(names) => params[names[0]].as_str().unwrap().to_owned(),
            OrderingKey::Fixed(key) => key.to_owned(),
            OrderingKey::Own => id.clone(),
        };
        let mut command = json!({ "id": id, "type": name, "params": params });
        if spec.expect.contains(&"ticket_product_id") {
            command["expect"] = json!({ "ticket_product_id": visitor });
        }
        let place = place.to_owned();
        self.sent.push(Sent { spec, id, command: (key, command), place, visitor });
    }

    fn effects(&self, sent: &Sent) -> Vec<Effect> {
        let is_it = |one: &Effect| {
            one.asked
                && one.what == effect(sent.spec.name)
                && (one.place == sent.place || sent.place == "*")
        };
        self.simulator.journal().into_iter().filter(is_it).collect()
    }
}

impl Scene for Branch {
    fn strike(&self, moment: Moment) {
        let kind = match moment {
            Moment::Nothing => return,
            Moment::ReplyLost => FaultKind::LostReply,
            Moment::RequestLost => FaultKind::Dropped,
            Moment::KilledBeforeTheEffect => FaultKind::Slow { ms: 600_000 },
            Moment::KilledAfterTheEffect | Moment::KilledBeforeTheCommit => FaultKind::HeldReply,
        };
        for sent in &self.sent {
            self.simulator.fault(Fault::from(kind.clone()).only(&row(sent.spec)).times(1));
        }
    }

    async fn broker_is_gone(&self, talon: &mut Talon) {
        let answered = r#"talon_upstream_requests_total{code="200",connector="hall"}"#;
        let all = talon.metric(answered).await + self.sent.len() as f64;
        self.simulator.release();
        until("all replies are read, or the outage is noticed", async || {
            talon.metric(answered).await >= all || talon.health().await.0 == 503
        })
        .await;
    }

    fn done(&self) -> Vec<String> {
        let done = self.sent.iter().filter(|sent| !self.effects(sent).is_empty());
        done.map(|sent| sent.spec.name.to_owned()).collect()
    }

    fn mend(&self) {
        self.simulator.faults().clear();
    }
}

async fn at(on: On, moment: Moment) {
    let Some(mut bus) = moment.bus(on, "rest_commands") else { return };
    let mut branch = Branch::open().await;
    let prefix = unique("branch");
    let mut texts = configuration(&prefix, bus.address(), &branch.simulator);
    let types: Vec<&str> = branch.sent.iter().map(|sent| sent.spec.name).collect();
    for (key, text) in [
        ("feeds", "product"),
        ("product.poll.interval.ms", "600000"),
        ("upstream.request.timeout.ms", "20000"),
        ("ticket.source", "hall"),
        ("commands", &types.join(",")),
        ("commands.settle.ms", "20000"),
        ("commands.max.in.flight", "32"),
    ] {
        texts.insert(format!("connectors.hall.{key}"), text.to_owned());
    }
    let commands: Vec<(String, Value)> =
        branch.sent.iter_mut().map(|sent| std::mem::take(&mut sent.command)).collect();
    let (results, log) =
        live_through(moment, &mut bus, (&prefix, "hall"), &texts, &commands, &branch).await;

    let outcomes = outcomes(&results);
    for sent in &branch.sent {
        let (name, of) = (sent.spec.name, &outcomes[sent.id.as_str()]);
        assert_eq!(of.len(), 1, "{moment:?}, {name}: {of:?}");
        let outcome = of[0].outcome.as_deref();
        assert_eq!(outcome, Some("APPLIED"), "{moment:?}, {name}: {:?}\n{log}", of[0]);
        let effects = branch.effects(sent);
        assert_eq!(effects.len(), 1, "{moment:?}, {name}: {effects:?}");
        if let Some(visitor) = sent.visitor.as_str() {
            assert_eq!(effects[0].to, visitor, "{moment:?}, {name}");
        }
    }
}

moments! {
    invariant_5_a_lost_reply_is_read_back_on_kafka invariant_5_a_lost_reply_is_read_back_on_nats ReplyLost
    invariant_5_a_lost_request_is_sent_again_on_kafka invariant_5_a_lost_request_is_sent_again_on_nats RequestLost
    invariant_5_killed_before_the_effect_on_kafka invariant_5_killed_before_the_effect_on_nats KilledBeforeTheEffect
    invariant_5_killed_after_the_effect_on_kafka invariant_5_killed_after_the_effect_on_nats KilledAfterTheEffect
    invariant_5_killed_before_the_commit_on_kafka invariant_5_killed_before_the_commit_on_nats KilledBeforeTheCommit
}
