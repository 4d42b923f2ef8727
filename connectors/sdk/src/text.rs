//! Texts of upstreams.

use std::borrow::Cow;

use serde::Deserialize;

/// A JSON string, borrowed where it has no escapes. (serde's own `Cow` always copies.)
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);
