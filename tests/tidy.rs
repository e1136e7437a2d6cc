//! The project's rules that a compiler doesn't know: which module may use which, sizes of files, where `unsafe` may be, what
//! may not be written at all. ARCHITECTURE.md has the table of what a module may use ("Boundaries between modules").
#![allow(clippy::unwrap_used)]

#[path = "tidy/allowed_cycles.rs"]
mod allowed_cycles;
#[path = "tidy/cycles.rs"]
mod cycles;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/skips.rs"]
mod skips;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imports::{Target, Use};

/// Which modules of this crate a module may use. Each submodule of `runtime` counts as a module.
const MAY_USE: &[(&str, &[&str])] = &[
    ("manifest", &[]),
    ("plan", &["manifest"]),
    // `store::events` is the format that events have on disk; of `plan` only `resources`, so that the sums that people
    // read are those that cgroups get.
    ("report", &["plan", "store"]),
    ("simulate", &["manifest", "plan", "report"]),
    // `runtime::{files, spawn, tree}` and `store::atomic` alone: files and folders where hostile ones may be;
    // and `runtime::names`: addresses of registries, `runtime::program`: the kernel's words.
    ("images", &["runtime", "store"]),
    ("log", &[]),
    // `runtime::tree` and `runtime::files` alone: what pods leave may be of any depth, and there is one walk for that; and one
    // way to make a folder where something else may have its name. Whether somebody listens on
    // a pod's socket is for `control` to say, which knows what kind of socket that is.
    ("store", &["control", "manifest", "runtime"]),
    ("control", &[]),
    // Of the runtime's submodules only what others they use outside of it; among themselves tests/tidy/layers.rs holds them.
    ("runtime/cgroup", &["plan"]),
    ("runtime/container", &["plan"]),
    ("runtime/handler", &["plan"]),
    ("runtime/image", &["images", "plan"]),
    ("runtime/network", &["plan"]),
    ("runtime/node", &["plan"]),
    ("runtime/sandbox", &["plan"]),
    // Its tests compile the default profile.
    ("runtime/seccomp", &["plan"]),
    ("runtime/volume", &["plan"]),
    // Only for tests.
    ("type_walk", &[]),
    ("supervisor", &["control", "log", "manifest", "plan", "report", "runtime", "store"]),
    ("cli", &["control", "images", "log", "manifest", "plan", "report", "runtime", "simulate", "store", "supervisor"]),
];

/// Crates that only these modules may name.
const CRATES: &[(&str, &[&str])] = &[
    ("libcontainer", &["runtime/container"]),
    ("cgroups_rs", &["runtime/cgroup"]),
    ("clap", &["cli"]),
    ("rustls", &["images", "runtime/handler"]),
    ("toml_span", &["images"]),
    ("ureq", &["images"]),
    ("signal_hook", &["supervisor"]),
    ("simple_dns", &["runtime/names"]),
    ("k8s_openapi", &["manifest", "plan", "report", "supervisor", "store", "cli", "simulate"]),
    ("barepod_engine", &["plan", "report", "supervisor", "store", "control", "cli", "simulate", "runtime/container"]),
];

