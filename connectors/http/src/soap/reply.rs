//! What a SOAP reply is made of.

use quick_xml::events::{BytesRef, BytesStart, Event};

use super::elements::{CORE, Elements, Kind, SOAP_11, SOAP_12, ValueType};
use super::fault::{ReplyFault, SoapFault, shown};
use super::limits::Limits;
use super::row::{RowBuffer, RowWriter};
use super::service::Service;

/// How many tags of cells are remembered.
const KNOWN_CELLS: usize = 16;

/// Where an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Envelope,
    Body,
    Response,
    Return,
    Property(Property),
    /// The text of a property.
    Told(Property),
    Table,
    Column,
    ColumnName,
    Row,
    Cell(ValueType),
    /// An element within a cell.
    CellPart,
    Fault,
    FaultCode,
    FaultReason,
    FaultCodeText,
    FaultText,
    /// What no reader of a reply needs.
    Other,
}

impl Node {
    /// Whether its text is wanted.
    fn has_text(&self) -> bool {
        matches!(
            self,
            Node::Told(_)
                | Node::ColumnName
                | Node::Cell(_)
                | Node::CellPart
                | Node::FaultCodeText
                | Node::FaultText
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Property {
    Code,
    Data,
}

/// What a whole reply was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// How many rows it had.
    pub rows: u64,
    /// Whether there was a table at all: a success may come with no data, which is no empty list.
    pub has_table: bool,
}

/// A reply as far as it was read.
pub(super) struct Reply {
    pub(super) elements: Elements,
    pub(super) rows: RowBuffer,
    limits: Limits,
    service: &'static Service,
    response: String,
    known: &'static [&'static str],
    nodes: Vec<Node>,
    text: String,
    row: RowWriter,
    /// The tags of cells that were read, and what they say: a table has a handful of them, over and over.
    cells: Vec<(String, ValueType)>,
    /// Whether the row's tag declares no namespace, so that a cell's tag means what it meant before.
    is_plain_row: bool,
    count: u64,
    code: Option<String>,
    told: String,
    fault: Option<SoapFault>,
    has_table: bool,
}

impl Reply {
    pub(super) fn new(
        service: &'static Service,
        operation: &str,
        known: &'static [&'static str],
        limits: Limits,
    ) -> Reply {
        Reply {
            service,
            elements: Elements::new(limits),
            rows: RowBuffer::default(),
            limits,
            response: format!("{operation}Response"),
            known,
            nodes: Vec::new(),
            text: String::new(),
            row: RowWriter::default(),
            cells: Vec::new(),
            is_plain_row: false,
            count: 0,
            code: None,
            told: String::new(),
            fault: None,
            has_table: false,
        }
    }

