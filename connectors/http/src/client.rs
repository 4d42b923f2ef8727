use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use talon_sdk::{Context, Fault, Permit, Received};
use tokio::time::Instant;
use tower::util::AndThenLayer;
use tracing::trace;

use crate::budget::RateBudget;
use crate::fault::body_of;
use crate::kept::{Kept, Pool};
use crate::{
    Config, Credentials, Failure, FailureKind, Reply, Request, Sent, body, failure, fault_of,
    permit, read_json_body, tls,
};

/// How long an idle connection is kept. Shorter than what servers keep by default, so that a request
/// seldom meets a connection that the other side is about to close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Asks one upstream. Cheap to clone; clones share connections and rate budget.
///
/// All methods may be called concurrently. Dropping a call gives the request up: it may have been
/// sent, and it is not counted.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// Sends what only reads, over connections that are kept.
    reads: Kept,
    /// Sends what has a permit, each over a connection of its own; see `permit.rs`.
    changes: reqwest::Client,
    base: Url,
    /// A proxy stands before the upstream.
    is_proxied: bool,
    pub(crate) config: Config,
    context: Context,
    budget: RateBudget,
}

/// A request as it goes over the wire, which the rate budget has room for.
pub(crate) struct Ready {
    request: reqwest::Request,
    permit: Option<Permit>,
    pub(crate) pool: Pool,
}

impl Client {
    /// Prepares to ask the upstream of `config`, and asks nothing yet.
    ///
    /// Reads the certificate files, which are read again when they change, and for https the machine's
    /// authorities; blocks for a few milliseconds.
    ///
    /// # Errors
    /// [`Fault::Misconfigured`] where the URL is none or a certificate file cannot be used.
    pub fn new(config: Config, context: &Context) -> Result<Client, Fault> {
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let base = Url::parse(&config.url).ok().filter(is_http).ok_or_else(|| {
            Fault::Misconfigured { reason: "`upstream.url` is no http or https URL".to_owned() }
        })?;
        let mut tls = tls::client_config(&config.tls, base.scheme() == "https")?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let (settings, host) = (config.clone(), base.host_str().unwrap_or_default().to_owned());
        let builder = move || builder(&settings, &host, tls.clone());
        let unbuilt = |_| Fault::Internal { reason: "no HTTP client can be built".to_owned() };
        let last = AndThenLayer::new(permit::asked_last);
        let changes = builder().pool_max_idle_per_host(0).connector_layer(last);
        let changes = changes.build().map_err(unbuilt)?;
        let make = Box::new(move || builder().pool_idle_timeout(IDLE_TIMEOUT).build());
        let reads = Kept::new(make).map_err(unbuilt)?;
        let budget = RateBudget::new(config.requests_per_second);
        let is_proxied = config.proxy.is_before(&base);
        let context = context.clone();
        let inner = Inner { reads, changes, base, is_proxied, config, context, budget };
        Ok(Client { inner: Arc::new(inner) })
    }

    /// Sends a request, when the rate budget allows it, and reads the reply to its end. Every status
    /// is a reply, also an error's.
    ///
    /// The time limit starts when the wait for the budget ends. Sent again is a request of which the
    /// protocol says that it was not looked at (a stream that HTTP/2 refuses, a kept connection that was
    /// closed before anything was written), and once what [`Request::may_repeat`].
    ///
    /// A connection over which no whole reply came is used for no later request; see `kept.rs`.
    ///
    /// A permit is asked after the wait for the budget and again when the connection has been made,
    /// right before the first byte leaves; also where the request is sent again. Where it has ended,
    /// the failure is [`FailureKind::NoPermit`] with [`Sent::No`].
    ///
    /// # Errors
    /// A [`Failure`] where there is no whole reply; it says whether the request may have been sent.
    pub async fn send(&self, request: Request<'_>) -> Result<Reply, Failure> {
        let again = request.may_repeat().then(|| request.clone());
        match (self.send_once(request).await, again) {
            (Err(failure), Some(again)) if failure.is_unanswered() => self.send_once(again).await,
            (outcome, _) => outcome,
        }
    }

    async fn send_once(&self, request: Request<'_>) -> Result<Reply, Failure> {
        let config = &self.inner.config;
        let endpoint = request.endpoint;
        let ready = self.inner.admit(request).await?;
        let pool = ready.pool.clone();
        let since = Instant::now();
        let exchange = self.inner.exchange(endpoint, ready);
        let outcome = match tokio::time::timeout(config.request_timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure {
                kind: FailureKind::Timeout,
                sent: Sent::Maybe,
                reason: format!(
                    "`{endpoint}`: no whole reply within {} ms; see `upstream.request.timeout.ms`",
                    config.request_timeout.as_millis()
                ),
                is_headless: false,
            }),
        };
        match &outcome {
            Ok(reply) => {
                let bytes = reply.body.len() as u64;
                self.inner.count(endpoint, &reply.status.to_string(), bytes, since);
            }
            Err(failure) => self.inner.failed(failure, &pool, endpoint, 0, since),
        }
        outcome
    }

    /// Reads what is no JSON: the body of a successful reply, empty for 204.
    ///
    /// # Errors
    /// What [`fault_of`] and [`Failure::fault`] say, and [`Fault::Unavailable`] for an HTML page.
    pub async fn read(&self, request: Request<'_>) -> Result<Bytes, Fault> {
        let endpoint = request.endpoint;
        body_of(endpoint, self.succeed(request).await?)
    }

    /// Reads JSON: as [`Client::read`], and no body that starts like a page ([`read_json_body`]).
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn read_json(&self, request: Request<'_>) -> Result<Received, Fault> {
        let endpoint = request.endpoint;
        read_json_body(endpoint, self.succeed(request).await?)
    }

    async fn succeed(&self, request: Request<'_>) -> Result<Reply, Fault> {
        let endpoint = request.endpoint;
        let credentials = request.credentials.map(Credentials::setting);
        let reply = self.send(request).await?;
        fault_of(endpoint, &reply, credentials).map_or(Ok(reply), Err)
    }
}

