//! The modules of a crate as its sources say: what each defines, imports and names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::paths;

/// The names from the root of a crate to a module; empty for the root.
type Place = Vec<String>;

/// How often a name is passed on before it is given up.
const HOPS: usize = 32;

/// A crate, without what only its tests see.
#[derive(Default)]
pub(crate) struct Crate {
    modules: BTreeMap<Place, Module>,
}

/// One module.
#[derive(Default)]
pub(crate) struct Module {
    file: PathBuf,
    /// Names that are defined in it, but for modules.
    pub(crate) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths in its code.
    pub(crate) mentions: Vec<Mention>,
}

/// One name that a `use` brings in.
pub(crate) struct Import {
    /// `None` stands for all names.
    pub(crate) name: Option<String>,
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// A path in code.
pub(crate) struct Mention {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// A file that names another one's module.
pub(crate) struct Dependency<'c> {
    pub(crate) from: &'c Path,
    pub(crate) to: &'c Path,
    pub(crate) line: usize,
    pub(crate) path: &'c [String],
}

impl Crate {
    /// Reads a crate from its root file on.
    pub(crate) fn read(root: &Path) -> io::Result<Crate> {
        let mut read = Crate::default();
        let folder = root.parent().unwrap_or(root);
        read.read_file(Vec::new(), root, folder)?;
        Ok(read)
    }

    /// Reads a module from its file; `folder` is where its children are.
    fn read_file(&mut self, place: Place, file: &Path, folder: &Path) -> io::Result<()> {
        let text = fs::read_to_string(file)?;
        let parsed = syn::parse_file(&text)
            .map_err(|error| io::Error::other(format!("{}: {error}", file.display())))?;
        if !paths::is_of_tests(&parsed.attrs) {
            self.read_items(place, file, folder, &parsed.items)?;
        }
        Ok(())
    }

    fn read_items(
        &mut self,
        place: Place,
        file: &Path,
        folder: &Path,
        items: &[syn::Item],
    ) -> io::Result<()> {
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        let children = paths::read(&mut module, items);
        self.modules.insert(place.clone(), module);
        for child in children {
            let name = child.ident.to_string();
            let place: Place = place.iter().cloned().chain([name.clone()]).collect();
            let below = folder.join(&name);
            match (&child.content, paths::file_of(child)) {
                (Some((_, items)), _) => self.read_items(place, file, &below, items)?,
                (None, Some(path)) => {
                    let path = file.parent().unwrap_or(file).join(path);
                    let below = path.parent().unwrap_or(&path).to_owned();
                    self.read_file(place, &path, &below)?;
                }
                (None, None) => {
                    let flat = folder.join(format!("{name}.rs"));
                    let path = if flat.exists() { flat } else { below.join("mod.rs") };
                    self.read_file(place, &path, &below)?;
                }
            }
        }
        Ok(())
    }

    /// The file of each module; one with inline modules comes several times.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.modules.values().map(|module| &*module.file)
    }

    /// All paths that lead to a module of this crate.
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = Dependency<'_>> {
        self.modules.iter().flat_map(move |(place, module)| {
            let imports = module.imports.iter().map(|import| (&import.path, import.line));
            let mentions = module.mentions.iter().map(|mention| (&mention.path, mention.line));
            imports.chain(mentions).filter_map(move |(path, line)| {
                let to = self.find(place, path, HOPS)?;
                Some(Dependency { from: &module.file, to: &self.modules[&to].file, line, path })
            })
        })
    }

    /// The module that defines what a path names, or that the path names itself; `None` where it leads
    /// out of the crate or to nothing but a name in the module itself.
    fn find(&self, from: &[String], path: &[String], hops: usize) -> Option<Place> {
        let hops = hops.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest, hops),
            "self" if rest.first().is_some_and(|next| next == "super") => {
                self.find(from, rest, hops)
            }
            "self" => self.descend(from.to_vec(), rest, hops),
            "super" => {
                let (_, parent) = from.split_last()?;
                match rest.first().map(String::as_str) {
                    Some("super") => self.find(parent, rest, hops),
                    _ => self.descend(parent.to_vec(), rest, hops),
                }
            }
            _ if self.has(from, first) => self.descend(from.to_vec(), path, hops),
            _ => {
                let import = self.import(from, first, path)?;
                self.find(from, &joined(&import.path, rest), hops)
            }
        }
    }

    /// Follows a path down from a module, and to where its name is defined.
    fn descend(&self, mut place: Place, path: &[String], hops: usize) -> Option<Place> {
        let mut path = path;
        while let Some((first, rest)) = path.split_first() {
            let module = self.modules.get(&place)?;
            if self.has(&place, first) {
                place.push(first.clone());
                path = rest;
                continue;
            }
            if module.items.contains(first) {
                return Some(place);
            }
            let named = self.import(&place, first, path);
            let followed =
                named.and_then(|import| self.find(&place, &joined(&import.path, rest), hops));
            let through_all = || {
                let all = module.imports.iter().filter(|import| import.name.is_none());
                all.filter_map(|import| self.find(&place, &import.path, hops)).find_map(|through| {
                    let knows = self.modules[&through].items.contains(first)
                        || self.has(&through, first)
                        || self.import(&through, first, path).is_some();
                    knows.then(|| self.descend(through, path, hops.checked_sub(1)?)).flatten()
                })
            };
            return followed.or_else(through_all).or(Some(place));
        }
        Some(place)
    }

    fn has(&self, place: &[String], child: &str) -> bool {
        let child: Place = place.iter().cloned().chain([child.to_owned()]).collect();
        self.modules.contains_key(&child)
    }

    /// What brings a name into a module, unless that is the path that is looked for.
    fn import(&self, place: &[String], name: &str, path: &[String]) -> Option<&Import> {
        let imports = &self.modules.get(place)?.imports;
        imports.iter().find(|import| import.name.as_deref() == Some(name) && import.path != path)
    }
}

fn joined(path: &[String], rest: &[String]) -> Vec<String> {
    path.iter().chain(rest).cloned().collect()
}
