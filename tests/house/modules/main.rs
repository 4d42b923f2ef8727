//! Modules of a crate depend on one another in one direction: there is no circle.
#![allow(clippy::unwrap_used)]

mod graph;
mod paths;
mod source;

use std::path::Path;
use std::process::Command;

use graph::Graph;
use serde_json::Value;
use source::Crate;

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn no_crate_has_a_circle_of_modules() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (mut found, mut modules) = (Vec::new(), 0);
    for package in metadata["packages"].as_array().unwrap() {
        let name = text(&package["name"]);
        let folder = Path::new(text(&package["manifest_path"])).parent().unwrap();
        for target in package["targets"].as_array().unwrap() {
            let is_ours = |kind: &Value| matches!(text(kind), "lib" | "bin");
            if !target["kind"].as_array().unwrap().iter().any(is_ours) {
                continue;
            }
            let source = Crate::read(Path::new(text(&target["src_path"]))).unwrap();
            modules += source.files().count();
            let circles = Graph::of(&source, folder).circles();
            found.extend(circles.iter().map(|circle| format!("`{name}`: {circle}")));
        }
    }
    assert!(modules > 100, "{modules} modules were read");
    assert!(found.is_empty(), "circles of modules:\n\n{}", found.join("\n"));
}

/// They panic where standard output or error takes nothing; `bridge/talon/src/print.rs` has the ways that
/// do not.
#[test]
fn no_crate_of_the_product_prints_by_macros_that_panic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates =
        ["bridge", "connectors"].map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let crates = crates.into_iter().flatten().map(|entry| entry.unwrap().path());
    let crates = crates.chain([root.join("schemas"), root.join("tests/simulators")]);
    let mut count = 0;
    for path in crates.map(|path| path.join("src/lib.rs")).filter(|path| path.exists()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let lint = "#![warn(clippy::print_stdout, clippy::print_stderr)]";
        assert!(text.contains(lint), "{} lacks `{lint}`", path.display());
        count += 1;
    }
    assert!(count >= 10, "{count} crates");
}

/// Files of a crate, and the circles among them.
fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let source = Crate::read(&folder.path().join("lib.rs")).unwrap();
    Graph::of(&source, folder.path()).circles().into_iter().map(|circle| circle.files).collect()
}

#[test]
fn a_circle_is_found_and_its_files_are_named() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "pub struct B; fn f() { let c = crate::c::C; }"),
        ("c.rs", "pub struct C(super::a::A);"),
        ("d.rs", "use crate::{a::A, b::B, c};"),
    ];
    assert_eq!(circles(&files), [["a.rs", "b.rs", "c.rs"]]);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let source = Crate::read(&folder.path().join("lib.rs")).unwrap();
    let circle = Graph::of(&source, folder.path()).circles().remove(0).to_string();
    for edge in ["a.rs:1 → b.rs (`crate::b::B`)", "b.rs:1 → c.rs (`crate::c::C`)", "c.rs:1 → a.rs"]
    {
        assert!(circle.contains(edge), "{circle}");
    }
}

#[test]
fn a_declaration_a_visibility_a_comment_and_a_test_are_no_dependency() {
    let parent = "//! [`a::A`]\nmod a; /// crate::a::A\n pub struct P;";
    let child = "
        /// [`crate::b::B`]
        pub(in crate::a) struct A(super::P);
        #[cfg(test)] mod tests { use crate::b::B; }
        #[cfg(all(test, unix))] use crate::b::B;
        #[test] fn t() { crate::b::f(); }
        impl A { #[cfg(test)] fn b() { crate::b::f(); } }
    ";
    let files = [
        ("lib.rs", "mod parent; mod b;"),
        ("parent/mod.rs", parent),
        ("parent/a.rs", child),
        ("b.rs", "use crate::parent::P;"),
    ];
    assert_eq!(circles(&files), [[""; 0]; 0]);
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "#[cfg(not(test))] use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::a::A; pub struct B;"),
    ];
    assert_eq!(circles(&files), [["a.rs", "b.rs"]]);
}

