//! What is asked, as the upstream's document writes it.

use std::fmt::Display;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::Value as Json;

use crate::{Body, Request};

/// What is asked.
#[derive(Clone)]
pub struct Order {
    /// The method.
    pub method: Method,
    /// Method and path as in the upstream's document: `POST /call/{id}/close`.
    pub endpoint: &'static str,
    /// The path below `upstream.url`, in segments that are not encoded yet.
    pub path: Vec<String>,
    /// Names and values, not encoded yet.
    pub query: Vec<(&'static str, String)>,
    /// What is sent.
    pub body: Option<Body>,
}

impl Order {
    /// Method and path as in the document, `POST /call/{id}/close`, with the values of the placeholders in
    /// order. A value is one segment, whatever stands in it.
    pub fn new<V: Display>(endpoint: &'static str, values: &[V]) -> Order {
        let (method, path) = endpoint.split_once(" /").unwrap_or(("GET", endpoint));
        let mut values = values.iter();
        let fill = |part: &str| match part.starts_with('{') {
            true => values.next().map_or_else(String::new, V::to_string),
            false => part.to_owned(),
        };
        Order {
            method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET),
            endpoint,
            path: path.split('/').map(fill).collect(),
            query: Vec::new(),
            body: None,
        }
    }

    /// An order without placeholders.
    pub fn plain(endpoint: &'static str) -> Order {
        Order::new::<i64>(endpoint, &[])
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, body: &Json) -> Order {
        self.body = Some(Body::Bytes {
            bytes: body.to_string().into(),
            content_type: HeaderValue::from_static("application/json"),
        });
        self
    }

    /// With a file as the only field of a form.
    #[must_use]
    pub fn file(mut self, field: &'static str, name: String, bytes: Bytes) -> Order {
        self.body = Some(Body::File { field, name, bytes });
        self
    }

    /// With a parameter in the query.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Order {
        self.query.push((name, value.into()));
        self
    }

    /// As a request.
    pub fn request<'c>(&self) -> Request<'c> {
        let mut request = Request::new(self.method.clone(), self.endpoint, self.path.clone());
        request.headers.insert("accept", HeaderValue::from_static("application/json"));
        let query = self.query.iter().map(|(name, value)| ((*name).into(), Some(value.clone())));
        request.query.extend(query);
        request.body = self.body.clone();
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_their_order_and_stay_one_segment() {
        let order = Order::new("PATCH /a/{x}/b/{y}", &["1/2", "3"]);
        assert_eq!((order.method, order.path), (Method::PATCH, texts(&["a", "1/2", "b", "3"])));
        let order = Order::plain("DELETE /a");
        assert_eq!((order.method, order.path), (Method::DELETE, texts(&["a"])));
        assert_eq!(Order::new("GET /a/{x}", &[7]).path, texts(&["a", "7"]));
    }

    fn texts(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }
}