    /// Takes a token in, which begins at `at`.
    pub(super) fn event(&mut self, event: &Event<'_>, at: u64) -> Result<(), ReplyFault> {
        match event {
            Event::Start(start) => self.begin(start, at),
            Event::End(end) => {
                self.elements.close(end, at)?;
                self.end(end.name().as_ref())
            }
            Event::Empty(start) => {
                self.begin(start, at)?;
                self.elements.drop_last();
                self.end(start.name().as_ref())
            }
            // Blanks between elements are most of the texts.
            Event::Text(_) if self.nodes.last().is_some_and(|node| !node.has_text()) => Ok(()),
            Event::Text(text) => self.content(&text.xml10_content(), at),
            Event::CData(text) => self.content(&text.xml10_content(), at),
            Event::GeneralRef(reference) => {
                let letter = resolved(reference, at)?;
                self.content(letter.encode_utf8(&mut [0; 4]), at)
            }
            Event::DocType(_) => Err(ReplyFault::Forbidden { what: "a document type", at }),
            Event::Decl(declaration) => match declaration.encoding() {
                None => Ok(()),
                Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
                Some(_) => Err(ReplyFault::Forbidden { what: "another encoding than UTF-8", at }),
            },
            Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    /// Takes text in.
    pub(super) fn text(&mut self, text: &str) -> Result<(), ReplyFault> {
        if self.nodes.last().is_some_and(Node::has_text) {
            if self.text.len() + text.len() > self.limits.text {
                return Err(ReplyFault::TooLarge { what: "a text", limit: self.limits.text });
            }
            self.text.push_str(text);
        }
        Ok(())
    }

    /// Takes the rows that are whole.
    pub(super) fn take_rows(&mut self) -> RowBuffer {
        self.row.take(&mut self.rows)
    }

    /// What was read, if it is a success.
    pub(super) fn whole(&mut self) -> Result<Whole, ReplyFault> {
        if let Some(fault) = self.fault.take() {
            return Err(ReplyFault::Soap(fault));
        }
        match self.code.as_deref() {
            Some(code) if code == self.service.success => {
                Ok(Whole { rows: self.count, has_table: self.has_table })
            }
            Some(code) => {
                let (code, text) = (code.to_owned(), shown(&self.told));
                Err(match self.service.out_of_limit == Some(&*code) {
                    true => ReplyFault::OutOfLimit { code, text },
                    false => ReplyFault::Refused { code, text },
                })
            }
            None => Err(ReplyFault::NoCode(self.service.code)),
        }
    }

    fn content(&mut self, text: &str, at: u64) -> Result<(), ReplyFault> {
        if self.nodes.is_empty() {
            let is_blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
            let what = "text outside of all elements".to_owned();
            return if is_blank { Ok(()) } else { Err(ReplyFault::NotXml { what, at }) };
        }
        self.text(text)
    }

    fn begin(&mut self, start: &BytesStart<'_>, at: u64) -> Result<(), ReplyFault> {
        if let Some(value) = self.known_cell(start) {
            self.elements.open_known(start);
            self.text.clear();
            self.nodes.push(Node::Cell(value));
            return Ok(());
        }
        self.elements.open(start, at)?;
        let node = self.child(start)?;
        match node {
            Node::CellPart => {
                // What is no plain value stays as it is written.
                self.text("<")?;
                self.nodes.push(node);
                self.text(start)?;
                return self.text(">");
            }
            Node::Row => {
                self.is_plain_row = start.attributes_raw().is_empty();
                self.row.begin(&mut self.rows);
            }
            Node::Column if self.count > 0 => {
                return Err(ReplyFault::NotAReply("it has a column behind rows"));
            }
            Node::Table => {
                self.has_table = true;
                self.cells.clear();
            }
            Node::Cell(value) if self.is_plain_row && self.cells.len() < KNOWN_CELLS => {
                self.text.clear();
                if !start.contains("xmlns") {
                    self.cells.push((start.to_string(), value));
                }
            }
            Node::Fault => self.fault = Some(SoapFault::default()),
            Node::Told(_)
            | Node::ColumnName
            | Node::Cell(_)
            | Node::FaultCodeText
            | Node::FaultText => self.text.clear(),
            _ => {}
        }
        self.nodes.push(node);
        Ok(())
    }

    /// What a cell says whose tag was read before.
    fn known_cell(&self, start: &str) -> Option<ValueType> {
        if !self.is_plain_row || self.nodes.last() != Some(&Node::Row) {
            return None;
        }
        self.cells.iter().find(|(tag, _)| tag == start).map(|(_, value)| *value)
    }

    /// What an element is, by its name and where it stands.
    fn child(&self, start: &BytesStart<'_>) -> Result<Node, ReplyFault> {
        let (namespace, local) = self.elements.name(start);
        let Some(parent) = self.nodes.last() else {
            let is_soap = local == "Envelope" && matches!(namespace, SOAP_11 | SOAP_12);
            return is_soap.then_some(Node::Envelope).ok_or(ReplyFault::NotAReply("it is no SOAP"));
        };
        Ok(match (parent, namespace, local) {
            (Node::Row, CORE, "Value") => Node::Cell(self.elements.value_type(start)),
            (Node::Cell(_) | Node::CellPart, ..) => Node::CellPart,
            (Node::Table, CORE, "row") => Node::Row,
            (Node::Table, CORE, "column") => Node::Column,
            (Node::Column, CORE, "Name") => Node::ColumnName,
            (Node::Envelope, SOAP_11 | SOAP_12, "Body") => Node::Body,
            (Node::Body, SOAP_11 | SOAP_12, "Fault") => Node::Fault,
            (Node::Body, namespace, name)
                if namespace == self.service.namespace && name == self.response =>
            {
                Node::Response
            }
            (Node::Body, ..) => {
                return Err(ReplyFault::NotAReply("its body answers another operation"));
            }
            (Node::Response, namespace, "return") if namespace == self.service.namespace => {
                Node::Return
            }
            (Node::Return, CORE, "Property") => match self.property(start) {
                Some(property) => Node::Property(property),
                None => Node::Other,
            },
            (Node::Property(property), CORE, "Value") => {
                let ValueType { kind, is_nil } = self.elements.value_type(start);
                match kind {
                    Kind::Table if *property == Property::Data && !is_nil => Node::Table,
                    _ => Node::Told(*property),
                }
            }
            // The parts of a fault of 1.1 are of no namespace, or of whatever is the default one.
            (Node::Fault, _, "faultcode") => Node::FaultCodeText,
            (Node::Fault, _, "faultstring") => Node::FaultText,
            (Node::Fault, SOAP_12, "Code") => Node::FaultCode,
            (Node::Fault, SOAP_12, "Reason") => Node::FaultReason,
            (Node::FaultCode, SOAP_12, "Value") => Node::FaultCodeText,
            (Node::FaultReason, SOAP_12, "Text") => Node::FaultText,
            _ => Node::Other,
        })
    }

    /// Names of properties are those of a structure of 1C, in which case does not count.
    fn property(&self, start: &BytesStart<'_>) -> Option<Property> {
        let mut attributes = start.attributes();
        let name = attributes
            .with_checks(false)
            .flatten()
            .find(|attribute| attribute.key.as_ref() == "name")?
            .value;
        [(self.service.code, Property::Code), (self.service.data, Property::Data)]
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name.trim()))
            .map(|(_, property)| property)
    }

