//! What the buttons of the console do.
//!
//! A form is sent by a browser, which says from which page: from no other than one of this origin is anything taken,
//! and a client that says nothing of it has REST.

use std::collections::HashMap;

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use super::layout::{self, Part};
use super::state::Console;
use super::text::Encoded;
use crate::instances::{Change, Refusal, Target};
use crate::server::access::{self, may_send_form};
use crate::server::rest::errors::Error;

/// Pauses, resumes, stops or restarts a connector.
pub(super) async fn change(
    State(console): State<Console>,
    known: access::Caller,
    caller: Caller,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let refuse = |code, why: &str| layout::refusal(&console, caller, (code, Part::Connector), why);
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let (name, word) = (field("name"), field("change"));
    if let Err(error) = may_send(&known, &headers, name, word) {
        return refuse(error.code(), error.message());
    }
    let change = match word {
        "pause" => Change::Target(Target::Paused),
        "resume" => Change::Target(Target::Running),
        "stop" => Change::Target(Target::Stopped),
        "restart" => Change::Restart { only_failed: false },
        _ => return refuse(StatusCode::BAD_REQUEST, "the console has no such button"),
    };
    let changed = console.instances.change(name, change).await;
    let code = match &changed {
        Ok(_) => StatusCode::SEE_OTHER,
        Err(refusal) => code(refusal),
    };
    tracing::info!(
        connector = name,
        change = word,
        code = code.as_u16(),
        who = known.who(),
        from = known.origin(),
        "a change in the console"
    );
    match changed {
        Ok(_) => {
            let to = format!("connector?name={}&done={}", Encoded(name), Encoded(word));
            (code, [(header::LOCATION, to)]).into_response()
        }
        Err(refusal) => refuse(code, &why(&refusal, name)),
    }
}

/// Refuses a form that this caller may not send, and logs that.
pub(super) fn may_send(
    known: &access::Caller,
    headers: &HeaderMap,
    connector: &str,
    change: &str,
) -> Result<(), Error> {
    let may = may_send_form(known, headers);
    if may.is_err() {
        let (who, from) = (known.who(), known.origin());
        tracing::warn!(connector, change, who, from, "a change in the console was refused");
    }
    may
}

fn code(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::OfFile => StatusCode::FORBIDDEN,
        Refusal::Exists | Refusal::Busy => StatusCode::CONFLICT,
        Refusal::Invalid(_) | Refusal::NotStopped | Refusal::Runs(_) | Refusal::Offsets(_) => {
            StatusCode::BAD_REQUEST
        }
        Refusal::Bus(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn why(refusal: &Refusal, name: &str) -> String {
    match refusal {
        Refusal::NotFound => format!("there is no connector `{name}`"),
        Refusal::Exists => format!("there is a connector `{name}` already"),
        Refusal::OfFile => format!(
            "`{name}` is in the configuration file of the process: change it there, and start the process anew"
        ),
        Refusal::Busy => format!("`{name}` is changed by others all the time; try again"),
        Refusal::NotStopped => format!("`{name}` is not stopped"),
        Refusal::Runs(process) => format!("`{process}` still runs `{name}`"),
        Refusal::Bus(why) | Refusal::Offsets(why) => why.clone(),
        Refusal::Invalid(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            problems.join("; ")
        }
    }
}
