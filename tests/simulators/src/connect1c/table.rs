//! A reply as text, piece by piece.

use super::call::{CORE, INSTANCE, Operation, PARTNER, SCHEMA};
use super::life::{NO_TIME, NOBODY, Treatment, World};
use super::settings::SoapVersion;
use super::spelling::{NoValue, Spelling};

/// A cell of a row.
#[derive(Clone, Debug)]
enum Cell {
    Text(String),
    Time(String),
    Number(i64),
    /// Nothing, where a number could be.
    Nothing,
}

/// The columns in the order of the document's sample.
const CLOSED: [&str; 13] = [
    "ServiceTreatmentID",
    "ClientID",
    "ServiceUserID",
    "ServiceID",
    "Initialized",
    "SpecAppointed",
    "QueueWaitingTime",
    "ClosedSpecialistID",
    "ReactionStarted",
    "Closed",
    "Duration",
    "ServiceQualityAssessment",
    "QueueLength",
];

const OPEN: [&str; 10] = [
    "ServiceTreatmentID",
    "ClientID",
    "ServiceUserID",
    "ServiceID",
    "Initialized",
    "SpecAppointed",
    "QueueWaitingTime",
    "CurrentSpecialist",
    "ReactionStarted",
    "QueueLength",
];

/// A column that no document has.
const TOPIC: &str = "Topic";

/// Writes replies of an operation in one spelling.
pub(super) struct Table {
    spelling: Spelling,
    operation: Operation,
    version: SoapVersion,
    columns: Vec<&'static str>,
}