/// Lines in a file; one that is longer has more than one subject.
const LONGEST: usize = 350;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, with paths relative to it.
fn sources(folder: &str) -> BTreeMap<PathBuf, String> {
    let base = top().join(folder);
    let files = walkdir::WalkDir::new(&base).into_iter().map(Result::unwrap);
    files
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|entry| (entry.path().strip_prefix(&base).unwrap().to_owned(), fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

fn is_test(path: &Path) -> bool {
    let text = path.display().to_string();
    text.split(['/', '_', '.']).any(|part| part == "tests")
}

fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Where a path belongs in [`MAY_USE`].
fn boundary_of(path: &[String]) -> String {
    match path {
        [] => "lib".to_owned(),
        [runtime] if runtime == "runtime" => "runtime/mod".to_owned(),
        [runtime, submodule, ..] if runtime == "runtime" => format!("runtime/{submodule}"),
        [module, ..] => module.clone(),
    }
}

/// Everything that this crate's modules name of each other and of other crates.
fn uses() -> BTreeSet<Use> {
    let other = |path: &Path| ["engine", "lines", "regex", "main.rs"].iter().any(|other| path.starts_with(other));
    let files = sources("src").into_iter().filter(|(path, _)| !other(path));
    imports::Crate::read(&files.collect()).uses()
}

#[test]
fn modules_use_only_what_they_may() {
    let mut wrong = BTreeSet::new();
    for one in uses() {
        let module = boundary_of(&one.from);
        if module == "lib" {
            continue;
        }
        let row = MAY_USE.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
        let Some(allowed) = row.or(module.starts_with("runtime/").then_some(&[][..])) else {
            wrong.insert(format!("tests/tidy.rs: MAY_USE has no line for the module {module}"));
            continue;
        };
        match &one.named {
            Target::Module(to) => {
                let other = to.first().cloned().unwrap_or_default();
                if module.starts_with("runtime/") && other == "runtime" {
                    continue;
                }
                // lib.rs has nothing but modules, and aids of tests.
                let is_test_aid = one.in_test && matches!(other.as_str(), "type_walk" | "lib" | "");
                if other != module && !allowed.contains(&other.as_str()) && !is_test_aid {
                    wrong.insert(format!("src/{}: {module} may not use {other}", one.file.display()));
                }
            }
            Target::Crate(name) => {
                if CRATES.iter().any(|(known, users)| known == name && !users.contains(&module.as_str())) {
                    wrong.insert(format!("src/{}: {module} may not use the crate {name}", one.file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_engine_names_nothing_outside() {
    for (path, text) in sources("src/engine/src") {
        for word in ["std::", "println!", "libc", "nix::", "rustix"] {
            let named = text.lines().any(|line| code(line).contains(word));
            assert!(!named || is_test(&path), "src/engine/src/{}: {word}", path.display());
        }
    }
}

#[test]
fn files_say_what_they_are_and_stay_short() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests"] {
        for (path, text) in sources(folder) {
            let name = format!("{folder}/{}", path.display());
            if !text.starts_with("//!") && !text.starts_with("#!") {
                wrong.push(format!("{name}: no module documentation in its first line"));
            }
            let length = text.lines().count();
            if length > LONGEST {
                wrong.push(format!("{name}: {length} lines, at most {LONGEST}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_is_the_runtimes_alone() {
    for (path, text) in sources("src") {
        let has = text.lines().any(|line| code(line).contains("unsafe {") || code(line).contains("allow(unsafe_code"));
        assert!(!has || path.starts_with("runtime"), "src/{}: unsafe", path.display());
        let comments = text.matches("SAFETY:").count();
        let blocks = text.lines().filter(|line| code(line).contains("unsafe {")).count();
        assert!(comments >= blocks, "src/{}: {blocks} unsafe blocks, {comments} SAFETY comments", path.display());
    }
}

#[test]
fn nobody_sleeps_or_leaves_notes() {
    // Waits for something that has no descriptor, each with its end; and the moment of a test's kill -9.
    let waits =
        ["src/images/registry/retry.rs", "src/store/lock.rs", "tests/e2e/harness/wait.rs", "tests/e2e/killed.rs"];
    let words = ["thread::sleep", concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    for folder in ["src", "tests"] {
        for (path, text) in sources(folder) {
            for word in words {
                let found = text.lines().position(|line| line.contains(word));
                let name = format!("{folder}/{}", path.display());
                let may = name == "tests/tidy.rs" || word == "thread::sleep" && waits.contains(&name.as_str());
                assert!(may || found.is_none(), "{name}:{}: {word}", found.unwrap_or(0) + 1);
            }
        }
    }
}
