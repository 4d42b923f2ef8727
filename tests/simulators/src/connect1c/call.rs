//! What a request asks for.

use jiff::civil::DateTime;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, QName, ResolveResult};
use quick_xml::{NsReader, XmlVersion};
use serde::{Deserialize, Serialize};

use super::settings::SoapVersion;

pub(super) const PARTNER: &str = "http://buhphone.com/PartnerWebAPI2";
pub(super) const CORE: &str = "http://v8.1c.ru/8.1/data/core";
pub(super) const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";
pub(super) const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The deepest nesting of a request.
const DEEPEST: usize = 32;

/// An operation of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Treatments that were closed.
    GetHistoryOfServiceTreatments,
    /// Treatments that are open.
    GetOpenedServiceTreatments,
}

impl Operation {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Operation::GetHistoryOfServiceTreatments => "GetHistoryOfServiceTreatments",
            Operation::GetOpenedServiceTreatments => "GetOpenedServiceTreatments",
        }
    }

    fn of(name: &str) -> Option<Operation> {
        [Operation::GetHistoryOfServiceTreatments, Operation::GetOpenedServiceTreatments]
            .into_iter()
            .find(|operation| operation.name() == name)
    }
}

/// What a call asks for: all that is given holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) opened_from: Option<DateTime>,
    pub(super) opened_to: Option<DateTime>,
    pub(super) closed_from: Option<DateTime>,
    pub(super) closed_to: Option<DateTime>,
    pub(super) client: Option<String>,
    pub(super) user: Option<String>,
    pub(super) service: Option<String>,
    pub(super) specialist: Option<String>,
}

/// A request that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) version: SoapVersion,
    pub(super) operation: Operation,
    pub(super) filter: Filter,
    /// `ClosedFrom` and `ClosedTo` as they came.
    pub(super) closed: (Option<String>, Option<String>),
}

/// Why a request is no call: what the SOAP fault says.
pub(super) type NoCall = String;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    DateTime,
    Text,
}

