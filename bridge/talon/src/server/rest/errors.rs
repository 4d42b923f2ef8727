//! Errors as Kafka Connect answers them, which its clients print.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use talon_sdk::config::Problem;

use crate::instances::Refusal;

/// What a handler answers.
pub(super) type Answer = Result<Response, Error>;

/// An answer that is none.
#[derive(Debug)]
pub(in crate::server) struct Error {
    code: StatusCode,
    message: String,
}

impl Error {
    pub(in crate::server) fn new(code: StatusCode, message: impl Into<String>) -> Error {
        Error { code, message: message.into() }
    }

    pub(in crate::server) fn code(&self) -> StatusCode {
        self.code
    }

    pub(in crate::server) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn bad(message: impl Into<String>) -> Error {
        Error::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn no_connector(name: &str) -> Error {
        Error::new(StatusCode::NOT_FOUND, format!("Connector {name} not found"))
    }

    pub(super) fn of(refusal: Refusal, name: &str) -> Error {
        match refusal {
            Refusal::NotFound => Error::no_connector(name),
            Refusal::Exists => {
                Error::new(StatusCode::CONFLICT, format!("Connector {name} already exists"))
            }
            Refusal::OfFile => Error::new(
                StatusCode::FORBIDDEN,
                format!(
                    "Connector {name} is in the configuration file of this process and cannot be changed over REST; change the file, and start the process anew"
                ),
            ),
            Refusal::Invalid(problems) => Error::bad(invalid(&problems)),
            Refusal::NotStopped => Error::bad(not_stopped(name)),
            Refusal::Runs(process) => {
                Error::bad(format!("{}; `{process}` still runs it", not_stopped(name)))
            }
            Refusal::Offsets(why) => Error::bad(why),
            Refusal::Busy => Error::new(
                StatusCode::CONFLICT,
                format!("Connector {name} is changed by others all the time; try again"),
            ),
            Refusal::Bus(why) => Error::new(StatusCode::INTERNAL_SERVER_ERROR, why),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({"error_code": self.code.as_u16(), "message": self.message});
        (self.code, Json(body)).into_response()
    }
}

/// Connect's text for offsets of a connector that is not stopped.
fn not_stopped(name: &str) -> String {
    format!(
        "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
    )
}

/// A problem as a sentence.
pub(super) fn sentence(problem: &Problem) -> String {
    format!("Invalid value for configuration {}: {}", problem.key, problem.message)
}

/// Connect's text for a configuration that cannot be.
fn invalid(problems: &[Problem]) -> String {
    let mut text = format!(
        "Connector configuration is invalid and contains the following {} error(s):",
        problems.len()
    );
    for problem in problems {
        text += "\n";
        text += &sentence(problem);
    }
    text + "\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
}
