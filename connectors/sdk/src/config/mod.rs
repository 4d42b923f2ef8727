//! Settings: declared once, with type, default, documentation, importance and validation.
//!
//! From a declaration ([`Key`]) come the check of a configuration, `talon plugins`, and the reference
//! page. [`Settings`] reads a flat map of texts by these declarations and collects every problem, each
//! with its key, without any I/O.

mod key;
mod secret;
mod settings;
mod stamp;

pub use key::{Importance, Key, Type};
pub use secret::{Secret, Secrets, Unresolved};
pub use settings::{Problem, Settings};
pub use stamp::Stamp;
