//! Requests: envelopes of SOAP 1.2.

use std::fmt::Write;

use jiff::civil::DateTime;
use quick_xml::escape::escape;

use super::service::Service;

/// A call of an operation, with a structure of parameters.
#[derive(Debug)]
pub struct Envelope {
    pub(super) service: &'static Service,
    pub(super) operation: &'static str,
    parameters: String,
}

impl Envelope {
    /// Without parameters yet.
    pub fn new(service: &'static Service, operation: &'static str) -> Envelope {
        Envelope { service, operation, parameters: String::new() }
    }

    /// With a parameter, where there is one.
    #[must_use]
    pub fn text(self, name: &str, text: Option<&str>) -> Envelope {
        match text {
            Some(text) => self.with(name, "string", &escape(text)),
            None => self,
        }
    }

    /// With a local time, in whole seconds.
    #[must_use]
    pub fn time(self, name: &str, time: DateTime) -> Envelope {
        self.with(name, "dateTime", &time.strftime("%Y-%m-%dT%H:%M:%S").to_string())
    }

    fn with(mut self, name: &str, kind: &str, value: &str) -> Envelope {
        // Writing to a text cannot fail.
        let _written = write!(
            self.parameters,
            "<Property name=\"{name}\" xmlns=\"http://v8.1c.ru/8.1/data/core\">\
             <Value xsi:type=\"xs:{kind}\">{value}</Value></Property>"
        );
        self
    }

    /// The document.
    pub fn body(&self) -> String {
        let Envelope {
            service: Service { namespace, parameters: name, .. },
            operation,
            parameters,
        } = self;
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" \
             xmlns:api=\"{namespace}\" \
             xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
             <soap:Header/><soap:Body><api:{operation}><api:{name}>{parameters}</api:{name}>\
             </api:{operation}></soap:Body></soap:Envelope>"
        )
    }
}
