//! What the upstream's refusals mean: `contractor-personal-area.txt`, the tables of responses.
//!
//! Codes are scoped by endpoint, and most refusals come without one.

use talon_http::{Reply, fault_of};
use talon_sdk::{Answer, ApplyFault, Fault};

use crate::session::error_code;

const NO_CALL: &str = "there is no such call";
const CLOSED: &str = "the call is closed";
const BAD_INPUT: &str = "the input is not allowed";
const NO_LINE: &str = "the call, its cost estimate or the line was not found";
const CANNOT_COST: &str = "the cost estimate cannot be changed";

/// (endpoint, status, code; words). A row without a code stands for all codes that have no own row.
type Row = (&'static str, u16, Option<i64>, &'static str);

#[rustfmt::skip]
pub(super) const MEANINGS: &[Row] = &[
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

fn meaning(endpoint: &str, status: u16, code: Option<i64>) -> Option<&'static str> {
    let find = |code: Option<i64>| {
        let mut rows = MEANINGS.iter();
        rows.find(|row| (row.0, row.1, row.2) == (endpoint, status, code)).map(|row| row.3)
    };
    find(code).or_else(|| find(None))
}

/// What a reply to a command means; `Ok` where the upstream did it.
///
/// `setting` is the key under which an operator finds the credentials that were shown.
///
/// | Status | Meaning |
/// | --- | --- |
/// | 2xx | done; a web page in its place says nothing: unclear |
/// | 401, 403 | not applied, the credentials; refused where the upstream gives a code of its own |
/// | 404 | refused; a web page instead: not applied, `upstream.url` |
/// | 425, 429 | not applied, later |
/// | 3xx, 405, 410 | not applied, `upstream.url` |
/// | 408, 5xx, no status | unclear |
/// | other 4xx | refused |
pub(super) fn judge(
    endpoint: &'static str,
    setting: Option<&str>,
    reply: &Reply,
) -> Result<(), ApplyFault> {
    let (status, code) = (reply.status, error_code(reply));
    let answer = |message: String| Answer { status: Some(status), code, message, response: None };
    let not_applied = || {
        let fault = fault_of(endpoint, reply, setting);
        ApplyFault::NotApplied(fault.unwrap_or_else(|| Fault::Internal {
            reason: format!("`{endpoint}`: {status} is taken as a fault"),
        }))
    };
    match status {
        200..=299 if !is_page(reply) => Ok(()),
        200..=299 => Err(ApplyFault::Unclear(answer(
            "a web page came instead of a reply: a login page or a proxy stands before the \
             upstream; see `upstream.url`"
                .to_owned(),
        ))),
        401 | 403 if code.is_some() => {
            let words = meaning(endpoint, status, code);
            match words.or((status == 403).then_some("the access is denied")) {
                Some(words) => Err(ApplyFault::Refused(answer(words.to_owned()))),
                None => Err(not_applied()),
            }
        }
        403 => Err(ApplyFault::NotApplied(Fault::Misconfigured {
            reason: match setting {
                Some(setting) => format!(
                    "`{endpoint}` was answered with 403: who signs in with `{setting}` may not do \
                     this, such as with a call of another user"
                ),
                None => format!("`{endpoint}` was answered with 403: the access is denied"),
            },
        })),
        401 => Err(not_applied()),
        404 if is_page(reply) => Err(not_applied()),
        300..=399 | 405 | 410 | 425 | 429 => Err(not_applied()),
        408 => Err(ApplyFault::Unclear(answer(format!("`{endpoint}` was answered with 408")))),
        400..=499 => {
            let words = meaning(endpoint, status, code).map(str::to_owned);
            let words = words.unwrap_or_else(|| format!("`{endpoint}` was rejected with {status}"));
            Err(ApplyFault::Refused(answer(words)))
        }
        _ => Err(ApplyFault::Unclear(answer(format!("`{endpoint}` was answered with {status}")))),
    }
}

fn is_page(reply: &Reply) -> bool {
    let kind = reply.content_type.as_deref().unwrap_or_default().trim_start().to_ascii_lowercase();
    kind.starts_with("text/html")
        || kind.starts_with("application/xhtml")
        || reply.body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;

    use super::*;
    use crate::commands::SPECS;

    fn reply(status: u16, kind: Option<&str>, body: &'static str) -> Reply {
        Reply {
            status,
            retry_after: None,
            content_type: kind.map(str::to_owned),
            date_ms: None,
            redirect_origin: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn kind(status: u16, page: Option<&str>, body: &'static str) -> &'static str {
        match judge("POST /user/{id}/changePassword", Some("auth.x"), &reply(status, page, body)) {
            Ok(()) => "applied",
            Err(ApplyFault::Refused(_)) => "refused",
            Err(ApplyFault::NotApplied(fault)) => fault.kind(),
            Err(ApplyFault::Unclear(_)) => "unclear",
        }
    }

    #[test]
    fn every_status_has_its_meaning() {
        for (statuses, expected) in [
            (&[200, 201, 204][..], "applied"),
            (&[301, 302, 307, 401, 403, 405, 410], "misconfigured"),
            (&[425, 429], "unavailable"),
            (&[408, 500, 502, 503, 504, 599, 100, 600], "unclear"),
            (&[400, 402, 404, 406, 409, 413, 415, 422, 499], "refused"),
        ] {
            for status in statuses {
                assert_eq!(kind(*status, None, ""), expected, "{status}");
            }
        }
        assert_eq!(kind(200, Some("text/html"), "x"), "unclear");
        assert_eq!(kind(404, Some("Text/HTML"), "x"), "misconfigured");
        assert_eq!(kind(401, None, r#"{"errorCode":3}"#), "refused");
        assert_eq!(kind(401, None, r#"{"errorCode":9}"#), "misconfigured");
        assert_eq!(kind(403, None, r#"{"errorCode":0}"#), "refused");
    }

    #[test]
    fn every_documented_refusal_says_what_it_means() {
        for (endpoint, status, code, words) in MEANINGS {
            let body = code.map(|code| format!("{{\"errorCode\":{code}}}")).unwrap_or_default();
            let reply = Reply { body: body.into(), ..reply(*status, None, "") };
            let expected = Answer {
                status: Some(*status),
                code: *code,
                message: (*words).to_owned(),
                response: None,
            };
            let judged = judge(endpoint, Some("auth.x"), &reply);
            assert_eq!(judged, Err(ApplyFault::Refused(expected)), "{endpoint} {status} {code:?}");
        }
    }

    #[test]
    fn every_row_is_of_a_command_and_stands_once() {
        let calls: BTreeSet<&str> = SPECS.iter().map(|spec| spec.call).collect();
        let mut seen = BTreeSet::new();
        for (endpoint, status, code, words) in MEANINGS {
            assert!(calls.contains(endpoint), "{endpoint}");
            assert!(seen.insert((endpoint, status, code)), "{endpoint} {status} {code:?} twice");
            assert!(!words.is_empty());
        }
    }

    #[test]
    fn a_code_without_a_row_of_its_own_means_what_its_status_means() {
        let words = |code| meaning("POST /call", 404, code);
        assert_eq!(words(Some(2)), Some("the service object was not found"));
        assert_eq!(words(Some(77)), words(None));
        assert_eq!(meaning("POST /call", 418, None), None);
    }
}
