//! Dependencies are used, explained, and there once; what `cargo machete` and `cargo tree --duplicates` would tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{code, sources, top};

fn read(file: &str) -> String {
    fs::read_to_string(top().join(file)).unwrap()
}

/// Names in a section of a Cargo.toml.
fn section(manifest: &str, name: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| *line != format!("[{name}]")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
}

fn is_named(name: &str, folders: &[&str]) -> bool {
    let name = name.replace('-', "_");
    let is = |line: &str| {
        code(line).match_indices(&name).any(|(at, _)| {
            let alone = !code(line)[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
            let after = &code(line)[at + name.len()..];
            alone && (after.starts_with("::") || after.starts_with(';') || after.starts_with("!("))
        })
    };
    folders.iter().any(|folder| sources(folder).values().any(|text| text.lines().any(is)))
}

#[test]
fn dependencies_are_used() {
    let manifest = read("Cargo.toml");
    let [own, tests] = ["dependencies", "dev-dependencies"].map(|name| section(&manifest, name));
    assert!(own.len() > 20 && tests.len() > 3, "{own:?} {tests:?}");
    for name in &own {
        assert!(is_named(name, &["src"]), "Cargo.toml: nothing in src uses {name}");
    }
    for name in &tests {
        assert!(is_named(name, &["src", "tests"]), "Cargo.toml: no test uses {name}");
    }
}

#[test]
fn dependencies_are_explained() {
    let table = read("ARCHITECTURE.md");
    let table = table.split_once("\n## Dependencies\n").expect("a section of ARCHITECTURE.md").1;
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `")).flat_map(|row| row.split('|').nth(1));
    let explained: BTreeSet<&str> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let own = section(&read("Cargo.toml"), "dependencies");
    let own: BTreeSet<&str> = own.iter().map(String::as_str).collect();
    assert_eq!(own, explained, "Cargo.toml, and the table in ARCHITECTURE.md");
}

/// Of a crate that is there in several versions each but the newest has its reason in deny.toml, and no reason is left over.
#[test]
fn second_versions_have_a_reason() {
    let lock = read("Cargo.lock");
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock.split("[[package]]\n").skip(1) {
        let field = |name: &str| package.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix('"')).unwrap();
        versions.entry(field("name = \"")).or_default().push(field("version = \""));
    }
    // Cargo sorts them, the newest last.
    let second: BTreeSet<(&str, &str)> = versions
        .iter()
        .flat_map(|(name, versions)| versions[..versions.len() - 1].iter().map(|version| (*name, *version)))
        .collect();
    let deny = read("deny.toml");
    let skipped: Vec<(&str, &str)> = deny
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split_once("\", reason = ")?.0.split_once('@'))
        .collect();
    let is = |(name, version): &(&str, &str), (skip, start): &(&str, &str)| {
        name == skip && (version == start || version.starts_with(&format!("{start}.")))
    };
    let unexplained: Vec<_> = second.iter().filter(|one| !skipped.iter().any(|skip| is(one, skip))).collect();
    let left_over: Vec<_> = skipped.iter().filter(|skip| !second.iter().any(|one| is(one, skip))).collect();
    assert!(unexplained.is_empty(), "Cargo.lock: why are there also {unexplained:?}? (deny.toml, skip)");
    assert!(left_over.is_empty(), "deny.toml: gone, strike them from skip: {left_over:?}");
}
