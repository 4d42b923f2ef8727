//! Each command of the services on the state that it needs.

use serde_json::{Value, json};
use talon_sdk::CommandSpec;
use talon_simulators::enter_rest::Simulator;

const PLACE: &str = "window01";
const DEVICE: &str = "survey01";
const DAY: &str = "2024-07-12";

/// The command's row of the document's table.
pub(crate) fn row(command: &CommandSpec) -> String {
    command.call.replacen(" /", " ", 1).replace('{', ":").replace('}', "")
}

/// What the journal calls it.
pub(crate) fn effect(name: &str) -> &'static str {
    match name {
        "InviteNext" | "InviteTicket" => "invite",
        "StartService" => "start",
        "RejectVisitor" => "reject",
        "CompleteService" => "complete",
        "HoldVisitor" => "hold",
        "RedirectVisitor" => "redirect",
        "BeginBreak" => "break_begin",
        "EndBreak" => "break_end",
        "ChangeUser" => "change_user",
        "NewTicket" => "new_ticket",
        "AddProduct" => "add_product",
        "CancelProduct" => "cancel_product",
        "SetPriority" => "set_priority",
        "RedirectTicket" => "redirect_ticket",
        "Book" => "book",
        "ConfirmBooking" => "confirm",
        "CancelBooking" => "cancel_booking",
        "BeginSurvey" => "survey_begin",
        "AnswerSurvey" => "survey_answer",
        "EndSurvey" => "survey_end",
        other => panic!("no command `{other}`"),
    }
}

/// Makes that state, and gives the command's parameters.
pub(crate) fn prepared(sim: &Simulator, name: &str) -> Value {
    let act = |path: &str| sim.act(path, Value::Null, Some(PLACE));
    let product = || sim.look("config/products", None).unwrap()[0]["Id"].clone();
    let place = json!({ "client_id": PLACE });
    match name {
        "InviteNext" | "ChangeUser" | "BeginBreak" | "EndBreak" | "InviteTicket" => free(sim),
        "StartService" | "RejectVisitor" => called(sim),
        "CompleteService" | "HoldVisitor" | "RedirectVisitor" => {
            called(sim);
            act("operation/start").unwrap();
        }
        _ => {}
    }
    match name {
        "InviteTicket" => {
            let waiting = sim.look("operation/queue", Some(PLACE)).unwrap();
            json!({ "client_id": PLACE, "ticket_product_id": first_free(sim, &waiting) })
        }
        "RedirectVisitor" => {
            let [users, places] = ["users", "workPlaces"]
                .map(|what| act(&format!("operation/redirect/{what}/x")).unwrap());
            json!({ "client_id": PLACE, "menu_link_id": product(), "return_after": true,
                "user_id": users[0]["Id"], "workplace_id": places[0]["Id"] })
        }
        "EndBreak" => {
            act("operation/break/begin").unwrap();
            place
        }
        "ChangeUser" => json!({ "client_id": PLACE, "user": "deputy" }),
        "NewTicket" => json!({ "product_ids": [product()], "priority": 1, "image": true }),
        "AddProduct" => json!({ "ticket_id": ticket(sim).0, "product_id": product() }),
        "CancelProduct" => of_ticket(sim),
        "SetPriority" => {
            let mut params = of_ticket(sim);
            params["priority"] = json!(3);
            params
        }
        "RedirectTicket" => {
            let [users, places] = ["users", "workPlaces"].map(|what| {
                let path = format!("queue/admin/redirect/{what}/x");
                sim.act(&path, Value::Null, None).unwrap()
            });
            let mut params = of_ticket(sim);
            params["user_id"] = users[0]["Id"].clone();
            params["workplace_id"] = places[0]["Id"].clone();
            params
        }
        "Book" => {
            json!({ "product_id": "310", "date": DAY, "time": free_time(sim), "confirm": true,
                "image": true })
        }
        "ConfirmBooking" | "CancelBooking" => {
            let path = format!("booking/book/{DAY}/{}?productId=310", free_time(sim));
            // As `auth.booking.identity`.
            let booked = sim.act(&path, Value::Null, Some("canary-identity")).unwrap();
            json!({ "ticket_id": booked["TicketId"] })
        }
        "BeginSurvey" | "AnswerSurvey" | "EndSurvey" => {
            let state = sim.look(&format!("survey/{DEVICE}/state"), None).unwrap();
            if !state["Question"].is_null() {
                sim.act(&format!("survey/{DEVICE}/end"), Value::Null, None).unwrap();
            }
            if name != "BeginSurvey" {
                sim.act(&format!("survey/{DEVICE}/begin"), Value::Null, None).unwrap();
            }
            match name {
                "AnswerSurvey" => json!({ "client_id": DEVICE, "answer": { "Answer": "да" } }),
                _ => json!({ "client_id": DEVICE }),
            }
        }
        _ => place,
    }
}

/// Nobody is at the workplace, it has no break, and somebody waits.
fn free(sim: &Simulator) {
    let state = sim.look("operation/state", Some(PLACE)).unwrap();
    let act = |path: &str| sim.act(path, Value::Null, Some(PLACE));
    if !state["TicketProduct"].is_null() {
        let end = act("operation/reject").or_else(|_| act("operation/complete"));
        end.unwrap();
    }
    act("operation/break/end").unwrap();
    let products = json!([sim.look("config/products", None).unwrap()[0]["Id"]]);
    sim.act("queue/admin/tickets/new", products, None).unwrap();
}

/// A visitor was called to the workplace.
fn called(sim: &Simulator) {
    free(sim);
    sim.act("operation/invite", Value::Null, Some(PLACE)).unwrap();
}

/// A service that waits, of a ticket with which nobody deals.
fn first_free(sim: &Simulator, waiting: &Value) -> Value {
    let tickets = sim.look("queue/admin/tickets", None).unwrap();
    let is_free = |id: &Value| {
        tickets.as_array().unwrap().iter().any(|one| one["Id"] == *id && one["State"] == 1)
    };
    let mut rows = waiting.as_array().unwrap().iter();
    rows.find(|row| is_free(&row["Ticket"]["Id"])).unwrap()["Id"].clone()
}

/// A new ticket: its identifier, and that of its service.
fn ticket(sim: &Simulator) -> (Value, Value) {
    let products = json!([sim.look("config/products", None).unwrap()[1]["Id"]]);
    let ticket = sim.act("queue/admin/tickets/new", products, None).unwrap();
    (ticket["Id"].clone(), ticket["Products"][0]["Id"].clone())
}

fn of_ticket(sim: &Simulator) -> Value {
    let (ticket, service) = ticket(sim);
    json!({ "ticket_id": ticket, "ticket_product_id": service })
}

/// A time that can be booked.
fn free_time(sim: &Simulator) -> String {
    let times = sim.look(&format!("booking/schedule/days/{DAY}?productId=310"), None).unwrap();
    times[0]["Time"].as_str().unwrap()[..5].to_owned()
}