    fn end(&mut self, name: &str) -> Result<(), ReplyFault> {
        match self.nodes.pop() {
            Some(Node::CellPart) => self.text(&format!("</{name}>"))?,
            Some(Node::Cell(value)) => {
                if self.row.columns() == 0 {
                    return Err(ReplyFault::NotAReply("it has rows without columns"));
                }
                self.row.value(value, &self.text, &mut self.rows);
            }
            Some(Node::Row) => {
                self.row.end(&mut self.rows);
                self.count += 1;
            }
            Some(Node::ColumnName) => {
                if self.row.columns() >= self.limits.columns {
                    let limit = self.limits.columns;
                    return Err(ReplyFault::TooLarge { what: "columns", limit });
                }
                let name = self.text.trim();
                let known = self.known.iter().find(|known| known.eq_ignore_ascii_case(name));
                self.row.add_column(known.copied().unwrap_or(name));
            }
            Some(Node::Told(Property::Code)) => self.code = Some(shown(&self.text)),
            Some(Node::Told(Property::Data)) => self.told = std::mem::take(&mut self.text),
            Some(Node::FaultCodeText) => {
                let code = self.text.trim();
                let code = code.rsplit_once(':').map_or(code, |(_, local)| local);
                if let Some(fault) = &mut self.fault {
                    fault.code = shown(code);
                }
            }
            Some(Node::FaultText) => {
                if let Some(fault) = &mut self.fault {
                    fault.text = shown(&self.text);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// One of the five names, or a number.
fn resolved(reference: &BytesRef<'_>, at: u64) -> Result<char, ReplyFault> {
    let unknown = || ReplyFault::NotXml { what: "an unknown reference".to_owned(), at };
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok().flatten().ok_or_else(unknown);
    }
    match &**reference {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(unknown()),
    }
}