#[test]
fn a_parent_that_passes_a_child_on_depends_on_it() {
    let with = |parent: &str| {
        circles(&[
            ("lib.rs", "mod parent;"),
            ("parent.rs", parent),
            ("parent/child.rs", "pub struct C(super::P);"),
        ])
    };
    assert_eq!(with("mod child; pub struct P;"), [[""; 0]; 0]);
    for parent in [
        "mod child; pub struct P; pub use child::C;",
        "mod child; pub struct P; fn f() -> child::C { todo!() }",
        "pub mod child; pub struct P; pub use self::child::*;",
        "mod child; pub struct P; fn f() { vec![child::C(P)]; }",
    ] {
        assert_eq!(with(parent), [["parent.rs", "parent/child.rs"]], "{parent}");
    }
}

#[test]
fn a_name_that_is_passed_on_leads_to_where_it_is_defined() {
    let root = "mod a; mod b; mod c; pub use a::A; pub use b::B; pub use c::*;";
    let with = |a: &str| {
        circles(&[
            ("lib.rs", root),
            ("a.rs", a),
            ("b.rs", "use crate::A; pub struct B;"),
            ("c.rs", "use super::A as Other; pub struct C(Other);"),
        ])
    };
    assert_eq!(with("pub struct A;"), [[""; 0]; 0], "the root is no dependency of its own");
    assert_eq!(with("use crate::B; pub struct A;"), [["a.rs", "b.rs"]]);
    assert_eq!(with("use crate::C; pub struct A;"), [["a.rs", "c.rs"]]);
}

#[test]
fn a_path_leads_to_the_innermost_module_that_it_names() {
    let files = [
        ("lib.rs", "mod a; mod outer;"),
        ("a.rs", "use crate::outer; pub struct A; fn f(i: outer::inner::I, c: u8) { self::g(); }"),
        ("outer/mod.rs", "pub mod inner; use crate::a::A; pub enum E { X }"),
        ("outer/inner.rs", "pub struct I; use std::a::A; use inner::Other;"),
    ];
    assert_eq!(circles(&files), [["a.rs", "outer/mod.rs"]]);
    let files = [
        ("lib.rs", "mod a; mod outer;"),
        ("a.rs", "pub struct A; fn f(i: crate::outer::inner::I) {}"),
        ("outer/mod.rs", "pub mod inner { pub struct I; } mod deep { mod er; }"),
        ("outer/deep/er.rs", "use crate::a::A; use super::super::inner::I;"),
    ];
    assert_eq!(circles(&files), [[""; 0]; 0]);
}

#[test]
fn paths_in_macros_count() {
    let with = |a: &str| {
        circles(&[
            ("lib.rs", "#[macro_use] mod a; mod b;"),
            ("a.rs", a),
            ("b.rs", "use crate::a::A; pub struct B;"),
        ])
    };
    for a in [
        "pub struct A; fn f() { println!(\"{}\", crate::b::B); }",
        "pub struct A; macro_rules! m { () => { $crate::b::B } }",
        "#[derive(Deserialize)] pub struct A { #[serde(with = \"crate::b\")] b: () }",
    ] {
        assert_eq!(with(a), [["a.rs", "b.rs"]], "{a}");
    }
    assert_eq!(with("pub struct A; macro_rules! m { () => { super::b::B } }"), [[""; 0]; 0]);
}

/// A class that is in the program keeps what connectors promise, as a test beside it shows.
#[test]
fn every_connector_of_the_program_has_a_run_of_the_conformance_checks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let classes = std::fs::read_to_string(root.join("bridge/talon/src/connectors.rs")).unwrap();
    let classes = classes.split("Box::new(talon_").skip(1);
    let named = classes.filter_map(|rest| rest.split_once(")")?.0.split_once("::"));
    let mut count = 0;
    for (name, class) in named {
        let tests = root.join(format!("connectors/{name}/tests"));
        let files = [tests.join("conformance.rs"), tests.join("conformance/main.rs")];
        let texts = files.iter().filter_map(|path| std::fs::read_to_string(path).ok());
        let is_checked = texts.into_iter().any(|text| text.contains(&format!("check(&{class}, ")));
        assert!(
            is_checked,
            "`{class}` is never given to `talon_sdk::conformance::check`; write {}, as \
             connectors/README.md says",
            files[0].display()
        );
        count += 1;
    }
    assert!(count >= 3, "{count} classes were found");
}
