//! Where the bytes of an attachment come from: out of the command, out of a folder, or over HTTP.
//!
//! The last two are off unless configured. Errors quote neither paths nor URLs: they may be personal,
//! and a URL may be signed.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use talon_http::{Client, Lane, Request, Url};
use talon_sdk::{Answer, ApplyFault, Context, Fault};
use tokio::io::AsyncReadExt;

const FETCH: &str = "GET the file of `reference`";

/// What may be attached.
#[derive(Clone)]
pub(crate) struct Limits {
    pub(crate) max_bytes: usize,
    /// Folder of `file:` references.
    pub(crate) root: Option<PathBuf>,
    /// `host` or `host:port` of URLs.
    pub(crate) hosts: Vec<String>,
}

pub(super) struct Attachments {
    pub(super) limits: Limits,
    /// Time limits and TLS are those of the upstream; its address and certificate are not used.
    pub(super) http: talon_http::Config,
    pub(super) context: Context,
}

fn refused(words: impl Into<String>) -> ApplyFault {
    ApplyFault::Refused(Answer::saying(words))
}

impl Attachments {
    /// The file, within the limit.
    pub(super) async fn bytes(
        &self,
        name: &str,
        content: Option<&str>,
        reference: Option<&str>,
    ) -> Result<Bytes, ApplyFault> {
        if name.contains(['/', '\\', '"']) || name.contains(char::is_control) {
            return Err(refused("`params.name` has a slash, a quote or a control character"));
        }
        let bytes = match (content, reference) {
            (Some(content), None) => Bytes::from(
                BASE64_STANDARD
                    .decode(content)
                    .map_err(|_| refused("`params.content` is no base64"))?,
            ),
            (None, Some(reference)) => match reference.strip_prefix("file:") {
                Some(path) => self.file(path).await?,
                None => self.fetched(reference).await?,
            },
            _ => return Err(refused("give either `params.content` or `params.reference`")),
        };
        match bytes.len() {
            0 => Err(refused("the file is empty")),
            length if length > self.limits.max_bytes => Err(self.too_large()),
            _ => Ok(bytes),
        }
    }

    fn too_large(&self) -> ApplyFault {
        refused(format!(
            "the file is larger than {} bytes; see `attachments.max.bytes`",
            self.limits.max_bytes
        ))
    }

    async fn file(&self, path: &str) -> Result<Bytes, ApplyFault> {
        let Some(root) = &self.limits.root else {
            return Err(refused("references to files are off; see `attachments.file.root`"));
        };
        let path = Path::new(path);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(refused(
                "`params.reference` is no path below `attachments.file.root`: it must not start \
                 with `/` nor have `.` or `..` in it",
            ));
        }
        let unreadable = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => refused("the file of `params.reference` is not there"),
            kind => ApplyFault::NotApplied(Fault::Misconfigured {
                reason: format!(
                    "`params.reference`, below `attachments.file.root`: {}",
                    talon_sdk::unreadable(path, kind)
                ),
            }),
        };
        let root = tokio::fs::canonicalize(root).await.map_err(|error| {
            ApplyFault::NotApplied(Fault::Misconfigured {
                reason: format!(
                    "`attachments.file.root`: {}",
                    talon_sdk::unreadable(root, error.kind())
                ),
            })
        })?;
        let found = tokio::fs::canonicalize(root.join(path)).await.map_err(unreadable)?;
        if !found.starts_with(&root) {
            return Err(refused("a link leads out of `attachments.file.root`"));
        }
        let file = tokio::fs::File::open(&found).await.map_err(unreadable)?;
        if !file.metadata().await.map_err(unreadable)?.is_file() {
            return Err(refused("`params.reference` is no file"));
        }
        let limit = self.limits.max_bytes as u64;
        let mut bytes = Vec::new();
        // One more than the limit shows that there is more.
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).await.map_err(unreadable)?;
        Ok(bytes.into())
    }

    async fn fetched(&self, reference: &str) -> Result<Bytes, ApplyFault> {
        let not_url = || refused("`params.reference` is neither `file:` nor an http or https URL");
        let url = Url::parse(reference).map_err(|_| not_url())?;
        let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https"));
        let host = host.ok_or_else(not_url)?;
        let with_port = url.port().map(|port| format!("{host}:{port}"));
        // A host stands for its scheme's own port; another port must be named.
        let named = with_port.as_deref().unwrap_or(host);
        if !self.limits.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(named)) {
            return Err(refused("the host is not one of `attachments.http.hosts`"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("the URL has a user or a password in it"));
        }
        let config = talon_http::Config {
            // With path and query, as they are: they may be signed.
            url: url.to_string(),
            response_max_bytes: self.limits.max_bytes,
            // Shown to the upstream only.
            tls: talon_http::Tls { client_certificate: None, ..self.http.tls.clone() },
            ..self.http.clone()
        };
        let client = Client::new(config, &self.context).map_err(ApplyFault::NotApplied)?;
        let reply = client.send(Request::get(FETCH, [] as [&str; 0]).lane(Lane::Command)).await;
        let reply = reply.map_err(|failure| match failure.kind {
            talon_http::FailureKind::TooLarge => self.too_large(),
            _ => ApplyFault::NotApplied(Fault::unavailable(format!(
                "{FETCH}: {}",
                failure.kind.as_str()
            ))),
        })?;
        match reply.status {
            200..=299 => Ok(reply.body),
            408 | 425 | 429 | 500.. => Err(ApplyFault::NotApplied(Fault::Unavailable {
                reason: format!("{FETCH} was answered with {}", reply.status),
                retry_after: reply.retry_after,
            })),
            status => Err(refused(format!("{FETCH} was answered with {status}"))),
        }
    }
}
