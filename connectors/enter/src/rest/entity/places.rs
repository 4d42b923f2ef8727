//! Workplaces and devices, one entity each, known by what they were asked under.

use std::borrow::Cow;

use talon_sdk::RowFault;
use talon_sdk::entity::{Entity, Flag, How, Int, Record};
use talon_sdk::record::{Extra, Text};

use super::parts::Operator;
use super::ticket::Service;

/// A workplace as it is now. Upstream: GET operation/state.
#[derive(Record)]
#[record(namespace = "talon.enter_rest")]
pub(crate) struct Workplace<'a> {
    /// Key: the workplace that was asked for.
    #[record(made)]
    client_id: Cow<'a, str>,
    #[from("WorkplaceId")]
    workplace_id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    /// Upstream: IsBreak.
    #[from("IsBreak")]
    is_on_break: Option<Flag>,
    /// Who works there. Upstream: User.
    #[from("User")]
    operator: Option<Operator<'a>>,
    /// Whom it deals with. Upstream: TicketProduct.
    #[from("TicketProduct")]
    service: Option<Service<'a>>,
    extra: Extra<'a>,
}

/// A device that asks visitors, as it is now. Upstream: GET survey/:clientId/state.
#[derive(Record)]
#[record(namespace = "talon.enter_rest")]
pub(crate) struct Survey<'a> {
    /// Key: the device that was asked for.
    #[record(made)]
    client_id: Cow<'a, str>,
    /// The survey that runs.
    #[from("SurveyId")]
    survey_id: Option<Text<'a>>,
    /// The question that stands; null where no survey runs.
    #[from("Question")]
    question: Option<Question<'a>>,
    extra: Extra<'a>,
}

/// A question of a survey.
#[derive(Record)]
struct Question<'a> {
    #[from("Id")]
    id: Option<Text<'a>>,
    #[from("Text")]
    text: Option<Text<'a>>,
    extra: Extra<'a>,
}

macro_rules! by_scope {
    ($($entity:ident),*) => {$(
        impl Entity for $entity<'_> {
            const KEY: &'static str = "";

            fn take_scope(of: &mut $entity<'_>, scope: &str) -> Result<(), RowFault> {
                of.client_id = Cow::Owned(scope.to_owned());
                Ok(())
            }

            fn key(of: &$entity<'_>, key: &mut String) -> Result<(), RowFault> {
                key.push_str(&of.client_id);
                Ok(())
            }

            fn peek(_: &[u8], scope: &str, key: &mut String) -> bool {
                key.push_str(scope);
                true
            }
        }
    )*};
}

by_scope!(Workplace, Survey);

/// The summary of a queue. Upstream: GET queue/statistics.
#[derive(Record)]
#[record(namespace = "talon.enter_rest", name = "QueueStatistics", finish = Statistics::take_id)]
pub(crate) struct Statistics<'a> {
    /// Key: the server. Upstream: ServerId, or Id; queue or network where there is one that does not say it.
    #[record(made)]
    pub(crate) id: Cow<'a, str>,
    #[from("ServerId")]
    #[record(hidden)]
    server_id: Option<Text<'a>>,
    #[from("Id")]
    #[record(hidden)]
    own_id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    #[from("WaitingCount")]
    waiting: Option<Int>,
    #[from("OperatingCount")]
    operating: Option<Int>,
    #[from("CompletedCount")]
    completed: Option<Int>,
    extra: Extra<'a>,
}

impl Statistics<'_> {
    fn take_id(&mut self, _: &How<'_>) {
        let id = self.server_id.take().or(self.own_id.take());
        self.id = Cow::Owned(id.map(|id| id.0.into_owned()).unwrap_or_default());
    }
}

impl Entity for Statistics<'_> {
    const KEY: &'static str = "ServerId";

    fn key(of: &Statistics<'_>, key: &mut String) -> Result<(), RowFault> {
        if of.id.is_empty() {
            return Err(RowFault("a summary without `ServerId` and `Id`".to_owned()));
        }
        key.push_str(&of.id);
        Ok(())
    }

    fn peek(_: &[u8], _: &str, _: &mut String) -> bool {
        false
    }
}
