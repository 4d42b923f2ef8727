//! Which file depends on which, and where that leads round in a circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::Path;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::source::Crate;

/// The files of a crate and their dependencies.
pub(crate) struct Graph {
    /// By file, what it depends on, and by which mention.
    edges: BTreeMap<String, BTreeMap<String, Reason>>,
}

/// The first place where a file names another one's module.
struct Reason {
    line: usize,
    path: String,
}

/// Files of which each depends on each, by way of others or not.
pub(crate) struct Circle {
    pub(crate) files: Vec<String>,
    /// One way round, with the reasons.
    way: Vec<String>,
}

impl Graph {
    /// The graph of a crate; files are named from the folder.
    pub(crate) fn of(source: &Crate, folder: &Path) -> Graph {
        let name = |file: &Path| file.strip_prefix(folder).unwrap_or(file).display().to_string();
        let mut edges: BTreeMap<String, BTreeMap<String, Reason>> = BTreeMap::new();
        for file in source.files() {
            edges.entry(name(file)).or_default();
        }
        for dependency in source.dependencies() {
            let (from, to) = (name(dependency.from), name(dependency.to));
            if from != to {
                let reason = Reason { line: dependency.line, path: dependency.path.join("::") };
                edges.entry(from).or_default().entry(to).or_insert(reason);
            }
        }
        Graph { edges }
    }

    /// All circles, in the order of their first files. Two that share a file are one.
    pub(crate) fn circles(&self) -> Vec<Circle> {
        let mut graph: DiGraphMap<&str, ()> = DiGraphMap::new();
        for (from, others) in &self.edges {
            for to in others.keys() {
                graph.add_edge(from, to, ());
            }
        }
        let groups = tarjan_scc(&graph).into_iter().filter(|files| files.len() > 1);
        let sorted = |files: Vec<&str>| files.into_iter().map(str::to_owned).collect();
        let mut circles: Vec<BTreeSet<String>> = groups.map(sorted).collect();
        circles.sort();
        circles.into_iter().map(|files| self.circle(files)).collect()
    }

    /// Shows the shortest way round from the first file.
    fn circle(&self, files: BTreeSet<String>) -> Circle {
        let start = files.first().unwrap();
        let mut before: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = VecDeque::from([start.as_str()]);
        while let Some(file) = open.pop_front() {
            for to in self.edges[file].keys().filter(|to| files.contains(*to)) {
                if !before.contains_key(to.as_str()) {
                    before.insert(to, file);
                    open.push_back(to);
                }
            }
        }
        let mut way = VecDeque::new();
        let mut to = start.as_str();
        loop {
            let from = before[to];
            let Reason { line, path } = &self.edges[from][to];
            way.push_front(format!("{from}:{line} → {to} (`{path}`)"));
            if from == start {
                break;
            }
            to = from;
        }
        Circle { way: way.into(), files: files.into_iter().collect() }
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.files.join(", "))?;
        self.way.iter().try_for_each(|edge| writeln!(f, "  {edge}"))
    }
}
