//! Import cycles between the files of a module of the top level: none but those that are named, which may only shrink.
//! What is in a cycle can only be understood, changed and tested together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::allowed_cycles::CYCLES;
use super::imports::{Crate, ModulePath, Target, Use};
use super::{sources, uses};

/// What each file of a top-level module uses of the others there, tests and names that are only passed on apart.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Top-level module -> its graph. The engine, a crate of its own, is one.
fn graphs() -> BTreeMap<String, Graph> {
    let mut graphs: BTreeMap<String, Graph> = BTreeMap::new();
    let engine = Crate::read(&sources("src/engine/src")).uses();
    add(&engine, |_| Some("engine"), &mut graphs);
    let all = uses();
    add(&all, |path| path.first().map(String::as_str), &mut graphs);
    graphs
}

fn add<'a>(
    uses: &'a BTreeSet<Use>,
    top: impl Fn(&'a ModulePath) -> Option<&'a str>,
    graphs: &mut BTreeMap<String, Graph>,
) {
    let file_of: BTreeMap<&ModulePath, String> = uses.iter().map(|one| (&one.from, name(&one.file))).collect();
    for one in uses.iter().filter(|one| !one.in_test && !one.passed_on) {
        let Target::Module(to) = &one.to else { continue };
        // A module that uses nothing is in no circle.
        let Some(file) = file_of.get(to) else { continue };
        if let Some(top) = top(&one.from).filter(|here| top(to) == Some(here)) {
            graphs.entry(top.to_owned()).or_default().entry(name(&one.file)).or_default().insert(file.clone());
        }
    }
}

fn name(file: &Path) -> String {
    file.with_extension("").display().to_string()
}

/// Groups of more than one file of which each reaches each other one.
fn cycles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|from| (from, reached_from(graph, from))).collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (from, all) in &reached {
        let group = all.iter().filter(|to| reached.get(**to).is_some_and(|back| back.contains(from)));
        let group: BTreeSet<String> = group.map(|one| (*one).clone()).collect();
        if group.len() > 1 && !found.contains(&group) {
            found.push(group);
        }
    }
    found
}

fn reached_from<'a>(graph: &'a Graph, from: &'a String) -> BTreeSet<&'a String> {
    let (mut reached, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(one) = left.pop() {
        for next in graph.get(one).into_iter().flatten() {
            if reached.insert(next) {
                left.push(next);
            }
        }
    }
    reached
}

/// What is wrong with a top-level module's cycles, held against those that are allowed there.
fn faults(top: &str, graph: &Graph, allowed: &[(&str, &[&str], &str)]) -> Vec<String> {
    let found = cycles(graph);
    let mut wrong = Vec::new();
    for group in &found {
        let names: Vec<&str> = group.iter().map(String::as_str).collect();
        if !allowed.iter().any(|(module, files, _)| *module == top && *files == names) {
            let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
            let arrows: Vec<String> = group
                .iter()
                .map(|from| {
                    let to: Vec<&str> =
                        graph[from].iter().filter(|to| group.contains(*to)).map(String::as_str).collect();
                    format!("  {from} uses {}", to.join(", "))
                })
                .collect();
            let quoted = quoted.join(", ");
            wrong.push(format!(
                "{} files in a circle that tests/tidy/allowed_cycles.rs doesn't have: ({top:?}, &[{quoted}])\n{}",
                group.len(),
                arrows.join("\n")
            ));
        }
    }
    for (module, files, _) in allowed.iter().filter(|(module, ..)| *module == top) {
        if !found.iter().any(|group| group.iter().eq(files.iter())) {
            wrong.push(format!(
                "no circle any more, strike it from tests/tidy/allowed_cycles.rs: ({module:?}, &{files:?})"
            ));
        }
    }
    wrong
}

#[test]
fn files_use_each_other_in_one_direction() {
    let graphs = graphs();
    assert!(graphs.len() > 8, "{:?}", graphs.keys());
    let wrong: Vec<String> = graphs.iter().flat_map(|(top, graph)| faults(top, graph, CYCLES)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (module, files, reason) in CYCLES {
        assert!(graphs.contains_key(*module) && reason.len() > 20, "{module}: {files:?}");
    }
}

#[test]
fn circles_are_found() {
    let graph = |arrows: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in arrows {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    let allowed: &[(&str, &[&str], &str)] = &[("m", &["a", "b"], "why")];
    for (arrows, wanted) in [
        (&[("a", "b"), ("b", "a"), ("b", "c")] as &[_], None),
        (&[("a", "b"), ("b", "c")], Some("no circle any more")),
        (&[("a", "b"), ("b", "c"), ("c", "a")], Some("3 files in a circle")),
        (&[("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")], Some("[\"c\", \"d\"]")),
    ] {
        let found = faults("m", &graph(arrows), allowed);
        match wanted {
            None => assert!(found.is_empty(), "{found:?}"),
            Some(words) => assert!(found.iter().any(|fault| fault.contains(words)), "{found:?}"),
        }
    }
}
