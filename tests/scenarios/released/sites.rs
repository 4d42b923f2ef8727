//! The connectors, as they are configured for the fixtures.

use std::collections::BTreeMap;

use prometheus::Registry;
use talon_contractor::Contractor;
use talon_enter::EnterExport;
use talon_quickq::QuickQ;
use talon_runtime::Setup;
use talon_runtime::options::{self, Options};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Context, UpstreamMetrics};

/// Where the upstreams are.
pub(crate) struct Urls {
    pub(crate) field: String,
    pub(crate) hall: String,
    pub(crate) queue: String,
}

impl Urls {
    /// Where nobody listens: what was read is played back.
    pub(crate) fn nowhere() -> Urls {
        let [field, queue] = ["http://127.0.0.1:9"; 2].map(str::to_owned);
        Urls { field, hall: "ws://127.0.0.1:9/logic".to_owned(), queue }
    }
}

/// One connector of each class, with `more` settings in all of them.
pub(crate) fn setups(urls: &Urls, clock: &Clock, more: &[(&str, &str)]) -> Vec<Setup> {
    let field = [
        ("class", "contractor"),
        ("upstream.url", &urls.field),
        ("auth.external.token", crate::support::TOKEN),
        ("call.poll.interval.ms", "50"),
        ("call_message.poll.interval.ms", "50"),
        ("call_jeopardy.poll.interval.ms", "50"),
        ("call_task.poll.interval.ms", "50"),
        ("call_cost.poll.interval.ms", "1000"),
    ];
    let hall = [
        ("class", "quickq"),
        ("upstream.url", &urls.hall),
        ("auth.login", "admin"),
        ("auth.password", "12345"),
        ("refresh.interval.ms", "1000"),
        ("statistics.poll.interval.ms", "100"),
        ("server_info.poll.interval.ms", "100"),
        ("queue.workplaces", "1,2"),
    ];
    let queue = [
        ("class", "enter-export"),
        ("upstream.url", &urls.queue),
        ("poll.interval.ms", "50"),
        ("late.poll.interval.ms", "100"),
        ("catalogue.poll.interval.ms", "50"),
    ];
    vec![
        setup("field", &Contractor, &[&field, more].concat(), clock),
        setup("hall", &QuickQ, &[&hall, more].concat(), clock),
        setup("queue", &EnterExport, &[&queue, more].concat(), clock),
    ]
}

fn setup(name: &str, class: &dyn Class, texts: &[(&str, &str)], clock: &Clock) -> Setup {
    let mut keys = options::keys();
    keys.extend(class.keys());
    let text = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
    let texts: BTreeMap<String, String> = texts.iter().map(text).collect();
    let secrets = Secrets::of_process();
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let options = Options::read(&settings);
    let metrics = UpstreamMetrics::register(&Registry::new()).unwrap();
    let context = Context { name: name.to_owned(), clock: clock.clone(), metrics };
    let connector = class.configure(&mut settings, context);
    assert_eq!(settings.problems(), []);
    Setup {
        name: name.to_owned(),
        class: class.name(),
        options,
        connector: connector.unwrap(),
        commands: class.commands(),
    }
}
