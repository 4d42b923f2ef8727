//! Requests: envelopes of SOAP 1.2, and the headers that go with them.

use std::fmt::Write;

use jiff::civil::DateTime;
use quick_xml::escape::escape;

/// The media type of requests. Replies come in several, and are not known by theirs.
pub const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";

/// The history of closed treatments.
pub const HISTORY: &str = "GetHistoryOfServiceTreatments";

/// The treatments that are open.
pub const OPENED: &str = "GetOpenedServiceTreatments";

/// What is told apart by the parameters of both operations; empty is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// `ClientID`.
    pub client: Option<String>,
    /// `ServiceUserID`.
    pub user: Option<String>,
    /// `ServiceID`.
    pub line: Option<String>,
    /// `SpecialistID`.
    pub specialist: Option<String>,
}

/// The header `SOAPAction` of an operation, for servers that want it.
pub fn action(operation: &str) -> String {
    format!("http://buhphone.com/PartnerWebAPI2#PartnerWebAPI2:{operation}")
}

/// Asks for the treatments that were closed between two times on the cabinet's clock.
pub fn history(closed_from: DateTime, closed_to: DateTime, filter: &Filter) -> String {
    let mut parameters = String::new();
    put_time("ClosedFrom", closed_from, &mut parameters);
    put_time("ClosedTo", closed_to, &mut parameters);
    put_filter(filter, &mut parameters);
    envelope(HISTORY, &parameters)
}

/// Asks for all treatments that are open.
pub fn opened(filter: &Filter) -> String {
    let mut parameters = String::new();
    put_filter(filter, &mut parameters);
    envelope(OPENED, &parameters)
}

fn envelope(operation: &str, parameters: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:par=\"http://buhphone.com/PartnerWebAPI2\" \
         xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soap:Header/><soap:Body><par:{operation}><par:Params>{parameters}</par:Params>\
         </par:{operation}></soap:Body></soap:Envelope>"
    )
}

fn put_filter(filter: &Filter, out: &mut String) {
    let Filter { client, user, line, specialist } = filter;
    for (name, id) in [
        ("ClientID", client),
        ("ServiceUserID", user),
        ("ServiceID", line),
        ("SpecialistID", specialist),
    ] {
        if let Some(id) = id {
            put(name, "string", &escape(id), out);
        }
    }
}

/// The upstream counts in whole seconds.
fn put_time(name: &str, time: DateTime, out: &mut String) {
    put(name, "dateTime", &time.strftime("%Y-%m-%dT%H:%M:%S").to_string(), out);
}

fn put(name: &str, kind: &str, value: &str, out: &mut String) {
    // Writing to a text cannot fail.
    let _written = write!(
        out,
        "<Property name=\"{name}\" xmlns=\"http://v8.1c.ru/8.1/data/core\">\
         <Value xsi:type=\"xs:{kind}\">{value}</Value></Property>"
    );
}

#[cfg(test)]
mod tests {
    use jiff::civil::datetime;

    use super::*;

    /// Names, types and texts of all elements, as the document's sample has them.
    fn contents(xml: &str) -> Vec<String> {
        let mut reader = quick_xml::NsReader::from_str(xml);
        let mut contents = Vec::new();
        loop {
            match reader.read_resolved_event().unwrap() {
                (namespace, quick_xml::events::Event::Start(start)) => {
                    let own = |key: &str| {
                        start.attributes().flatten().find(|one| one.key.as_ref() == key)
                    };
                    let told = [own("name"), own("xsi:type")].into_iter().flatten();
                    let told: Vec<String> =
                        told.map(|one| one.value.to_ascii_lowercase()).collect();
                    let name = start.local_name().into_inner().to_owned();
                    contents.push(format!("{namespace:?} {name} {told:?}"));
                }
                (_, quick_xml::events::Event::Text(text)) if !text.trim().is_empty() => {
                    contents.push(text.trim().to_owned());
                }
                (_, quick_xml::events::Event::Eof) => return contents,
                _ => {}
            }
        }
    }

    #[test]
    fn a_request_is_the_documents_but_for_the_window_of_openings() {
        let filter = Filter {
            client: Some("90028e2b-2003-11e7-80e6-0025904f970f".to_owned()),
            user: Some("0e0a9b78-ee6b-2003-bd33-ca248f7f9baf".to_owned()),
            line: Some("fbe839ae-07ec-11e8-2003-0025904f970f".to_owned()),
            specialist: Some("79d4067b-6f12-451a-8efb-2003d6a61c1e".to_owned()),
        };
        let own =
            history(datetime(2019, 9, 26, 1, 0, 0, 0), datetime(2019, 9, 28, 1, 0, 0, 0), &filter);
        let mut sample = contents(include_str!("../samples/request.xml"));
        let opened = sample.iter().position(|one| one.contains("openedfrom")).unwrap();
        sample.drain(opened..opened + 6);
        assert_eq!(contents(&own), sample);
    }

    #[test]
    fn what_is_put_in_is_escaped_and_times_are_whole_seconds() {
        let filter = Filter { client: Some("a<&\">".to_owned()), ..Filter::default() };
        let text = history(datetime(2024, 1, 2, 3, 4, 5, 678_000_000), DateTime::MIN, &filter);
        assert!(text.contains(">a&lt;&amp;&quot;&gt;</Value>"), "{text}");
        assert!(text.contains(">2024-01-02T03:04:05</Value>"), "{text}");
        assert!(!opened(&Filter::default()).contains("Property"));
    }

    #[test]
    fn the_action_is_the_one_of_recorded_traffic() {
        let action = action(HISTORY);
        assert_eq!(
            action,
            "http://buhphone.com/PartnerWebAPI2#PartnerWebAPI2:GetHistoryOfServiceTreatments"
        );
    }
}
