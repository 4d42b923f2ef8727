//! What the upstream's refusals mean: `contractor-personal-area.txt`, the tables of responses.
//!
//! Codes are scoped by endpoint, and most refusals come without one.

use talon_http::order::{Meaning, Refusals};

use crate::session::error_code;

const NO_CALL: &str = "there is no such call";
const CLOSED: &str = "the call is closed";
const BAD_INPUT: &str = "the input is not allowed";
const NO_LINE: &str = "the call, its cost estimate or the line was not found";
const CANNOT_COST: &str = "the cost estimate cannot be changed";

pub(super) static REFUSALS: Refusals = Refusals { meanings: MEANINGS, code: error_code };

#[rustfmt::skip]
const MEANINGS: &[Meaning] = &[
    ("POST /call", 400, None, BAD_INPUT),
    ("POST /call", 404, None, "the client, the service object or the user was not found"),
    ("POST /call", 404, Some(1), "the client was not found"),
    ("POST /call", 404, Some(2), "the service object was not found"),
    ("POST /call", 404, Some(3), "the user was not found"),
    ("PATCH /call/{id}", 400, None, BAD_INPUT),
    ("PATCH /call/{id}", 404, None, NO_CALL),
    ("POST /call/{id}/close", 404, None, NO_CALL),
    ("POST /call/{id}/close", 409, None, "the status of the call cannot be changed"),
    ("POST /call/{id}/dispatcher/message", 400, None, BAD_INPUT),
    ("POST /call/{id}/dispatcher/message", 404, None, NO_CALL),
    ("POST /call/{id}/dispatcher/message", 409, None, CLOSED),
    ("POST /call/{id}/unjeopardy", 400, None, BAD_INPUT),
    ("POST /call/{id}/unjeopardy", 404, None, NO_CALL),
    ("POST /call/{id}/unjeopardy", 409, None, "the jeopardy mark cannot be removed"),
    ("POST /call/{id}/jeopardy", 400, None, BAD_INPUT),
    ("POST /call/{id}/jeopardy", 404, None, NO_CALL),
    ("POST /call/{id}/jeopardy", 409, None, "the jeopardy mark cannot be set"),
    ("POST /call/{id}/message", 400, None, BAD_INPUT),
    ("POST /call/{id}/message", 404, None, NO_CALL),
    ("POST /call/{id}/message", 409, None, CLOSED),
    ("POST /call/{id}/status", 400, None, "the input is not allowed, or the comment is empty"),
    ("POST /call/{id}/status", 400, Some(6), "the comment is empty"),
    ("POST /call/{id}/status", 404, None, NO_CALL),
    ("POST /call/{id}/status", 409, None, "the status of the call cannot be changed to this one"),
    ("POST /call/{callId}/templink", 404, None, NO_CALL),
    ("POST /call/{callId}/templink", 409, None, "the call is not in the status Committed"),
    ("POST /callCost/call/{callId}", 404, None, NO_CALL),
    ("POST /callCost/call/{callId}", 409, None, "the cost estimate cannot be created"),
    ("PATCH /callCost/call/{callId}/changeApprovalStatus", 400, None, BAD_INPUT),
    ("PATCH /callCost/call/{callId}/changeApprovalStatus", 404, None, NO_LINE),
    ("PATCH /callCost/call/{callId}/changeApprovalStatus", 404, Some(1), NO_CALL),
    ("PATCH /callCost/call/{callId}/changeApprovalStatus", 404, Some(2), "the call has no cost estimate"),
    ("PATCH /callCost/call/{callId}/changeApprovalStatus", 404, Some(3), "there is no such expense"),
    ("PATCH /callCost/call/{callId}/changeApprovalStatus", 404, Some(4), "there is no such material"),
    ("PATCH /callCost/call/{callId}/changeApprovalStatus", 409, None, "the approval status cannot be changed"),
    ("POST /callCost/call/{callId}/expense", 400, None, BAD_INPUT),
    ("POST /callCost/call/{callId}/expense", 404, None, NO_LINE),
    ("POST /callCost/call/{callId}/expense", 404, Some(1), NO_CALL),
    ("POST /callCost/call/{callId}/expense", 404, Some(2), "the call has no cost estimate"),
    ("POST /callCost/call/{callId}/expense", 404, Some(3), "there is no such expenditure item"),
    ("POST /callCost/call/{callId}/expense", 409, None, "the expense cannot be created"),
    ("PATCH /callCost/call/{callId}/expense/{expenseId}", 400, None, BAD_INPUT),
    ("PATCH /callCost/call/{callId}/expense/{expenseId}", 404, None, NO_LINE),
    ("PATCH /callCost/call/{callId}/expense/{expenseId}", 404, Some(1), NO_CALL),
    ("PATCH /callCost/call/{callId}/expense/{expenseId}", 404, Some(2), "the call has no cost estimate"),
    ("PATCH /callCost/call/{callId}/expense/{expenseId}", 404, Some(3), "there is no such expense"),
    ("PATCH /callCost/call/{callId}/expense/{expenseId}", 409, None, CANNOT_COST),
    ("DELETE /callCost/call/{callId}/expense/{expenseId}", 400, None, BAD_INPUT),
    ("DELETE /callCost/call/{callId}/expense/{expenseId}", 404, None, NO_LINE),
    ("DELETE /callCost/call/{callId}/expense/{expenseId}", 404, Some(1), NO_CALL),
    ("DELETE /callCost/call/{callId}/expense/{expenseId}", 404, Some(2), "the call has no cost estimate"),
    ("DELETE /callCost/call/{callId}/expense/{expenseId}", 404, Some(3), "there is no such expense"),
    ("DELETE /callCost/call/{callId}/expense/{expenseId}", 409, None, CANNOT_COST),
    ("POST /callCost/call/{callId}/material", 400, None, BAD_INPUT),
    ("POST /callCost/call/{callId}/material", 404, None, NO_LINE),
    ("POST /callCost/call/{callId}/material", 404, Some(1), NO_CALL),
    ("POST /callCost/call/{callId}/material", 404, Some(2), "the call has no cost estimate"),
    ("POST /callCost/call/{callId}/material", 409, None, "the material cannot be created"),
    ("PATCH /callCost/call/{callId}/material/{materialId}", 400, None, BAD_INPUT),
    ("PATCH /callCost/call/{callId}/material/{materialId}", 404, None, NO_LINE),
    ("PATCH /callCost/call/{callId}/material/{materialId}", 404, Some(1), NO_CALL),
    ("PATCH /callCost/call/{callId}/material/{materialId}", 404, Some(2), "the call has no cost estimate"),
    ("PATCH /callCost/call/{callId}/material/{materialId}", 404, Some(4), "there is no such material"),
    ("PATCH /callCost/call/{callId}/material/{materialId}", 409, None, CANNOT_COST),
    ("DELETE /callCost/call/{callId}/material/{materialId}", 400, None, BAD_INPUT),
    ("DELETE /callCost/call/{callId}/material/{materialId}", 404, None, NO_LINE),
    ("DELETE /callCost/call/{callId}/material/{materialId}", 404, Some(1), NO_CALL),
    ("DELETE /callCost/call/{callId}/material/{materialId}", 404, Some(2), "the call has no cost estimate"),
    ("DELETE /callCost/call/{callId}/material/{materialId}", 404, Some(4), "there is no such material"),
    ("DELETE /callCost/call/{callId}/material/{materialId}", 409, None, CANNOT_COST),
    ("POST /callCost/status/call/{callId}", 404, None, NO_CALL),
    ("POST /callCost/status/call/{callId}", 409, None, "the status of the cost estimate cannot be changed"),
    ("POST /calltask/{id}/status", 404, None, "there is no such task"),
    ("POST /calltask/{id}/status", 409, None, "the status of the task cannot be changed to this one"),
    ("POST /calltask/{id}/attachment", 404, None, "there is no such task"),
    ("POST /calltask/{id}/attachment", 409, None, "the call must be Committed or Done, and the task Done"),
    ("POST /calltask/{id}/attachment", 422, None, "the file is no readable image (jpg), or its size does not fit"),
    ("POST /notification/{id}/read", 404, None, "there is no such notification"),
    ("POST /notification/readAll", 404, None, "there is no notification"),
    ("PATCH /systemSettings", 400, None, BAD_INPUT),
    ("PATCH /systemSettings", 409, None, "there is a conflict"),
    ("POST /user/register", 409, None, "a user of this name exists"),
    ("POST /user/{id}/changePassword", 400, None, "the password is not allowed, or the current one is wrong"),
    ("POST /user/{id}/changePassword", 400, Some(4), "the current password is wrong"),
    ("POST /user/{id}/changePassword", 401, Some(3), "the user is locked"),
    ("POST /user/{id}/changePassword", 404, None, "there is no such user"),
    ("POST /user/{id}/lock", 404, None, "there is no such user"),
    ("POST /shared/call/done", 400, None, BAD_INPUT),
    ("POST /shared/call/done", 404, None, "the call or a task was not found"),
    ("POST /shared/call/done", 409, None, "the status of a task or of the call cannot be changed"),
    ("POST /shared/call/done", 409, Some(3), "the status of a task cannot be changed"),
    ("POST /shared/call/done", 409, Some(7), "the status of the call cannot be changed"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use talon_http::Reply;
    use talon_sdk::{Answer, ApplyFault};

    use super::*;
    use crate::commands::ACTIONS;

    fn reply(status: u16, body: String) -> Reply {
        Reply {
            status,
            retry_after: None,
            content_type: None,
            date_ms: None,
            redirect_origin: None,
            body: Bytes::from(body),
        }
    }

    #[test]
    fn every_documented_refusal_says_what_it_means() {
        for (endpoint, status, code, words) in MEANINGS {
            let body = code.map(|code| format!("{{\"errorCode\":{code}}}")).unwrap_or_default();
            let reply = reply(*status, body);
            let expected = Answer {
                status: Some(*status),
                code: *code,
                message: (*words).to_owned(),
                response: None,
            };
            let judged = REFUSALS.judge(endpoint, Some("auth.x"), &reply);
            assert_eq!(judged, Err(ApplyFault::Refused(expected)), "{endpoint} {status} {code:?}");
        }
    }

    #[test]
    fn every_row_is_of_a_command_and_stands_once() {
        let calls: BTreeSet<&str> = ACTIONS.specs().iter().map(|spec| spec.call).collect();
        let mut seen = BTreeSet::new();
        for (endpoint, status, code, words) in MEANINGS {
            assert!(calls.contains(endpoint), "{endpoint}");
            assert!(seen.insert((endpoint, status, code)), "{endpoint} {status} {code:?} twice");
            assert!(!words.is_empty());
        }
    }
}
