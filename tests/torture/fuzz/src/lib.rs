//! What each program in `fuzz_targets/` is: a target of `talon_torture::fuzz` under its name.
#![forbid(unsafe_code)]

#[doc(hidden)]
pub use libfuzzer_sys;
#[doc(hidden)]
pub use talon_torture;

/// Runs a target. Its seeds are put into `corpus/NAME` first, where cargo-fuzz looks for inputs.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        static TARGET: std::sync::LazyLock<&'static $crate::talon_torture::fuzz::Target> =
            std::sync::LazyLock::new(|| $crate::talon_torture::fuzz::target($name));

        libfuzzer_sys::fuzz_target!(
            init: {
                let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/", $name);
                $crate::talon_torture::fuzz::plant($name, std::path::Path::new(folder))
                    .expect("the seeds can be written");
            },
            |data: &[u8]| (TARGET.run)(data)
        );
    };
}
