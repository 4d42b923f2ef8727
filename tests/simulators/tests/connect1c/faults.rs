use serde_json::json;
use talon_simulators::connect1c::{Fault, FaultKind};

use super::*;

#[tokio::test]
async fn a_request_that_is_none_gets_a_soap_fault() {
    let upstream = upstream(Settings::default()).await;
    for body in ["", "<a/>", "{}", &envelope("1.2", HISTORY, &[("Closed", "2024-07-07T12:00:00")])]
    {
        let answer = post(&upstream, body.to_owned()).await.unwrap();
        assert_eq!(answer.status(), 500);
        assert!(answer.text().await.unwrap().contains("Fault>"));
    }
    assert!(upstream.journal().calls().is_empty());
}

#[tokio::test]
async fn connections_break_before_within_and_behind_a_call() {
    let upstream = upstream(Settings::default()).await;
    upstream.fault(Fault::from(FaultKind::LostRequest).times(1));
    assert!(post(&upstream, envelope("1.2", HISTORY, &WINDOW)).await.is_err());
    assert!(upstream.journal().calls().is_empty());
    upstream.fault(Fault::from(FaultKind::LostReply).times(1));
    assert!(post(&upstream, envelope("1.2", HISTORY, &WINDOW)).await.is_err());
    assert_eq!(upstream.journal().calls().len(), 1, "it counts");
    upstream.fault(Fault::from(FaultKind::Cut { rows: 3 }).times(1));
    let answer = post(&upstream, envelope("1.2", HISTORY, &WINDOW)).await.unwrap();
    assert!(answer.text().await.is_err());
    upstream.fault(Fault::from(FaultKind::Unfinished { rows: 3, between: true }).times(1));
    let reply = call(&upstream, HISTORY, &WINDOW).await;
    assert!(reply.ends_with("</row>") && rows(&reply) == 3);
}

#[tokio::test]
async fn answers_that_are_none_come_with_status_200() {
    let upstream = upstream(Settings::default()).await;
    for (fault, text) in [
        (FaultKind::HtmlError, "<!DOCTYPE html>"),
        (FaultKind::OtherAnswer { body: "ждите".to_owned() }, "ждите"),
        (
            FaultKind::Refused {
                code: "NO_RIGHTS".to_owned(), text: "нет <прав>".to_owned()
            },
            "нет &lt;прав&gt;",
        ),
        (FaultKind::NoData, "xsi:nil=\"true\""),
        (FaultKind::EmptyTable, "</column>"),
        (FaultKind::DocumentType, "<!ENTITY"),
    ] {
        upstream.fault(Fault::from(fault.clone()).times(1));
        let reply = call(&upstream, HISTORY, &WINDOW).await;
        assert!(reply.contains(text), "{fault:?}: {reply}");
        assert!(fault == FaultKind::DocumentType || rows(&reply) == 0);
    }
}

#[tokio::test]
async fn faults_are_for_an_operation_and_are_set_over_http() {
    let upstream = upstream(Settings::default()).await;
    let base = upstream.url().replace("/cus/ws/PartnerWebAPI2", "");
    let fault = json!({ "kind": "status", "code": 503, "retry_after_seconds": 7, "operation": "GetOpenedServiceTreatments" });
    let client = reqwest::Client::new();
    let set = client.post(format!("{base}/_sim/faults")).json(&fault).send().await.unwrap();
    assert_eq!(set.status(), 204);
    call(&upstream, HISTORY, &WINDOW).await;
    let refused = post(&upstream, envelope("1.2", OPENED, &[])).await.unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "7");
    let spend =
        json!({ "account": "partner", "operation": "GetHistoryOfServiceTreatments", "calls": 9 });
    client.post(format!("{base}/_sim/spend")).json(&spend).send().await.unwrap();
    assert_eq!(code(&call(&upstream, HISTORY, &WINDOW).await), "OUT_OF_LIMIT");
}
