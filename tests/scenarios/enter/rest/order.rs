//! Commands on one ticket keep their order, and so do commands at one device for surveys: beside those of
//! others, with slow and lost replies, and over a kill.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use talon_brokers::unique;
use talon_simulators::enter_rest::{Fault, FaultKind, Settings, Simulator};

use super::topics::{configuration, noon};
use crate::support::following::Following;
use crate::support::producer::Producer;
use crate::support::results::{outcomes, results};
use crate::support::{On, Talon, until};

const DEVICES: [&str; 2] = ["survey01", "survey02"];
const TICKETS: usize = 3;

/// What is asked for on each ticket, in this order.
const ON_TICKET: [&str; 6] =
    ["add_product", "set_priority", "add_product", "set_priority", "add_product", "cancel_product"];

/// What is asked for at each device, in this order.
const AT_DEVICE: [&str; 6] = [
    "survey_begin",
    "survey_answer",
    "survey_answer",
    "survey_end",
    "survey_begin",
    "survey_answer",
];

/// A ticket, and the services that are added to it.
struct Ticket {
    id: String,
    service: Value,
    products: Vec<Value>,
}

impl Ticket {
    fn new(sim: &Simulator, at: usize) -> Ticket {
        let products = sim.look("config/products", None).unwrap();
        let products: Vec<Value> =
            (0..3).map(|next| products[(at + 2 * next) % 6]["Id"].clone()).collect();
        let body = json!({ "products": [products[0]] });
        let made = sim.act("queue/admin/tickets/new", body, None).unwrap();
        let id = made["Id"].as_str().unwrap().to_owned();
        Ticket { id, service: made["Products"][0]["Id"].clone(), products }
    }

    fn command(&self, step: usize) -> Value {
        let mut params = json!({ "ticket_id": self.id });
        let name = match ON_TICKET[step] {
            "add_product" => {
                params["product_id"] = self.products[step / 2].clone();
                "AddProduct"
            }
            "set_priority" => {
                params["ticket_product_id"] = self.service.clone();
                params["priority"] = json!(step);
                "SetPriority"
            }
            _ => {
                params["ticket_product_id"] = self.service.clone();
                "CancelProduct"
            }
        };
        json!({ "id": unique(name), "type": name, "params": params })
    }

    /// What happened to it, in order; what is safe to repeat may have been repeated.
    fn assert_in_order(&self, sim: &Simulator) {
        let path = format!("queue/admin/tickets/{}", self.id);
        let services = sim.look(&path, None).unwrap()["Products"].take();
        let services = services.as_array().unwrap();
        let added: Vec<&Value> = services[1..].iter().map(|one| &one["Product"]["Id"]).collect();
        assert_eq!(added, self.products.iter().collect::<Vec<_>>());
        let is_ours = |to: &str| services.iter().any(|one| one["Id"] == to);
        let journal = sim.journal().into_iter().filter(|one| one.asked && is_ours(&one.to));
        let mut done: Vec<&str> = journal.map(|one| one.what).collect();
        done.dedup();
        assert_eq!(done, ON_TICKET);
    }
}

fn at_device(device: &str, step: usize) -> Value {
    let params = json!({ "client_id": device });
    let name = match AT_DEVICE[step] {
        "survey_begin" => "BeginSurvey",
        "survey_end" => "EndSurvey",
        _ => {
            let params = json!({ "client_id": device, "answer": { "Answer": "да" } });
            let question = format!("q{}", if step == 5 { 1 } else { step });
            return json!({ "id": unique("AnswerSurvey"), "type": "AnswerSurvey", "params": params,
                "expect": { "question_id": question } });
        }
    };
    json!({ "id": unique(name), "type": name, "params": params })
}

fn still() -> Settings {
    Settings {
        zone: noon(),
        visitors: 10,
        visitors_per_hour: 0.0,
        bookings_per_hour: 0.0,
        operators_work: false,
        surveys_run: false,
        ..Settings::noisy()
    }
}

async fn order(on: On, test: &str) {
    let Some(address) = on.shared(test) else { return };
    let sim = Simulator::start(still()).await.unwrap();
    let tickets: Vec<Ticket> = (0..TICKETS).map(|at| Ticket::new(&sim, at)).collect();
    let commands: Vec<(String, Value)> = (0..ON_TICKET.len())
        .flat_map(|step| {
            let of_tickets = tickets.iter().map(move |one| (one.id.clone(), one.command(step)));
            let of_devices = DEVICES.map(|device| (device.to_owned(), at_device(device, step)));
            of_tickets.chain(of_devices)
        })
        .collect();
    for (start, lost) in [("POST queue/admin/tickets/", 2), ("POST survey/", 3)] {
        sim.fault(Fault::from(FaultKind::Slow { ms: 400 }).at(start).times(4));
        sim.fault(Fault::from(FaultKind::LostReply).at(start).after(lost).times(3));
    }
    let prefix = unique("order");
    let mut texts: BTreeMap<String, String> = configuration(&prefix, address, &sim);
    for (key, text) in [
        ("feeds", "product"),
        ("product.poll.interval.ms", "600000"),
        ("upstream.request.timeout.ms", "5000"),
        ("commands.settle.ms", "5000"),
    ] {
        texts.insert(format!("connectors.hall.{key}"), text.to_owned());
    }
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    Producer::new(address).await.send(&format!("{prefix}.hall.commands"), &commands).await;
    let mut told = Following::results(address, &prefix, "hall").await;
    until("some are done", async || outcomes(told.read().await).len() >= 6).await;
    talon.kill();
    talon = Talon::run(&texts);
    until("all are done", async || outcomes(told.read().await).len() == commands.len()).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());

    let told = results(address, &prefix, "hall");
    for (id, of) in outcomes(&told) {
        assert_eq!(of.len(), 1, "{id}: {of:?}");
        assert_eq!(of[0].outcome.as_deref(), Some("APPLIED"), "{:?}", of[0]);
    }
    tickets.iter().for_each(|ticket| ticket.assert_in_order(&sim));
    for device in DEVICES {
        let journal = sim.journal().into_iter().filter(|one| one.asked && one.place == device);
        assert_eq!(journal.map(|one| one.what).collect::<Vec<_>>(), AT_DEVICE, "{device}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_on_one_ticket_and_commands_at_one_survey_device_keep_their_order_on_kafka() {
    order(On::Kafka, "rest_order_kafka").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_on_one_ticket_and_commands_at_one_survey_device_keep_their_order_on_nats() {
    order(On::Nats, "rest_order_nats").await;
}
