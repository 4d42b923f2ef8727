use std::borrow::Cow;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};

use crate::Credentials;

/// Something to ask of an upstream.
pub struct Request<'c> {
    /// The method.
    pub method: Method,
    /// Method and path as a template, for errors and logs: `GET /call/modifications/{timestamp}`.
    pub endpoint: &'static str,
    /// The path below `upstream.url`, in segments that are not encoded yet. The last one is empty
    /// where the path ends in `/`.
    pub path: Vec<String>,
    /// Names and values, not encoded yet.
    pub query: Vec<(Cow<'static, str>, String)>,
    /// Headers besides those of the body and the credentials.
    pub headers: HeaderMap,
    /// What is sent.
    pub body: Option<Body>,
    /// What is shown to be let in; `None` shows nothing.
    pub credentials: Option<&'c Credentials>,
}

/// The body of a request.
#[derive(Clone)]
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    /// Their `Content-Type`.
    pub content_type: HeaderValue,
}

impl<'c> Request<'c> {
    /// A request without query, headers, body and credentials.
    ///
    /// Each segment is encoded as a whole, so an id with `/` or `?` in it stays one segment.
    pub fn new<S: Into<String>>(
        method: Method,
        endpoint: &'static str,
        path: impl IntoIterator<Item = S>,
    ) -> Request<'c> {
        Request {
            method,
            endpoint,
            path: path.into_iter().map(Into::into).collect(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: None,
            credentials: None,
        }
    }

    /// [`Request::new`] with `GET`.
    pub fn get<S: Into<String>>(
        endpoint: &'static str,
        path: impl IntoIterator<Item = S>,
    ) -> Request<'c> {
        Request::new(Method::GET, endpoint, path)
    }

    /// With one more parameter in the query.
    pub fn query(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Request<'c> {
        self.query.push((name.into(), value.into()));
        self
    }

    /// With a body.
    pub fn body(mut self, bytes: impl Into<Bytes>, content_type: HeaderValue) -> Request<'c> {
        self.body = Some(Body { bytes: bytes.into(), content_type });
        self
    }

    /// With credentials, where there are some.
    pub fn credentials(mut self, credentials: impl Into<Option<&'c Credentials>>) -> Request<'c> {
        self.credentials = credentials.into();
        self
    }
}

/// Without path, query, headers and body: they may be personal.
impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Request");
        debug.field("endpoint", &self.endpoint).field("body", &self.body);
        debug.field("credentials", &self.credentials.map(Credentials::setting));
        debug.finish_non_exhaustive()
    }
}

/// Its size only.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({} bytes)", self.bytes.len())
    }
}
