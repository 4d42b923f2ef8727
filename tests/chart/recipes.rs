//! Recipes of the chart against the classes that the program has.

use std::collections::BTreeSet;

use crate::{read, root, support};

/// The classes that `talon plugins` lists.
fn classes() -> BTreeSet<String> {
    let listed = support::program().arg("plugins").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let list = listed.split("\n\n").next().unwrap_or_default();
    list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn each_class_of_connector_has_a_recipe_named_after_it() {
    let classes = classes();
    assert!(classes.contains("contractor"), "{classes:?}");
    for class in classes {
        let path = format!("helm/talon/ci/{class}-values.yaml");
        assert!(root().join(&path).exists(), "`{class}` has no `{path}`");
        assert!(read(&path).contains(&format!("class: {class}\n")), "{path}");
    }
}
