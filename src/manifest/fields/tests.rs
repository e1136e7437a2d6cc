#![allow(clippy::unwrap_used)]
//! Proves the tables against the types, and keeps docs/fields.md equal to the tables. To write the page anew:
//! `BAREPOD_WRITE_DOCS=1 cargo test --lib manifest::fields`.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1;

use super::{Fate, TABLES, fate};
use crate::type_walk::{self, Place, Types};

/// Every struct that a Pod or a Job can hold.
fn types() -> Types {
    let mut types = type_walk::types::<v1::Pod>(text);
    types.extend(type_walk::types::<batch::Job>(text));
    types
}

/// What a text may be.
fn text(place: Place) -> &'static str {
    match place {
        ("Pod", "apiVersion") => "v1",
        ("Pod", "kind") => "Pod",
        ("Job", "apiVersion") => "batch/v1",
        ("Job", "kind") => "Job",
        // A time must be one; every other text may be.
        _ => "2026-11-23T12:00:00Z",
    }
}

#[test]
fn every_field_of_the_pod_api_has_a_fate() {
    let types = types();
    assert!(types.len() > 100, "the walk must see the whole type: {}", types.len());
    let mut pending = vec!["Pod", "Job"];
    let mut seen = BTreeSet::new();
    while let Some(name) = pending.pop() {
        if !seen.insert(name) {
            continue;
        }
        for (field, inner) in &types[name] {
            let fate = fate(name, field).unwrap_or_else(|| panic!("{name}.{field} has no fate"));
            if matches!(fate, Fate::Honoured | Fate::Partly(_)) {
                pending.extend(inner);
            }
        }
    }
}

#[test]
fn every_row_is_a_field_and_every_table_is_whole() {
    let types = types();
    let mut tables = BTreeSet::new();
    for (name, rows) in TABLES.iter().copied().flatten() {
        assert!(tables.insert(name), "{name} has two tables");
        let rows: Vec<&str> = rows.iter().map(|(field, _)| *field).collect();
        let fields: Vec<&str> =
            types.get(name).unwrap_or_else(|| panic!("{name} is no type")).keys().copied().collect();
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, fields, "{name}");
    }
}

/// What `barepod explain` tells is about every field, and its types are the API's.
#[test]
fn every_field_has_a_meaning() {
    let mut shapes = type_walk::shapes::<v1::Pod>(text);
    shapes.extend(type_walk::shapes::<batch::Job>(text));
    let meanings = include_str!("meanings.txt");
    let mut blocks = meanings.split("\n\n");
    for (name, rows) in TABLES.iter().copied().flatten() {
        let block = blocks.next().unwrap_or_else(|| panic!("{name} is missing"));
        let mut lines = block.lines();
        assert_eq!(lines.next(), Some(*name), "types stand in the order of the tables");
        for (field, _) in *rows {
            let line = lines.next().unwrap_or_else(|| panic!("{name}.{field} is missing"));
            let words: Vec<&str> = line.splitn(3, ' ').collect();
            let shape = &shapes[&(*name, *field)];
            assert_eq!((words[0], words[1].trim_end_matches('!')), (*field, shape.as_str()), "{name}: {line}");
            assert!(words[2].len() > 1 && !words[2].ends_with('.'), "{name}: {line}");
        }
        assert_eq!(lines.next(), None, "{name}");
    }
    assert_eq!(blocks.next(), None);
}

/// docs/fields.md.
fn page() -> String {
    let mut page = String::from(
        "# What becomes of every field of the Pod API, and of a Job's\n\n\
         Made from the tables in `src/manifest/fields/` (k8s-openapi's v1, Kubernetes 1.37): change them, then run\n\
         `BAREPOD_WRITE_DOCS=1 cargo test --lib manifest::fields`. A test walks the whole type and fails for a field\n\
         that isn't here.\n\n\
         - **honoured**: does what Kubernetes says it does, by the rules in `docs/lifecycle.md`.\n\
         - **in part**: honoured, except for the values named.\n\
         - **refused**: an error, because the pod would silently behave differently from what its manifest says.\n\
         - **warning**: accepted without effect, because it has no meaning on one box. One line at the start names all such fields.\n\n\
         A refused field whose value asks for nothing (`false`, an empty list or text) is accepted. Fields of a type that\n\
         is in no table share the fate of the field that holds it. A field that isn't of the Pod API is an error.\n",
    );
    for (name, rows) in TABLES.iter().copied().flatten() {
        page.push_str(&format!("\n## {name}\n\n| field | fate | |\n|---|---|---|\n"));
        for (field, fate) in *rows {
            let (word, why) = fate.words();
            page.push_str(&format!("| `{field}` | {word} | {why} |\n"));
        }
    }
    page
}

#[test]
fn the_page_says_what_the_tables_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fields.md");
    if std::env::var_os("BAREPOD_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        std::fs::write(path, page()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == page(), "docs/fields.md is out of date: BAREPOD_WRITE_DOCS=1 cargo test --lib manifest::fields");
}
