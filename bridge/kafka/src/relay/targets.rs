use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// The topics that each task has written to, in this process: a producer is made to fit them.
pub(crate) type Targets = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;
