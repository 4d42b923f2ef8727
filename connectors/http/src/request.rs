use std::borrow::Cow;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};

use crate::{Credentials, Failure, FailureKind, Sent};

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

    /// The request to an upstream as it goes over the wire; reads the secret.
    pub(crate) fn prepare(self, base: &Url) -> Result<reqwest::Request, Failure> {
        let endpoint = self.endpoint;
        let url = self.url(base).ok_or_else(|| Failure {
            kind: FailureKind::Other,
            sent: Sent::No,
            reason: format!("`{endpoint}` was not sent: a segment of its path is `.` or `..`"),
        })?;
        let mut prepared = reqwest::Request::new(self.method, url);
        *prepared.headers_mut() = self.headers;
        if let Some(body) = self.body {
            prepared.headers_mut().insert(CONTENT_TYPE, body.content_type);
            *prepared.body_mut() = Some(body.bytes.into());
        }
        if let Some(credentials) = self.credentials {
            let (header, value) = credentials.current(endpoint)?;
            prepared.headers_mut().insert(header, value);
        }
        Ok(prepared)
    }

    /// `None` where a segment would lead elsewhere.
    fn url(&self, base: &Url) -> Option<Url> {
        if self.path.iter().any(|segment| segment == "." || segment == "..") {
            return None;
        }
        let mut url = base.clone();
        if !self.path.is_empty() {
            // An http URL always has segments.
            url.path_segments_mut().ok()?.pop_if_empty().extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Some(url)
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
