use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use crate::{Backfills, Quotas};

/// Counters of requests to upstreams, shared by all connectors of a process.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    /// `talon_upstream_requests_total{connector,code}`: `code` is the HTTP status, or `timeout`,
    /// `connect`, `cut`, `too_large`, `tls`, `other`; over a WebSocket `ok` or `refused` instead of a
    /// status.
    pub requests: IntCounterVec,
    /// `talon_upstream_request_duration_seconds{connector}`, until the whole body is there.
    pub duration: HistogramVec,
    /// `talon_upstream_budget_wait_seconds{connector}`: time that requests waited for the rate budget.
    pub budget_wait: HistogramVec,
    /// How far backfills are.
    pub backfills: Backfills,
    /// What is left of the calls that upstreams allow.
    pub quotas: Quotas,
}

impl UpstreamMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// Where one of the names is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<UpstreamMetrics> {
        let metrics = UpstreamMetrics {
            requests: IntCounterVec::new(
                Opts::new(
                    "talon_upstream_requests_total",
                    "Requests to an upstream by status or failure.",
                ),
                &["connector", "code"],
            )?,
            duration: HistogramVec::new(
                HistogramOpts::new(
                    "talon_upstream_request_duration_seconds",
                    "Time from sending a request to the end of its reply.",
                )
                .buckets(vec![
                    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
                ]),
                &["connector"],
            )?,
            budget_wait: HistogramVec::new(
                HistogramOpts::new(
                    "talon_upstream_budget_wait_seconds",
                    "Time that requests waited for the rate budget of their upstream.",
                )
                .buckets(vec![0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0]),
                &["connector"],
            )?,
            backfills: Backfills::register(registry)?,
            quotas: Quotas::register(registry)?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.duration.clone()))?;
        registry.register(Box::new(metrics.budget_wait.clone()))?;
        Ok(metrics)
    }
}