impl Table {
    pub(super) fn new(operation: Operation, version: SoapVersion, spelling: Spelling) -> Table {
        let mut columns: Vec<&'static str> = match operation {
            Operation::GetHistoryOfServiceTreatments => CLOSED.to_vec(),
            Operation::GetOpenedServiceTreatments => OPEN.to_vec(),
        };
        if spelling.has_extra {
            columns.push(TOPIC);
        }
        let columns =
            spelling.order(columns.len()).into_iter().map(|place| columns[place]).collect();
        Table { spelling, operation, version, columns }
    }

    /// Everything before the `ResultData`.
    pub(super) fn head(&self, code: &str, out: &mut String) {
        let is_late = self.spelling.declares_late;
        let Spelling { soap, partner, core, schema, instance, .. } = self.spelling;
        if self.spelling.declaration {
            out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        }
        let mut declared = Spelling::declared(soap, self.version.namespace());
        let late: String = [(schema, SCHEMA), (instance, INSTANCE)]
            .map(|(p, uri)| Spelling::declared(p, uri))
            .concat();
        if !is_late {
            declared += &Spelling::declared(partner, PARTNER);
            declared += &Spelling::declared(core, CORE);
            declared += &late;
        }
        self.open(0, soap, "Envelope", &declared, out);
        self.open(1, soap, "Body", "", out);
        let response = format!("{}Response", self.operation.name());
        let declared = if is_late { Spelling::declared(partner, PARTNER) } else { String::new() };
        self.open(2, partner, &response, &declared, out);
        self.open(3, partner, "return", if is_late { &late } else { "" }, out);
        self.property("ResultCode", out);
        self.line(5, out);
        self.value("string", code, out);
        self.close(4, core, "Property", out);
    }

    /// The `ResultData` of a success, up to the first row.
    pub(super) fn columns(&self, out: &mut String) {
        let Spelling { core, instance, .. } = self.spelling;
        self.property("ResultData", out);
        // Without a prefix it is of the default namespace, as in the document.
        let kind = Spelling::name(core, "ValueTable");
        self.open(5, core, "Value", &format!(" {instance}:type=\"{kind}\""), out);
        for column in &self.columns {
            self.open(6, core, "column", "", out);
            self.line(7, out);
            let name = Spelling::name(core, "Name");
            out.push_str(&format!("<{name}>{column}</{name}>"));
            self.value_type(column, out);
            self.close(6, core, "column", out);
        }
    }

    /// A row.
    pub(super) fn row(&self, world: &World, treatment: &Treatment, odd: OddRow, out: &mut String) {
        let core = self.spelling.core;
        if self.spelling.has_comments {
            self.line(6, out);
            out.push_str("<!-- <row> & -->");
        }
        self.open(6, core, "row", "", out);
        let last = self.columns.len() - 1;
        for (place, column) in self.columns.iter().enumerate() {
            if odd == OddRow::Short && place == last {
                continue;
            }
            self.line(7, out);
            match self.cell(world, treatment, column) {
                Cell::Text(_) if odd == OddRow::WithoutId && *column == "ServiceTreatmentID" => {
                    self.value("string", "", out);
                }
                Cell::Text(text) => self.value("string", &text, out),
                Cell::Time(text) => self.plain("dateTime", &text, out),
                Cell::Number(number) => self.plain("decimal", &number.to_string(), out),
                Cell::Nothing => self.nothing(out),
            }
        }
        self.close(6, core, "row", out);
    }

    /// Everything behind the last row.
    pub(super) fn end(&self, out: &mut String) {
        let core = self.spelling.core;
        self.close(5, core, "Value", out);
        self.close(4, core, "Property", out);
        self.tail(out);
    }

    /// A `ResultData` that is a text, or nothing at all; and the end.
    pub(super) fn text_and_end(&self, text: Option<&str>, out: &mut String) {
        let Spelling { core, instance, .. } = self.spelling;
        self.property("ResultData", out);
        self.line(5, out);
        match text {
            Some(text) => self.value("string", text, out),
            None => {
                let name = Spelling::name(core, "Value");
                out.push_str(&format!("<{name} {instance}:nil=\"true\"/>"));
            }
        }
        self.close(4, core, "Property", out);
        self.tail(out);
    }

    /// A SOAP fault.
    pub(super) fn fault(&self, text: &str, out: &mut String) {
        let soap = self.spelling.soap;
        let name = |local: &str| Spelling::name(soap, local);
        let declared = Spelling::declared(soap, self.version.namespace());
        self.open(0, soap, "Envelope", &declared, out);
        self.open(1, soap, "Body", "", out);
        self.open(2, soap, "Fault", "", out);
        self.line(3, out);
        let mut escaped = String::new();
        self.spelling.text(text, &mut escaped);
        match self.version {
            SoapVersion::V12 => out.push_str(&format!(
                "<{code}><{value}>{receiver}</{value}></{code}><{reason}><{t} xml:lang=\"ru\">{escaped}</{t}></{reason}>",
                code = name("Code"),
                value = name("Value"),
                receiver = name("Receiver"),
                reason = name("Reason"),
                t = name("Text"),
            )),
            // Its parts are of no namespace, whatever the default one is.
            SoapVersion::V11 => out.push_str(&format!(
                "<faultcode xmlns=\"\">{}</faultcode><faultstring xmlns=\"\">{escaped}</faultstring>",
                name("Server"),
            )),
        }
        self.close(2, soap, "Fault", out);
        self.close(1, soap, "Body", out);
        self.close(0, soap, "Envelope", out);
    }

    fn tail(&self, out: &mut String) {
        let Spelling { soap, partner, .. } = self.spelling;
        self.close(3, partner, "return", out);
        self.close(2, partner, &format!("{}Response", self.operation.name()), out);
        self.close(1, soap, "Body", out);
        self.close(0, soap, "Envelope", out);
        out.push_str(self.spelling.line);
    }

    fn cell(&self, world: &World, treatment: &Treatment, column: &str) -> Cell {
        let time = |ms: Option<i64>| {
            Cell::Time(ms.map_or_else(|| NO_TIME.to_owned(), |ms| world.local(ms).to_string()))
        };
        let text = |text: &str| Cell::Text(text.to_owned());
        match column {
            "ServiceTreatmentID" => text(&treatment.id),
            "ClientID" => text(&treatment.client),
            "ServiceUserID" => text(&treatment.user),
            "ServiceID" => text(&treatment.line),
            "Initialized" => time(Some(treatment.opened_ms)),
            "SpecAppointed" => time(treatment.appointed_ms),
            "QueueWaitingTime" => treatment.waited_seconds.map_or(Cell::Nothing, Cell::Number),
            "ClosedSpecialistID" | "CurrentSpecialist" => {
                text(treatment.specialist.as_deref().unwrap_or(NOBODY))
            }
            "ReactionStarted" => time(treatment.reaction_ms),
            "Closed" => time(treatment.closed_ms),
            "Duration" => Cell::Number(treatment.seconds),
            "ServiceQualityAssessment" => Cell::Number(treatment.rating),
            "QueueLength" => Cell::Number(treatment.queue),
            _ => text(&treatment.topic),
        }
    }

    fn value_type(&self, column: &str, out: &mut String) {
        let Spelling { core, schema, instance, has_types, .. } = self.spelling;
        self.line(7, out);
        let name = Spelling::name(core, "ValueType");
        if !has_types {
            out.push_str(&format!("<{name}/>"));
            return;
        }
        let kind = match column {
            "Initialized" | "SpecAppointed" | "ReactionStarted" | "Closed" => "dateTime",
            "QueueWaitingTime" | "Duration" | "ServiceQualityAssessment" | "QueueLength" => {
                "decimal"
            }
            _ => "string",
        };
        let one = Spelling::name(core, "Type");
        // The types are names of XMLSchema; here its prefix is declared once more.
        let declared = Spelling::declared(schema, SCHEMA);
        out.push_str(&format!(
            "<{name}{declared}><{one} {instance}:nil=\"true\"/><{one}>{schema}:{kind}</{one}></{name}>"
        ));
    }

    fn property(&self, name: &str, out: &mut String) {
        let Spelling { core, declares_late, .. } = self.spelling;
        let declared = if declares_late { Spelling::declared(core, CORE) } else { String::new() };
        self.open(4, core, "Property", &format!(" name=\"{name}\"{declared}"), out);
    }

    /// A value whose text is spelled.
    fn value(&self, kind: &str, text: &str, out: &mut String) {
        let mut spelled = String::new();
        self.spelling.text(text, &mut spelled);
        self.plain(kind, &spelled, out);
    }

    fn plain(&self, kind: &str, text: &str, out: &mut String) {
        let Spelling { core, schema, instance, .. } = self.spelling;
        let colon = if core.is_empty() { "" } else { ":" };
        for part in [
            "<", core, colon, "Value ", instance, ":type=\"", schema, ":", kind, "\">", text, "</",
            core, colon, "Value>",
        ] {
            out.push_str(part);
        }
    }

    fn nothing(&self, out: &mut String) {
        let Spelling { core, schema, instance, none, .. } = self.spelling;
        let name = Spelling::name(core, "Value");
        match none {
            NoValue::Empty => self.plain("decimal", "", out),
            NoValue::SelfClosed => {
                out.push_str(&format!("<{name} {instance}:type=\"{schema}:decimal\"/>"));
            }
            NoValue::Nil => out.push_str(&format!("<{name} {instance}:nil=\"true\"/>")),
        }
    }

    fn open(&self, depth: usize, prefix: &str, local: &str, attributes: &str, out: &mut String) {
        self.line(depth, out);
        let colon = if prefix.is_empty() { "" } else { ":" };
        for part in ["<", prefix, colon, local, attributes, ">"] {
            out.push_str(part);
        }
    }

    fn close(&self, depth: usize, prefix: &str, local: &str, out: &mut String) {
        self.line(depth, out);
        let colon = if prefix.is_empty() { "" } else { ":" };
        for part in ["</", prefix, colon, local, ">"] {
            out.push_str(part);
        }
    }

    fn line(&self, depth: usize, out: &mut String) {
        if depth > 0 || !out.is_empty() {
            out.push_str(self.spelling.line);
        }
        for _ in 0..depth {
            out.push_str(self.spelling.blank);
        }
    }
}

/// What is odd about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OddRow {
    Nothing,
    /// It lacks its last value.
    Short,
    /// Its identifier is empty.
    WithoutId,
}
