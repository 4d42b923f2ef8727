//! An upstream that counts calls and has none left, and one of whose scopes cannot be read.

use async_trait::async_trait;
use jiff::{Span, Zoned};
use talon_simulators::{connect1c, enter_export};

use crate::fault::Fault;
use crate::site::Site;
use crate::support::connect;

/// Another program uses up what the upstream allows.
pub(crate) struct QuotaUsedUp {
    address: String,
    upstream: connect1c::Simulator,
}

impl QuotaUsedUp {
    pub(crate) async fn new(address: &str) -> QuotaUsedUp {
        let since = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60);
        let settings = connect1c::Settings {
            since: since.to_string(),
            opened_every_ms: 2_000,
            day_limit: 20_000,
            night_limit: 20_000,
            ..connect1c::Settings::default()
        };
        let upstream = connect1c::Simulator::start(settings).await.unwrap();
        QuotaUsedUp { address: address.to_owned(), upstream }
    }
}

#[async_trait(?Send)]
impl Fault for QuotaUsedUp {
    fn name(&self) -> &'static str {
        "quota used up"
    }

    fn alert(&self) -> &'static str {
        "TalonUpstreamQuotaUsedUp"
    }

    fn address(&self) -> &str {
        &self.address
    }

    async fn begin(&mut self, site: &mut Site) {
        let mut texts = site.process();
        let url = self.upstream.url();
        let settings = [
            ("class", "connect1c"),
            ("upstream.url", &*url),
            ("auth.user", "partner"),
            ("auth.password", "пароль:1"),
            ("time.zone", "Asia/Yekaterinburg"),
            ("lag.ms", "1000"),
            ("quota.day", "20000"),
            ("quota.reserve", "9000"),
            ("treatment.poll.interval.ms", "2000"),
            ("open_treatment.poll.interval.ms", "2000"),
        ];
        connect(&mut texts, "lines", &settings);
        site.run_ready(0, &texts).await;
        site.pod(0).becomes("lines/treatment", "up").await;
        site.pod(0).becomes("lines/open_treatment", "up").await;
    }

    async fn strike(&mut self, _: &mut Site) {
        for operation in [
            connect1c::Operation::GetHistoryOfServiceTreatments,
            connect1c::Operation::GetOpenedServiceTreatments,
        ] {
            self.upstream.spend("partner", operation, 20_000);
        }
    }

    /// An hour passes, which no test waits for: it ends with the process.
    async fn mend(&mut self, site: &mut Site) {
        site.end(0).await;
    }
}

/// One branch of three answers 500.
pub(crate) struct ScopeStuck {
    address: String,
    upstream: enter_export::Simulator,
}

impl ScopeStuck {
    pub(crate) async fn new(address: &str) -> ScopeStuck {
        let settings = enter_export::Settings::default();
        let upstream = enter_export::Simulator::start(settings).await.unwrap();
        ScopeStuck { address: address.to_owned(), upstream }
    }
}

#[async_trait(?Send)]
impl Fault for ScopeStuck {
    fn name(&self) -> &'static str {
        "one scope stuck"
    }

    fn alert(&self) -> &'static str {
        "TalonFeedDegraded"
    }

    fn address(&self) -> &str {
        &self.address
    }

    async fn begin(&mut self, site: &mut Site) {
        let mut texts = site.process();
        let url = self.upstream.url();
        let from = (Zoned::now() - Span::new().days(2)).date().to_string();
        let settings =
            [("class", "enter-export"), ("upstream.url", &*url), ("backfill.from", &*from)];
        connect(&mut texts, "hall", &settings);
        site.run_ready(0, &texts).await;
        site.pod(0).becomes("hall/ticket", "up").await;
    }

    async fn strike(&mut self, _: &mut Site) {
        let broken = enter_export::FaultKind::Status { code: 500, retry_after_seconds: None };
        self.upstream.fault(enter_export::Fault::from(broken).branch(1));
    }

    async fn mend(&mut self, _: &mut Site) {
        self.upstream.faults().clear();
    }
}
