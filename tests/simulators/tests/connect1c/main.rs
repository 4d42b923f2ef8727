//! 1C-Connect as a client sees it.
#![allow(clippy::unwrap_used)]

mod faults;
mod python;
mod quota;
mod replies;
mod rows;

use std::sync::atomic::Ordering;

use talon_simulators::connect1c::{Operation, Settings, Simulator};

/// 2024-07-10 12:00 in Yekaterinburg, which is by day.
const NOON: i64 = 1_720_594_800_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

const HISTORY: Operation = Operation::GetHistoryOfServiceTreatments;
const OPENED: Operation = Operation::GetOpenedServiceTreatments;

async fn upstream(settings: Settings) -> Simulator {
    // A second installation is refused, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let upstream = Simulator::start(settings).await.unwrap();
    upstream.clock().store(NOON, Ordering::SeqCst);
    upstream
}

/// An envelope of SOAP 1.2, or 1.1, with these parameters.
fn envelope(version: &str, operation: Operation, parameters: &[(&str, &str)]) -> String {
    let uri = match version {
        "1.1" => "http://schemas.xmlsoap.org/soap/envelope/",
        _ => "http://www.w3.org/2003/05/soap-envelope",
    };
    let parameters: String = parameters
        .iter()
        .map(|(name, value)| {
            let kind = if value.contains('T') { "dateTime" } else { "string" };
            format!(
                "<Property name=\"{name}\" xmlns=\"http://v8.1c.ru/8.1/data/core\">\
                 <Value xsi:type=\"xs:{kind}\">{value}</Value></Property>"
            )
        })
        .collect();
    let operation = operation.name();
    format!(
        "<soap:Envelope xmlns:soap=\"{uri}\" xmlns:par=\"http://buhphone.com/PartnerWebAPI2\" \
         xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soap:Body><par:{operation}>\
         <par:Params>{parameters}</par:Params></par:{operation}></soap:Body></soap:Envelope>"
    )
}

async fn post(upstream: &Simulator, body: String) -> reqwest::Result<reqwest::Response> {
    let request = reqwest::Client::new().post(upstream.url()).body(body);
    let request = request.header("content-type", "application/soap+xml; charset=utf-8");
    request.basic_auth("partner", Some("пароль:1")).send().await
}

/// The reply to a call that is answered with 200.
async fn call(upstream: &Simulator, operation: Operation, parameters: &[(&str, &str)]) -> String {
    let answer = post(upstream, envelope("1.2", operation, parameters)).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

/// The result code of a reply that is spelled as the document has it.
fn code(reply: &str) -> &str {
    let (_, rest) = reply.split_once("name=\"ResultCode\"").unwrap();
    let (_, rest) = rest.split_once("<Value xsi:type=\"xs:string\">").unwrap();
    rest.split_once('<').unwrap().0
}

fn rows(reply: &str) -> usize {
    reply.matches("<row>").count()
}

/// What was closed in the last three days.
const WINDOW: [(&str, &str); 2] =
    [("ClosedFrom", "2024-07-07T12:00:00"), ("CLOSEDTO", "2024-07-10T12:00:00")];
