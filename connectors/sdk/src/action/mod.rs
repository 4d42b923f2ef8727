//! Commands by their types: what one does, and how looking, sending once and reading back follow from it.
//!
//! A command's parameters are a type that implements [`Action`]. All of a connector stand in one table,
//! [`Actions`], which is also its list of [`CommandSpec`](crate::CommandSpec)s, and [`Actions::applier`] carries them.
//!
//! ```
//! use std::sync::Arc;
//!
//! use serde::{Deserialize, Serialize};
//! use talon_sdk::action::{Action, Actions, Scene, Unseen, actions};
//! use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, OrderingKey, Permit, Repeat};
//!
//! /// What sends: a client, the sessions, whatever the configuration says.
//! struct Desk;
//!
//! #[derive(Deserialize)]
//! struct CloseTicket {
//!     ticket_id: i64,
//! }
//!
//! /// What is kept of a look: it goes to the topic of results.
//! #[derive(Serialize, Deserialize)]
//! struct Standing {
//!     is_closed: bool,
//! }
//!
//! impl Action for CloseTicket {
//!     type Sender = Desk;
//!     const SPEC: &'static CommandSpec = &CommandSpec {
//!         call: "POST /tickets/{id}/close",
//!         probe: "whether the ticket is closed",
//!         ..CommandSpec::of("CloseTicket", OrderingKey::Params(&["ticket_id"]), Repeat::Converges)
//!     };
//!     type Seen = Standing;
//!     type Mark = Standing;
//!
//!     async fn see(&self, _: &Scene<'_, Desk>, _: Option<&Standing>) -> Result<Standing, Unseen> {
//!         Ok(Standing { is_closed: self.ticket_id == 7 })
//!     }
//!
//!     fn mark(&self, _: &Scene<'_, Desk>, seen: Standing) -> Standing {
//!         seen
//!     }
//!
//!     fn judge(&self, _: &Scene<'_, Desk>, _: &Standing, now: Standing) -> Finding {
//!         match now.is_closed {
//!             true => Finding::Applied(Answer::saying("read back: it is closed")),
//!             false => Finding::Absent,
//!         }
//!     }
//!
//!     async fn send(&self, _: &Scene<'_, Desk>, permit: &Permit) -> Result<Answer, ApplyFault> {
//!         permit.check()?;
//!         Ok(Answer::saying("done"))
//!     }
//! }
//!
//! static ACTIONS: Actions<Desk> = actions![CloseTicket];
//! assert_eq!(ACTIONS.specs()[0].name, "CloseTicket");
//! let applier = ACTIONS.applier(Arc::new(Desk));
//! # drop(applier);
//! ```

mod expect;
mod table;
mod typed;
mod what;

pub use expect::expected;
pub use table::Actions;
pub use typed::{Kind, typed};
pub use what::{Action, Scene, Unseen};

/// The part of an [`Action`] whose effect cannot be read back, and why.
#[macro_export]
macro_rules! unseen {
    ($why:literal) => {
        type Seen = ();
        type Mark = ();

        async fn see(
            &self,
            _: &$crate::action::Scene<'_, Self::Sender>,
            _: Option<&()>,
        ) -> Result<(), $crate::action::Unseen> {
            Err($crate::action::Unseen::Blind($why.to_owned()))
        }

        fn mark(&self, _: &$crate::action::Scene<'_, Self::Sender>, (): ()) {}

        fn judge(
            &self,
            _: &$crate::action::Scene<'_, Self::Sender>,
            (): &(),
            (): (),
        ) -> $crate::Finding {
            $crate::Finding::Unclear($why.to_owned())
        }
    };
}
pub use crate::unseen;

/// The table of a connector's commands: their types, in the order in which people see them.
#[macro_export]
macro_rules! actions {
    ($($action:ty),* $(,)?) => {
        $crate::action::Actions::new(&[$($crate::action::typed::<$action>()),*])
    };
}
pub use crate::actions;
