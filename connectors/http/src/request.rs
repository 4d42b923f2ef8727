use std::borrow::Cow;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url, multipart};
use talon_sdk::Permit;

use crate::{Credentials, Failure, FailureKind, Lane, Sent};

/// Something to ask of an upstream.
#[derive(Clone)]
pub struct Request<'c> {
    /// The method.
    pub method: Method,
    /// Method and path as a template, for errors and logs: `GET /call/modifications/{timestamp}`.
    pub endpoint: &'static str,
    /// The path below `upstream.url`, in segments that are not encoded yet. The last one is empty
    /// where the path ends in `/`.
    pub path: Vec<String>,
    /// Names and values, not encoded yet; one without a value stands alone, without `=`.
    pub query: Vec<(Cow<'static, str>, Option<String>)>,
    /// Headers besides those of the body and the credentials.
    pub headers: HeaderMap,
    /// What is sent.
    pub body: Option<Body>,
    /// What is shown to be let in; `None` shows nothing.
    pub credentials: Option<&'c Credentials>,
    /// Which line for the rate budget it stands in.
    pub lane: Lane,
    /// Leave to change the upstream, asked right before the first byte leaves. `None` for what only
    /// reads, which goes over the connections that are kept; with a permit it gets one of its own.
    pub permit: Option<Permit>,
    /// The upstream counts each asking, so it is never repeated.
    pub is_counted: bool,
}

/// The body of a request.
#[derive(Clone)]
pub enum Body {
    /// Some bytes.
    Bytes {
        /// The bytes.
        bytes: Bytes,
        /// Their `Content-Type`.
        content_type: HeaderValue,
    },
    /// A file as the only field of a form, `multipart/form-data`.
    File {
        /// Name of the field.
        field: &'static str,
        /// Name of the file.
        name: String,
        /// Its content.
        bytes: Bytes,
    },
}

impl<'c> Request<'c> {
    /// A request without query, headers, body, credentials and permit.
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
            lane: Lane::Feed,
            permit: None,
            is_counted: false,
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
        self.query.push((name.into(), Some(value.into())));
        self
    }

    /// With one more name in the query, that has no value: `?wsdl`.
    pub fn query_name(mut self, name: impl Into<Cow<'static, str>>) -> Request<'c> {
        self.query.push((name.into(), None));
        self
    }

    /// With a body.
    pub fn body(mut self, bytes: impl Into<Bytes>, content_type: HeaderValue) -> Request<'c> {
        self.body = Some(Body::Bytes { bytes: bytes.into(), content_type });
        self
    }

    /// With a place in another line than that of feeds.
    pub fn lane(mut self, lane: Lane) -> Request<'c> {
        self.lane = lane;
        self
    }

    /// With a permit: it changes something, and is sent only if the permit holds then.
    pub fn permit(mut self, permit: &Permit) -> Request<'c> {
        self.permit = Some(permit.clone());
        self
    }

    /// Counted by the upstream against a quota: never asked twice for one asking here.
    pub fn counted(mut self) -> Request<'c> {
        self.is_counted = true;
        self
    }

    /// May be sent once more where the connection ended before anything of the reply came: a kept
    /// connection may be closing just when it is used again. True of GET and HEAD without a permit, if no
    /// quota counts them.
    pub fn may_repeat(&self) -> bool {
        let reads = matches!(self.method, Method::GET | Method::HEAD);
        reads && self.permit.is_none() && !self.is_counted
    }

    /// With credentials, where there are some.
    pub fn credentials(mut self, credentials: impl Into<Option<&'c Credentials>>) -> Request<'c> {
        self.credentials = credentials.into();
        self
    }

    /// The request to an upstream as it goes over the wire; reads the secret.
    pub(crate) fn prepare(
        self,
        http: &reqwest::Client,
        base: &Url,
    ) -> Result<reqwest::Request, Failure> {
        let endpoint = self.endpoint;
        let unsent = |why: &str| Failure {
            kind: FailureKind::Other,
            sent: Sent::No,
            reason: format!("`{endpoint}` was not sent: {why}"),
            is_headless: false,
        };
        let url = self.url(base).ok_or_else(|| unsent("a segment of its path is `.` or `..`"))?;
        let mut prepared = reqwest::Request::new(self.method, url);
        *prepared.headers_mut() = self.headers;
        match self.body {
            None => {}
            Some(Body::Bytes { bytes, content_type }) => {
                prepared.headers_mut().insert(CONTENT_TYPE, content_type);
                *prepared.body_mut() = Some(bytes.into());
            }
            Some(Body::File { field, name, bytes }) => {
                let length = bytes.len() as u64;
                let part = multipart::Part::stream_with_length(bytes, length).file_name(name);
                // Names as browsers send them: servers that know no `filename*` understand these.
                let form = multipart::Form::new().percent_encode_noop().part(field, part);
                prepared = reqwest::RequestBuilder::from_parts(http.clone(), prepared)
                    .multipart(form)
                    .build()
                    .map_err(|_| unsent("the file cannot be put into a form"))?;
            }
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
            let mut pairs = url.query_pairs_mut();
            for (name, value) in &self.query {
                match value {
                    Some(value) => pairs.append_pair(name, value),
                    None => pairs.append_key_only(name),
                };
            }
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
        let (Body::Bytes { bytes, .. } | Body::File { bytes, .. }) = self;
        write!(f, "Body({} bytes)", bytes.len())
    }
}
