//! Faults of an upstream and of what it sends.

use async_trait::async_trait;
use talon_simulators::contractor::{Fault as Strike, FaultKind, Settings, Simulator, UserSeed};

use crate::fault::Fault;
use crate::site::{Site, Texts};
use crate::support::{self, TOKEN, connect};

/// What the simulator does.
pub(crate) enum What {
    /// Nobody listens.
    Away,
    Does(Strike),
}

/// The upstream `contractor`, read at its usual intervals.
pub(crate) struct Upstream {
    name: &'static str,
    alert: &'static str,
    what: What,
    settings: &'static [(&'static str, &'static str)],
    address: String,
    upstream: Simulator,
}

/// An upstream in which now and then something happens.
pub(crate) async fn contractor(edits_per_second: f64) -> Simulator {
    let settings = Settings {
        users: vec![UserSeed::named("bot")],
        edits_per_second,
        noise: 0.0,
        ..support::settings(60, 17)
    };
    Simulator::start(settings).await.unwrap()
}

/// The connector `field`, which carries commands too.
pub(crate) fn field(site: &Site, url: &str, more: &[(&str, &str)]) -> Texts {
    let mut texts = site.process();
    let usual = [
        ("class", "contractor"),
        ("upstream.url", url),
        ("auth.external.token", TOKEN),
        ("auth.user.name", "bot"),
        ("auth.user.password", "bot-пароль"),
        ("feeds", "call,call_message,call_task"),
    ];
    connect(&mut texts, "field", &usual);
    connect(&mut texts, "field", more);
    texts
}

fn status(code: u16, retry_after_seconds: Option<u64>) -> What {
    What::Does(FaultKind::Status { code, retry_after_seconds, body: None }.into())
}

/// A request that is not answered is waited for, for ten minutes.
pub(crate) const PATIENT: [(&str, &str); 2] =
    [("upstream.request.timeout.ms", "600000"), ("commands.settle.ms", "600000")];

/// All of this kind.
pub(crate) async fn all(address: &str) -> Vec<Box<dyn Fault>> {
    let patient = PATIENT.as_slice();
    let tasks = |kind: FaultKind| What::Does(Strike::from(kind).at("/calltask"));
    let faults = [
        ("upstream down", "TalonUpstreamDown", What::Away, [].as_slice()),
        (
            "upstream slow",
            "TalonUpstreamSlow",
            What::Does(FaultKind::Slow { ms: 8_000 }.into()),
            &[],
        ),
        ("upstream refuses credentials", "TalonUpstreamUnauthorized", status(401, None), &[]),
        ("upstream wants fewer requests", "TalonUpstreamThrottled", status(429, Some(30)), &[]),
        (
            "feed stuck while the process lives",
            "TalonFeedStale",
            What::Does(FaultKind::Slow { ms: 600_000 }.into()),
            patient,
        ),
        (
            "dead letters",
            "TalonDeadLetters",
            What::Does(Strike::from(FaultKind::UndecodableRow).at("/calltask")),
            &[],
        ),
        ("deletes withheld", "TalonDeletesWithheld", tasks(FaultKind::ShortList { keep: 1 }), &[]),
    ];
    let mut all = Vec::new();
    for (name, alert, what, settings) in faults {
        let upstream = contractor(0.5).await;
        let address = address.to_owned();
        let fault = Upstream { name, alert, what, settings, address, upstream };
        all.push(Box::new(fault) as Box<dyn Fault>);
    }
    all
}

#[async_trait(?Send)]
impl Fault for Upstream {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alert(&self) -> &'static str {
        self.alert
    }

    /// What is usual for a feed is known after five minutes.
    fn scrapes(&self) -> usize {
        if self.alert == "TalonFeedStale" { 24 } else { 0 }
    }

    fn address(&self) -> &str {
        &self.address
    }

    async fn begin(&mut self, site: &mut Site) {
        let texts = field(site, &self.upstream.url(), self.settings);
        site.run_ready(0, &texts).await;
        for feed in ["field/call", "field/call_message", "field/call_task"] {
            site.pod(0).becomes(feed, "up").await;
        }
    }

    async fn strike(&mut self, _: &mut Site) {
        match &self.what {
            What::Away => self.upstream.pause_listening().await,
            What::Does(fault) => self.upstream.fault(fault.clone()),
        }
    }

    async fn mend(&mut self, _: &mut Site) {
        match &self.what {
            What::Away => self.upstream.resume_listening().await,
            What::Does(_) => {
                self.upstream.faults().clear();
                // What waits is let go.
                self.upstream.pause_listening().await;
                self.upstream.resume_listening().await;
            }
        }
    }
}
