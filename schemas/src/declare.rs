//! How a connector declares its contracts.

/// Contracts of the feeds of a class, each a `LazyLock<Contract>` from `schemas/{class}/{feed}.avsc`.
///
/// For crates of this workspace that stand two folders below its root.
#[macro_export]
macro_rules! contracts {
    ($class:literal: $($name:ident = $feed:literal),* $(,)?) => {$(
        #[doc = concat!("Feed `", $feed, "`.")]
        pub static $name: ::std::sync::LazyLock<$crate::Contract> =
            ::std::sync::LazyLock::new(|| {
                let file = include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"), "/../../schemas/", $class, "/", $feed, ".avsc"
                ));
                $crate::Contract::of($class, $feed, file)
            });
    )*};
}

/// The contract of the commands of a class, a `LazyLock<CommandContract>` from
/// `schemas/{class}/commands.avsc`.
#[macro_export]
macro_rules! commands {
    ($class:literal) => {
        /// All commands.
        pub static COMMANDS: ::std::sync::LazyLock<$crate::command::CommandContract> =
            ::std::sync::LazyLock::new(|| {
                $crate::command::CommandContract::of(include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/../../schemas/",
                    $class,
                    "/commands.avsc"
                )))
            });
    };
}