/// Reads a request as strictly as the document allows: names by namespace, values by `xsi:type`.
pub(super) fn read(body: &[u8]) -> Result<Asked, NoCall> {
    let mut reader = NsReader::from_reader(body);
    let (mut depth, mut version, mut operation) = (0_usize, None, None);
    let (mut filter, mut closed) = (Filter::default(), (None, None));
    let (mut property, mut kind, mut text) = (None::<String>, None, String::new());
    loop {
        let (bound, event) =
            reader.read_resolved_event().map_err(|error| format!("XML: {error}"))?;
        let namespace = match bound {
            ResolveResult::Bound(Namespace(uri)) => uri.to_owned(),
            _ => String::new(),
        };
        match event {
            Event::Start(start) => {
                depth += 1;
                let name = start.local_name();
                match (depth, name.as_ref(), &*namespace) {
                    (1, "Envelope", uri) => version = Some(version_of(uri)?),
                    (2, "Header" | "Body", uri)
                        if version.is_some_and(|known| known.namespace() == uri) => {}
                    (3, name, PARTNER) => {
                        let known = Operation::of(name);
                        operation = Some(known.ok_or_else(|| format!("нет операции {name}"))?);
                    }
                    (4, "Params", PARTNER) => {}
                    (5, "Property", CORE) => property = Some(attribute(&start, "name")?),
                    (6, "Value", CORE) => {
                        kind = Some(kind_of(&reader, &start)?);
                        text.clear();
                    }
                    (DEEPEST.., ..) => return Err("слишком глубоко".to_owned()),
                    (_, name, uri) => return Err(format!("неожиданный элемент {{{uri}}}{name}")),
                }
            }
            Event::Empty(start) => {
                let is_bare = matches!(
                    (depth, start.local_name().as_ref()),
                    (1, "Header") | (3, "Params") | (2, _)
                );
                if !is_bare {
                    return Err("пустой элемент".to_owned());
                }
                if depth == 2 && namespace == PARTNER {
                    operation = Operation::of(start.local_name().as_ref());
                }
            }
            Event::Text(part) => text.push_str(&part.xml10_content()),
            Event::CData(part) => text.push_str(&part.xml10_content()),
            Event::GeneralRef(_) | Event::DocType(_) => {
                return Err("ссылки не ожидаются".to_owned());
            }
            Event::End(_) => {
                if depth == 6 {
                    let name = property.take().ok_or("параметр без имени")?;
                    let kind = kind.take().ok_or("значение без типа")?;
                    put(&mut filter, &mut closed, &name, kind, text.trim())?;
                }
                depth -= 1;
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if depth != 0 {
        return Err("документ не закончен".to_owned());
    }
    Ok(Asked {
        version: version.ok_or("это не SOAP")?,
        operation: operation.ok_or("операция не указана")?,
        filter,
        closed,
    })
}

fn version_of(uri: &str) -> Result<SoapVersion, NoCall> {
    [SoapVersion::V11, SoapVersion::V12]
        .into_iter()
        .find(|version| version.namespace() == uri)
        .ok_or_else(|| format!("неизвестная версия SOAP: {uri}"))
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<String, NoCall> {
    let found = start.attributes().flatten().find(|one| one.key.as_ref() == name);
    let found = found.ok_or_else(|| format!("нет атрибута {name}"))?;
    let value =
        found.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
    Ok(value.into_owned())
}

fn kind_of(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Kind, NoCall> {
    for one in start.attributes() {
        let one = one.map_err(|error| error.to_string())?;
        let (bound, name) = reader.resolver().resolve_attribute(one.key);
        if bound != ResolveResult::Bound(Namespace(INSTANCE)) || name.as_ref() != "type" {
            continue;
        }
        let (bound, name) = reader.resolver().resolve(QName(&one.value), true);
        if bound != ResolveResult::Bound(Namespace(SCHEMA)) {
            return Err(format!("тип {} не из XMLSchema", one.value));
        }
        return match name.as_ref() {
            "dateTime" => Ok(Kind::DateTime),
            "string" => Ok(Kind::Text),
            other => Err(format!("неожиданный тип {other}")),
        };
    }
    Err("значение без xsi:type".to_owned())
}

/// Names are those of a structure of 1C, in which case does not count.
fn put(
    filter: &mut Filter,
    closed: &mut (Option<String>, Option<String>),
    name: &str,
    kind: Kind,
    text: &str,
) -> Result<(), NoCall> {
    let name = name.to_lowercase();
    let time = match &*name {
        "openedfrom" => Some(&mut filter.opened_from),
        "openedto" => Some(&mut filter.opened_to),
        "closedfrom" => {
            closed.0 = Some(text.to_owned());
            Some(&mut filter.closed_from)
        }
        "closedto" => {
            closed.1 = Some(text.to_owned());
            Some(&mut filter.closed_to)
        }
        _ => None,
    };
    if let Some(time) = time {
        if kind != Kind::DateTime {
            return Err(format!("{name}: ожидается dateTime"));
        }
        let has_zone = text.get(10..).is_some_and(|time| time.contains(['Z', '+', '-']));
        let read = text.parse().ok().filter(|_| !has_zone);
        *time = Some(read.ok_or_else(|| format!("{name}: это не дата"))?);
        return Ok(());
    }
    let id = match &*name {
        "clientid" => &mut filter.client,
        "serviceuserid" => &mut filter.user,
        "serviceid" => &mut filter.service,
        "specialistid" => &mut filter.specialist,
        _ => return Err(format!("нет параметра {name}")),
    };
    if kind != Kind::Text {
        return Err(format!("{name}: ожидается string"));
    }
    *id = Some(text.to_lowercase());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = include_str!("../../../../connectors/connect1c/samples/request.xml");

    #[test]
    fn the_documents_request_is_read() {
        let asked = read(SEED.as_bytes()).unwrap();
        assert_eq!(asked.version, SoapVersion::V12);
        assert_eq!(asked.operation, Operation::GetHistoryOfServiceTreatments);
        let filter = asked.filter;
        assert_eq!(filter.opened_from, "2019-09-19T01:00:00".parse().ok());
        assert_eq!(filter.closed_to, "2019-09-28T01:00:00".parse().ok());
        assert_eq!(filter.specialist.as_deref(), Some("79d4067b-6f12-451a-8efb-2003d6a61c1e"));
    }

    #[test]
    fn a_request_that_only_looks_right_is_refused() {
        for (from, to) in [
            (PARTNER, "http://buhphone.com/PartnerWebAPI"),
            ("xs:dateTime", "dateTime"),
            ("xs:dateTime", "xs:date"),
            ("ClosedTo", "ClosedUntil"),
            ("</soap:Body>", ""),
            ("2003/05/soap-envelope", "2003/05/soap"),
            ("2019-09-28T01:00:00", "2019-09-28T01:00:00Z"),
            ("2019-09-28T01:00:00", "soon"),
        ] {
            assert!(read(SEED.replace(from, to).as_bytes()).is_err(), "{from} -> {to}");
        }
    }
}