impl Inner {
    /// Waits until the rate budget has room for a request, and makes it ready.
    pub(crate) async fn admit(&self, mut request: Request<'_>) -> Result<Ready, Failure> {
        let waited = self.budget.wait(request.lane).await;
        let budget_wait = &self.context.metrics.budget_wait;
        budget_wait.with_label_values(&[&self.context.name]).observe(waited.as_secs_f64());
        let (endpoint, permit) = (request.endpoint, request.permit.take());
        if permit.as_ref().is_some_and(|permit| permit.check().is_err()) {
            return Err(failure::no_permit(endpoint));
        }
        let pool = self.reads.current();
        let request = request.prepare(&pool.http, &self.base)?;
        Ok(Ready { request, permit, pool })
    }

    /// Counts an exchange that is over; `code` is its status or failure.
    pub(crate) fn count(&self, endpoint: &str, code: &str, bytes: u64, since: Instant) {
        let Context { metrics, name, .. } = &self.context;
        let took = since.elapsed();
        metrics.duration.with_label_values(&[name]).observe(took.as_secs_f64());
        metrics.requests.with_label_values(&[name.as_str(), code]).inc();
        trace!(endpoint, code, bytes, ?took, "exchanged");
    }

    /// Counts an exchange that failed, if anything was asked, and gives up the connection where the
    /// reply did not come whole.
    pub(crate) fn failed(
        &self,
        failure: &Failure,
        pool: &Pool,
        endpoint: &str,
        bytes: u64,
        since: Instant,
    ) {
        if failure.sent == Sent::Maybe && failure.kind != FailureKind::TooLarge {
            self.reads.retire(pool);
        }
        if failure.kind != FailureKind::NoPermit {
            self.count(endpoint, failure.kind.as_str(), bytes, since);
        }
    }

    /// Sends a request and reads the head of its reply.
    pub(crate) async fn head(
        &self,
        endpoint: &str,
        ready: Ready,
    ) -> Result<(Reply, reqwest::Response), Failure> {
        let failed = |error: reqwest::Error| {
            let mut failure = failure::of_error(endpoint, &error);
            let is_told = failure.reason.contains("`upstream.proxy`");
            if self.is_proxied && failure.kind == FailureKind::Connect && !is_told {
                failure.reason += ", through a proxy; see `upstream.proxy`";
            }
            failure.is_headless = true;
            failure
        };
        let Ready { request, permit, pool } = ready;
        let response = match permit {
            None => pool.http.execute(request).await,
            Some(permit) => permit::under(permit, self.changes.execute(request)).await,
        };
        let response = response.map_err(failed)?;
        let (status, now_ms) = (response.status().as_u16(), self.context.clock.now_ms());
        Ok((Reply::of_head(status, response.headers(), response.url(), now_ms), response))
    }

    async fn exchange(&self, endpoint: &str, ready: Ready) -> Result<Reply, Failure> {
        let (mut reply, mut response) = self.head(endpoint, ready).await?;
        reply.body = body::read(endpoint, &mut response, self.config.response_max_bytes).await?;
        Ok(reply)
    }
}

/// What both kinds of clients have in common.
fn builder(config: &Config, host: &str, tls: rustls::ClientConfig) -> reqwest::ClientBuilder {
    // The library by itself also repeats, whatever the method, what ended because the server shuts down.
    let refused =
        reqwest::retry::for_host(host.to_owned()).no_budget().classify_fn(|attempt| match attempt
            .error()
            .is_some_and(failure::is_refused)
        {
            true => attempt.retryable(),
            false => attempt.success(),
        });
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("talon/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(refused)
        .gzip(true)
        // A peer that has gone is noticed while a request is under way, and not by its time limit alone.
        .http2_keep_alive_interval(config.ping_interval)
        .http2_keep_alive_timeout(config.ping_interval)
        .connect_timeout(config.connect_timeout);
    // What was written and not received when a request is given up, the system would try to deliver for
    // minutes.
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(config.request_timeout);
    config.proxy.apply(builder)
}

/// The instance's name only.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("name", &self.inner.context.name).finish_non_exhaustive()
    }
}
