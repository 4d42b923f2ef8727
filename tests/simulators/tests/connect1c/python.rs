//! As a stock client understands it. The client is no witness for every detail, so the script reads each
//! reply with another library too.

use std::collections::BTreeMap;
use std::process::Output;

use serde_json::{Value, json};
use talon_brokers::python;
use talon_simulators::connect1c::{Fault, FaultKind, Treatment};

use super::*;

/// What the client prints; nothing where the test is skipped.
async fn called(
    test: &'static str,
    upstream: &Simulator,
    login: &str,
    rest: Vec<String>,
) -> Option<Value> {
    let wsdl = format!("{}?wsdl", upstream.url());
    let arguments = [["--wsdl", &wsdl], ["--login", login], ["--password", "пароль:1"]];
    let arguments: Vec<String> =
        arguments.as_flattened().iter().map(|one| (*one).to_owned()).chain(rest).collect();
    let run = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        python::run(test, "call_soap.py", &arguments)
    };
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(run).await.unwrap()?;
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    Some(serde_json::from_slice(&stdout).unwrap())
}

fn of(port: &str, operation: Operation, parameters: &[(&str, &str)]) -> Vec<String> {
    let mut rest = vec!["--port".to_owned(), port.to_owned()];
    rest.extend(["--operation".to_owned(), operation.name().to_owned()]);
    for (name, value) in parameters {
        rest.extend(["--param".to_owned(), format!("{name}={value}")]);
    }
    rest
}

/// A row's values as the upstream's clock and stand-ins have them.
fn check(row: &Value, one: &Treatment) {
    let text = |name: &str| row[name].as_str();
    assert_eq!(text("ClientID"), Some(one.client.as_str()));
    assert_eq!(text("ServiceID"), Some(one.line.as_str()));
    let nobody = "00000000-0000-0000-0000-000000000000";
    assert_eq!(text("ClosedSpecialistID"), Some(one.specialist.as_deref().unwrap_or(nobody)));
    assert_eq!(text("QueueLength"), Some(one.queue.to_string().as_str()));
    assert_eq!(text("Duration"), Some(one.seconds.to_string().as_str()));
    assert_eq!(text("ServiceQualityAssessment"), Some(one.rating.to_string().as_str()));
    let waited = one.waited_seconds.map(|waited| waited.to_string());
    assert_eq!(text("QueueWaitingTime"), waited.as_deref());
    let zone = jiff::tz::TimeZone::get("Asia/Yekaterinburg").unwrap();
    let closed: jiff::civil::DateTime = text("Closed").unwrap().parse().unwrap();
    let closed = zone.to_timestamp(closed).unwrap().as_millisecond();
    assert_eq!(Some(closed), one.closed_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn zeep_and_lxml_read_every_reply_however_it_is_spelled() {
    let limits = Settings { day_limit: 1000, ..Settings::noisy() };
    let upstream = upstream(limits).await;
    let closed: BTreeMap<String, Treatment> = upstream
        .closed(NOON - 3 * DAY, NOON)
        .into_iter()
        .map(|one| (one.id.clone(), one))
        .collect();
    for round in 0..6 {
        let port = ["PartnerWebAPI2Soap12", "PartnerWebAPI2Soap"][round % 2];
        let window: Vec<(&str, &str)> =
            vec![("ClosedFrom", WINDOW[0].1), ("ClosedTo", WINDOW[1].1)];
        let answer = called("soap_python", &upstream, "partner", of(port, HISTORY, &window)).await;
        let Some(answer) = answer else { return };
        assert_eq!(answer["code"], "SUCCESS", "{port}");
        for read in ["rows", "read"] {
            let rows = answer[read].as_array().unwrap();
            assert_eq!(rows.len(), closed.len(), "{read}");
            for row in rows {
                check(row, &closed[row["ServiceTreatmentID"].as_str().unwrap()]);
                if let Some(topic) = row.get("Topic") {
                    let own = &closed[row["ServiceTreatmentID"].as_str().unwrap()].topic;
                    assert_eq!(topic.as_str().unwrap_or_default().trim(), own.trim());
                }
            }
        }
        let open =
            called("soap_python", &upstream, "partner", of(port, OPENED, &[])).await.unwrap();
        assert_eq!(open["rows"].as_array().unwrap().len(), upstream.open().len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zeep_reads_refusals_faults_and_logins_as_such() {
    let upstream = upstream(Settings::default()).await;
    let refused =
        FaultKind::Refused { code: "NO_RIGHTS".to_owned(), text: "нет <прав>".to_owned() };
    upstream.fault(Fault::from(refused).times(1));
    let port = "PartnerWebAPI2Soap12";
    let answer = called("soap_python", &upstream, "partner", of(port, OPENED, &[])).await;
    let Some(answer) = answer else { return };
    assert_eq!((&answer["code"], &answer["text"]), (&json!("NO_RIGHTS"), &json!("нет <прав>")));
    for port in ["PartnerWebAPI2Soap12", "PartnerWebAPI2Soap"] {
        let fault = FaultKind::SoapFault {
            text: "внутри & снаружи".to_owned(), version: None
        };
        upstream.fault(Fault::from(fault).times(1));
        let answer = called("soap_python", &upstream, "partner", of(port, OPENED, &[])).await;
        assert_eq!(answer.unwrap(), json!({ "fault": "внутри & снаружи" }), "{port}");
    }
    let answer = called("soap_python", &upstream, "nobody", of(port, OPENED, &[])).await;
    assert_eq!(answer.unwrap(), json!({ "status": 401 }));
}
