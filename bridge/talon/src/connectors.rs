//! Which connectors there are: the one place that names them.

use talon_sdk::Class;

/// All classes.
pub(crate) fn classes() -> Vec<Box<dyn Class>> {
    vec![
        Box::new(talon_connect1c::Connect1C),
        Box::new(talon_contractor::Contractor),
        Box::new(talon_enter::EnterExport),
        Box::new(talon_enter::EnterRest),
        Box::new(talon_quickq::QuickQ),
    ]
}

/// A class by its name.
pub(crate) fn class(name: &str) -> Option<Box<dyn Class>> {
    classes().into_iter().find(|class| class.name() == name)
}
