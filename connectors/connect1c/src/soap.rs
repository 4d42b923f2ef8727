//! The web service: its operations, and what they are asked.

use jiff::civil::DateTime;
use talon_http::soap::{Envelope, Service};

/// The partners' interface.
pub const SERVICE: &Service = &Service {
    namespace: "http://buhphone.com/PartnerWebAPI2",
    action: "http://buhphone.com/PartnerWebAPI2#PartnerWebAPI2:",
    parameters: "Params",
    code: "ResultCode",
    data: "ResultData",
    success: "SUCCESS",
    out_of_limit: Some("OUT_OF_LIMIT"),
};

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

impl Filter {
    fn put(&self, envelope: Envelope) -> Envelope {
        envelope
            .text("ClientID", self.client.as_deref())
            .text("ServiceUserID", self.user.as_deref())
            .text("ServiceID", self.line.as_deref())
            .text("SpecialistID", self.specialist.as_deref())
    }
}

/// Asks for the treatments that were closed between two times on the cabinet's clock.
pub fn history(closed_from: DateTime, closed_to: DateTime, filter: &Filter) -> Envelope {
    let envelope = Envelope::new(SERVICE, HISTORY);
    filter.put(envelope.time("ClosedFrom", closed_from).time("ClosedTo", closed_to))
}

/// Asks for all treatments that are open.
pub fn opened(filter: &Filter) -> Envelope {
    filter.put(Envelope::new(SERVICE, OPENED))
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
        assert_eq!(contents(&own.body()), sample);
    }

    #[test]
    fn what_is_put_in_is_escaped_and_times_are_whole_seconds() {
        let filter = Filter { client: Some("a<&\">".to_owned()), ..Filter::default() };
        let text =
            history(datetime(2024, 1, 2, 3, 4, 5, 678_000_000), DateTime::MIN, &filter).body();
        assert!(text.contains(">a&lt;&amp;&quot;&gt;</Value>"), "{text}");
        assert!(text.contains(">2024-01-02T03:04:05</Value>"), "{text}");
        assert!(!opened(&Filter::default()).body().contains("Property"));
    }
}
