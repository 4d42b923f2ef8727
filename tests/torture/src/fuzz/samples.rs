//! The samples of the connectors' tests, which are those of the upstreams' documents.

use std::path::{Path, PathBuf};

/// The sample files of a connector, by name.
///
/// # Panics
/// Where they are not there.
pub(super) fn of(connector: &str) -> Vec<(String, Vec<u8>)> {
    let folder = root().join("connectors").join(connector).join("tests/samples");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut samples: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| {
            let name = entry.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
            (name, read(&entry.path()))
        })
        .collect();
    samples.sort();
    samples
}

/// The example configuration of a connector.
///
/// # Panics
/// Where it is not there.
pub(super) fn example(connector: &str) -> Vec<u8> {
    read(&root().join("connectors").join(connector).join("example.yaml"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}
