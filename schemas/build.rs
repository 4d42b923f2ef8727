//! Lists the schemas of released versions, so that a release is a folder and no code.
#![allow(missing_docs)]

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=released");
    let root = env::var("CARGO_MANIFEST_DIR").expect("set by Cargo");
    let mut files: Vec<String> = Vec::new();
    let folders = fs::read_dir(Path::new(&root).join("released")).into_iter().flatten();
    for folder in folders.flatten().filter(|folder| folder.path().is_dir()) {
        println!("cargo:rerun-if-changed={}", folder.path().display());
        for file in fs::read_dir(folder.path()).expect("a folder that can be read").flatten() {
            let path = file.path();
            if path.extension().is_some_and(|extension| extension == "avsc") {
                files.push(format!("    include_str!({:?}),\n", path.display().to_string()));
            }
        }
    }
    files.sort();
    let list = format!("static RELEASED: &[&str] = &[\n{}];\n", files.concat());
    let out = env::var("OUT_DIR").expect("set by Cargo");
    fs::write(Path::new(&out).join("released.rs"), list).expect("Cargo's folder can be written");
}
