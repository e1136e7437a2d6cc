//! Modules whose documentation lists their submodules from the lowest to the highest, with what each may use: the code keeps
//! to the list, and the list says no more than the code needs. ARCHITECTURE.md has the same list.

use std::collections::BTreeSet;
use std::fs;

use super::imports::{Crate, Target, Use};
use super::{sources, top, uses};

/// Where such lists are: the folder below `src`, the file in it that has the list, and where paths of its crate begin there.
const LISTED: &[(&str, &str, &[&str])] = &[
    ("plan", "mod.rs", &["plan"]),
    ("cli", "mod.rs", &["cli"]),
    ("runtime", "mod.rs", &["runtime"]),
    ("images", "mod.rs", &["images"]),
    ("engine/src", "lib.rs", &[]),
];

/// A row of the list: a submodule, and those it may use.
type Row = (String, BTreeSet<String>);

/// The rows of a table in a module's documentation: "| `name` | what it makes | those, it, may, use |".
fn rows(text: &str) -> Vec<Row> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let row = |line: &str| {
        let (name, rest) = line.split_once('`')?;
        let last = rest.trim_end().trim_end_matches('|').rsplit('|').next()?;
        let may = last.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect();
        Some((name.to_owned(), may))
    };
    cells.filter_map(row).collect()
}

/// Which submodules of the module at this path use which others, tests and names that are only passed on apart.
fn arrows(module: &[&str], uses: &BTreeSet<Use>) -> BTreeSet<(String, String)> {
    let submodule = |path: &[String]| {
        let inside = path.len() > module.len() && path.iter().zip(module).all(|(one, other)| one == other);
        inside.then(|| path[module.len()].clone())
    };
    let real = uses.iter().filter(|one| !one.in_test && !one.passed_on);
    let pairs = real.filter_map(|one| {
        let Target::Module(to) = &one.to else { return None };
        Some((submodule(&one.from)?, submodule(to)?))
    });
    pairs.filter(|(from, to)| from != to).collect()
}

/// What is wrong with a list.
fn faults(rows: &[Row], submodules: &BTreeSet<String>, arrows: &BTreeSet<(String, String)>) -> Vec<String> {
    let place = |name: &str| rows.iter().position(|(known, _)| known == name);
    let mut wrong: Vec<String> = submodules
        .iter()
        .filter(|name| place(name).is_none())
        .map(|name| format!("{name} is not in the list"))
        .collect();
    for (at, (name, may)) in rows.iter().enumerate() {
        if !submodules.contains(name) {
            wrong.push(format!("{name} is in the list, and not there"));
        }
        for other in may {
            if place(other).is_none_or(|place| place >= at) {
                wrong.push(format!("{name} may use {other}, which is not above it in the list"));
            }
            if !arrows.contains(&(name.clone(), other.clone())) {
                wrong.push(format!("{name} may use {other} and doesn't; strike it"));
            }
        }
    }
    for (from, to) in arrows {
        if !rows.iter().any(|(name, may)| name == from && may.contains(to)) {
            wrong.push(format!("{from} may not use {to}"));
        }
    }
    wrong
}

/// Names of the files and folders of a module, its tests apart.
fn submodules(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(top().join("src").join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.map(|name| name.strip_suffix(".rs").unwrap_or(&name).to_owned());
    names.filter(|name| !matches!(name.as_str(), "mod" | "lib" | "snapshots" | "tests")).collect()
}

#[test]
fn submodules_keep_to_their_list() {
    let (own, engine) = (uses(), Crate::read(&sources("src/engine/src")).uses());
    let architecture = fs::read_to_string(top().join("ARCHITECTURE.md")).unwrap();
    let mut wrong = Vec::new();
    for (folder, file, module) in LISTED {
        let file = format!("src/{folder}/{file}");
        let uses = if folder.starts_with("engine") { &engine } else { &own };
        let text = fs::read_to_string(top().join(&file)).unwrap();
        let rows = rows(&text);
        let found = faults(&rows, &submodules(folder), &arrows(module, uses));
        wrong.extend(found.into_iter().map(|fault| format!("{file}: {fault}")));
        let listed = text.lines().filter_map(|line| line.strip_prefix("//! ").filter(|line| line.starts_with("| `")));
        let missing = listed.filter(|row| !architecture.contains(row));
        wrong.extend(missing.map(|row| format!("ARCHITECTURE.md doesn't have this line of {file}: {row}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_wrong_with_a_list_is_found() {
    let rows = rows("//! | submodule | makes |\n//! | `a` | x | |\n//! | `b` | y | a |\n//! | `c` | z | a, b |\n");
    assert_eq!(
        rows.iter().map(|(name, may)| (name.as_str(), may.len())).collect::<Vec<_>>(),
        [("a", 0), ("b", 1), ("c", 2)]
    );
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let used = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let good = [("b", "a"), ("c", "a"), ("c", "b")];
    let with = |more| used(&[&good[..], &[more]].concat());
    let all = set(&["a", "b", "c"]);
    let mut upward = rows.clone();
    upward[0].1.insert("c".to_owned());
    for (rows, submodules, arrows, wanted) in [
        (&rows, &all, used(&good), None),
        (&rows, &all, used(&good[..2]), Some("c may use b and doesn't")),
        (&rows, &all, with(("a", "c")), Some("a may not use c")),
        (&upward, &all, with(("a", "c")), Some("a may use c, which is not above it")),
        (&rows, &set(&["a", "b", "c", "d"]), used(&good), Some("d is not in the list")),
        (&rows, &set(&["a", "b"]), used(&good), Some("c is in the list, and not there")),
    ] {
        let found = faults(rows, submodules, &arrows);
        let as_wanted = match wanted {
            None => found.is_empty(),
            Some(words) => found.iter().any(|fault| fault.contains(words)),
        };
        assert!(as_wanted, "{wanted:?}: {found:?}");
    }
}
