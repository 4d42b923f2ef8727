//! Which elements are open, and what their names mean.

use quick_xml::events::{BytesEnd, BytesStart};
use quick_xml::name::{Namespace, NamespaceResolver, QName, ResolveResult};

use super::fault::{ReplyFault, no_xml};
use super::limits::Limits;

pub(super) const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(super) const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";
pub(super) const CORE: &str = "http://v8.1c.ru/8.1/data/core";
const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The open elements.
pub(super) struct Elements {
    limits: Limits,
    resolver: NamespaceResolver,
    /// Their names, one behind the other, and where each begins.
    names: String,
    starts: Vec<usize>,
    is_over: bool,
}

/// What the attributes of a value say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ValueType {
    pub(super) kind: Kind,
    pub(super) is_nil: bool,
}

/// The types that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    /// A string, or something that is unknown.
    #[default]
    Text,
    Number,
    Time,
    Flag,
    Table,
}

impl Elements {
    pub(super) fn new(limits: Limits) -> Elements {
        Elements {
            limits,
            resolver: NamespaceResolver::default(),
            names: String::new(),
            starts: Vec::new(),
            is_over: false,
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.starts.len()
    }

    /// An element begins.
    pub(super) fn open(&mut self, start: &BytesStart<'_>, at: u64) -> Result<(), ReplyFault> {
        if self.is_over {
            return Err(misplaced("a second root", at));
        }
        if self.starts.len() >= self.limits.depth {
            return Err(ReplyFault::TooLarge { what: "a nesting", limit: self.limits.depth });
        }
        // Most have none or one, which cannot be doubled.
        let attributes = start.attributes_raw();
        if !attributes.is_empty() {
            let mut count = 0;
            for attribute in start.attributes() {
                attribute.map_err(|error| no_xml(&error.into(), at))?;
                count += 1;
            }
            if count > self.limits.attributes {
                return Err(ReplyFault::TooLarge {
                    what: "attributes",
                    limit: self.limits.attributes,
                });
            }
        }
        self.resolver.push(start).map_err(|error| no_xml(&error.into(), at))?;
        self.starts.push(self.names.len());
        self.names.push_str(start.name().as_ref());
        Ok(())
    }

    /// An element begins, with a tag that was opened before where it stands, and that declares no namespace.
    pub(super) fn open_known(&mut self, start: &BytesStart<'_>) {
        self.resolver.set_level(self.resolver.level() + 1);
        self.starts.push(self.names.len());
        self.names.push_str(start.name().as_ref());
    }

    /// The innermost element ends.
    pub(super) fn close(&mut self, end: &BytesEnd<'_>, at: u64) -> Result<(), ReplyFault> {
        let Some(&start) = self.starts.last() else {
            return Err(misplaced("an end without its beginning", at));
        };
        if self.names[start..] != *end.name().as_ref() {
            return Err(misplaced("the end of another element", at));
        }
        self.drop_last();
        Ok(())
    }

    /// The innermost element ended with its own tag.
    pub(super) fn drop_last(&mut self) {
        if let Some(start) = self.starts.pop() {
            self.names.truncate(start);
            self.resolver.pop();
        }
        self.is_over = self.starts.is_empty();
    }

    /// The document ends.
    pub(super) fn end(&self, at: u64) -> Result<(), ReplyFault> {
        match self.is_over {
            true => Ok(()),
            false => Err(ReplyFault::Cut { at, open: self.starts.len() }),
        }
    }

    /// Namespace and local name of an element that is open; no namespace is the empty one.
    pub(super) fn name<'a>(&'a self, start: &'a BytesStart<'_>) -> (&'a str, &'a str) {
        let (local, prefix) = start.name().decompose();
        (uri(self.resolver.resolve_prefix(prefix, true)), local.into_inner())
    }

    /// `xsi:type` and `xsi:nil` of an element that is open.
    pub(super) fn value_type(&self, start: &BytesStart<'_>) -> ValueType {
        let mut value = ValueType::default();
        for attribute in start.attributes().with_checks(false).flatten() {
            let (namespace, local) = self.resolver.resolve_attribute(attribute.key);
            if uri(namespace) != INSTANCE {
                continue;
            }
            match local.as_ref() {
                "type" => value.kind = self.kind(attribute.value.trim()),
                "nil" => value.is_nil = matches!(attribute.value.trim(), "true" | "1"),
                _ => {}
            }
        }
        value
    }

    /// The meaning of a type's name: its prefix counts where it is used, and without one the default
    /// namespace there.
    fn kind(&self, name: &str) -> Kind {
        let (namespace, local) = self.resolver.resolve(QName(name), true);
        match (uri(namespace), local.as_ref()) {
            // Where all elements have prefixes, the default namespace is none, or another's.
            (_, "ValueTable") => Kind::Table,
            (SCHEMA, "dateTime" | "date" | "time") => Kind::Time,
            (SCHEMA, "boolean") => Kind::Flag,
            (SCHEMA, "decimal" | "integer" | "int" | "long" | "short" | "double" | "float") => {
                Kind::Number
            }
            _ => Kind::Text,
        }
    }
}

fn uri(resolved: ResolveResult<'_>) -> &str {
    match resolved {
        ResolveResult::Bound(Namespace(uri)) => uri,
        ResolveResult::Unbound | ResolveResult::Unknown(_) => "",
    }
}

fn misplaced(what: &str, at: u64) -> ReplyFault {
    ReplyFault::NotXml { what: what.to_owned(), at }
}
