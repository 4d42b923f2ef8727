//! Asks the registry, at the address that answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, header};
use talon_http::Proxy;
use talon_sdk::config::Secret;

use super::answer::Answer;
use super::explain::explain;
use super::options::Options;
use super::tls::{Stamps, Tls};
use crate::bus::BusFault;
use crate::service::backoff::Backoff;

const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may take. Less than the whole, so that a host that is gone leaves time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Over HTTP/2: after so long without anything it is asked whether it lives, and for as long the answer is
/// waited for. Both together are less than the whole.
const PING_INTERVAL: Duration = Duration::from_secs(3);

/// How often it is asked while it refuses for the moment, and the pauses between.
pub(super) const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The pauses between two tries.
pub(super) fn pauses() -> Backoff {
    Backoff::new(FIRST_PAUSE, LONGEST_PAUSE)
}

/// Something to ask.
pub(super) struct Request {
    method: Method,
    path: String,
    body: Option<String>,
}

impl Request {
    pub(super) fn get(path: String) -> Request {
        Request { method: Method::GET, path, body: None }
    }

    /// With a schema.
    pub(super) fn post(path: String, schema: &str) -> Request {
        let body = serde_json::json!({"schema": schema, "schemaType": "AVRO"}).to_string();
        Request { method: Method::POST, path, body: Some(body) }
    }
}

/// Asks the registry.
pub(super) struct Client {
    urls: Vec<String>,
    /// Place of the address that answered last.
    answers: AtomicUsize,
    user_info: Option<Secret>,
    proxy: Proxy,
    tls: Tls,
    is_secured: bool,
    made: Mutex<Made>,
}

/// The HTTP client, and when the files that it was made of had changed last.
struct Made {
    http: reqwest::Client,
    stamps: Stamps,
}

impl Client {
    pub(super) fn new(options: Options) -> Result<Client, BusFault> {
        let Options { urls, user_info, proxy, tls, .. } = options;
        let is_secured = urls.iter().any(|url| url.starts_with("https://"));
        let made = Mutex::new(Made::of(&tls, &proxy, is_secured)?);
        let answers = AtomicUsize::default();
        Ok(Client { urls, answers, user_info, proxy, tls, is_secured, made })
    }

    /// The addresses.
    pub(super) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Asks, and again for a while where the registry refuses for the moment.
    pub(super) async fn ask(&self, request: &Request) -> Result<Answer, BusFault> {
        let mut pauses = pauses();
        for _ in 1..TRIES {
            let answer = self.once(request).await?;
            if !answer.is_for_the_moment() {
                return Ok(answer);
            }
            tokio::time::sleep(pauses.next(None)).await;
        }
        self.once(request).await
    }

    /// Asks once: the address that answered last, and where it does not answer the others.
    pub(super) async fn once(&self, request: &Request) -> Result<Answer, BusFault> {
        let first = self.answers.load(Ordering::Relaxed);
        let (mut failed, mut away) = (Vec::new(), None);
        for step in 0..self.urls.len() {
            let place = (first + step) % self.urls.len();
            match self.at(&self.urls[place], request).await {
                Ok(answer) if answer.is_away() => away = Some(answer),
                Ok(answer) => {
                    self.answers.store(place, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(fault) => failed.push((&self.urls[place], fault)),
            }
        }
        away.map_or_else(|| Err(all_of(failed)), Ok)
    }

    /// Asks one address, which need not be one of the configured.
    pub(super) async fn at(&self, url: &str, request: &Request) -> Result<Answer, BusFault> {
        let mut sent =
            self.http().request(request.method.clone(), format!("{url}{}", request.path));
        if let Some(user_info) = &self.user_info {
            let text = user_info.expose();
            let (user, password) = text.split_once(':').unwrap_or((&text, ""));
            sent = sent.basic_auth(user, Some(password));
        }
        if let Some(body) = &request.body {
            let json = "application/vnd.schemaregistry.v1+json";
            sent = sent.header(header::CONTENT_TYPE, json).body(body.clone());
        }
        let reply = sent.send().await.map_err(|error| self.failed(&error))?;
        let status = reply.status().as_u16();
        let to = reply.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        let to = to.map(str::to_owned);
        let body = reply.bytes().await.map_err(|error| self.failed(&error))?;
        Ok(Answer { status, to, body })
    }

    /// What an error means. Over HTTP/2 the connection outlives a request that was given up, and may have
    /// been the reason; so its pool is used for no further request.
    fn failed(&self, error: &reqwest::Error) -> BusFault {
        if error.is_timeout() {
            // While the files do not go together it goes on with what it has.
            if let Ok(anew) = Made::of(&self.tls, &self.proxy, self.is_secured) {
                *self.made.lock().unwrap_or_else(PoisonError::into_inner) = anew;
            }
        }
        explain(error)
    }

    /// The HTTP client, made anew where a file has changed. While the new files do not go together, which
    /// they need not between two steps of a rotation, it goes on with what it has.
    fn http(&self) -> reqwest::Client {
        let stamps = self.tls.stamps();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.stamps != stamps {
            match Made::of(&self.tls, &self.proxy, self.is_secured) {
                Ok(anew) => *made = anew,
                Err(fault) => {
                    tracing::warn!(%fault, "changed certificates of the schema registry cannot be used");
                    made.stamps = stamps;
                }
            }
        }
        made.http.clone()
    }
}

impl Made {
    fn of(tls: &Tls, proxy: &Proxy, is_secured: bool) -> Result<Made, BusFault> {
        // Before they are read: what changes meanwhile is read again.
        let stamps = tls.stamps();
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.client_config(is_secured)?)
            .user_agent(concat!("talon/", env!("CARGO_PKG_VERSION")))
            // A POST would become a GET, and credentials would go elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // A peer that has gone without a word is noticed, and its connection not used again.
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_INTERVAL);
        let http = proxy.apply(builder).build().map_err(|error| {
            BusFault::Misconfigured(format!("no HTTP client for the schema registry: {error}"))
        })?;
        Ok(Made { http, stamps })
    }
}

/// Why no address answers.
fn all_of(mut failed: Vec<(&String, BusFault)>) -> BusFault {
    if failed.len() == 1 {
        return failed.remove(0).1;
    }
    let is_setting = |(_, fault): &(&String, BusFault)| matches!(fault, BusFault::Misconfigured(_));
    let all_are = failed.iter().all(is_setting);
    let each: Vec<String> = failed.iter().map(|(url, fault)| format!("`{url}`: {fault}")).collect();
    let text = format!("no address of the schema registry answers: {}", each.join("; "));
    if all_are { BusFault::Misconfigured(text) } else { BusFault::Unavailable(text) }
}
