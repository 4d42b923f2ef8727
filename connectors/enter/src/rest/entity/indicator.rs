//! What was measured of the service.

use std::borrow::Cow;

use talon_sdk::RowFault;
use talon_sdk::entity::{Entity, How, Record};
use talon_sdk::record::{Extra, Text};

/// An indicator of the service in a period that is over. Key: server_id/period/what. Upstream: GET queue/statistics/history.
#[derive(Record)]
#[record(namespace = "talon.enter_rest", name = "ServiceIndicator", finish = Indicator::take_key)]
pub(crate) struct Indicator<'a> {
    /// First part of the key. Upstream: ServerId; queue where it does not say it.
    #[record(made)]
    server_id: Cow<'a, str>,
    #[from("ServerId")]
    #[record(hidden)]
    told_server: Option<Text<'a>>,
    /// Second part of the key: the day that was asked for, 2024-07-10; with the time where Date tells one, 2024-07-10T09:00.
    #[record(made)]
    period: Cow<'a, str>,
    /// Third part of the key: what is measured, the identifiers or the name of the row, joined by +; queue where there is none.
    #[record(made)]
    what: Cow<'a, str>,
    #[from("Date")]
    date: Option<Text<'a>>,
    #[from("Id")]
    id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    #[from("ProductId")]
    product_id: Option<Text<'a>>,
    #[from("WorkplaceId")]
    workplace_id: Option<Text<'a>>,
    #[from("UserId")]
    user_id: Option<Text<'a>>,
    extra: Extra<'a>,
}

impl Indicator<'_> {
    fn take_key(&mut self, _: &How<'_>) {
        let server = self.told_server.take().map_or("queue".into(), |id| id.0.into_owned());
        let ids = [&self.id, &self.product_id, &self.workplace_id, &self.user_id];
        let ids: Vec<&str> = ids.into_iter().flatten().map(|id| &*id.0).collect();
        let what = match (ids.as_slice(), &self.name) {
            ([], Some(name)) => name.0.clone().into_owned(),
            ([], None) => "queue".to_owned(),
            (ids, _) => ids.join("+"),
        };
        (self.server_id, self.what) = (Cow::Owned(server), Cow::Owned(what));
    }
}

/// The time of a stamp, if it is another than midnight.
fn time_of(stamp: &str) -> Option<&str> {
    let time = stamp.split_once(['T', ' '])?.1.get(..5)?;
    (time != "00:00").then_some(time)
}

impl Entity for Indicator<'_> {
    const KEY: &'static str = "";

    fn take_scope(of: &mut Indicator<'_>, day: &str) -> Result<(), RowFault> {
        let time = of.date.as_ref().and_then(|date| time_of(&date.0));
        of.period = Cow::Owned(time.map_or(day.to_owned(), |time| format!("{day}T{time}")));
        Ok(())
    }

    fn key(of: &Indicator<'_>, key: &mut String) -> Result<(), RowFault> {
        for part in [&of.server_id, "/", &of.period, "/", &of.what] {
            key.push_str(part);
        }
        Ok(())
    }

    fn peek(_: &[u8], _: &str, _: &mut String) -> bool {
        false
    }
}
