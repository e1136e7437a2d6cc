//! Tests that can't run somewhere are recorded as skipped, and what may be skipped is about tests that there are.

use std::collections::BTreeSet;
use std::fs;

use super::{sources, top};

/// `e2e::cpus::two_pods` of every function of the test files, `barepod::...` of the crate's.
fn functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (folder, binary) in [("tests", ""), ("src", "barepod::")] {
        for (path, text) in sources(folder) {
            let module = path.with_extension("").display().to_string().replace('/', "::");
            let names = text.lines().filter_map(|line| line.trim().strip_prefix("fn ")?.split_once('('));
            found.extend(names.map(|(name, _)| format!("{binary}{module}::{name}")));
        }
    }
    found
}

#[test]
fn what_may_be_skipped_is_there() {
    let allowed = fs::read_to_string(top().join("tests/skips/allowed.txt")).unwrap();
    let functions = functions();
    let lines = allowed.lines().filter(|line| line.contains("::") && !line.trim_start().starts_with('#'));
    let mut count = 0;
    for line in lines {
        let (test, reason) = line.split_once(": ").unwrap_or_else(|| panic!("no reason: {line}"));
        let start = test.split('*').next().unwrap();
        let is_there = functions.iter().any(|name| if test == start { name == test } else { name.starts_with(start) });
        assert!(is_there, "tests/skips/allowed.txt: no test is {test}");
        assert!(reason.contains(" #"), "tests/skips/allowed.txt: where does it run? {line}");
        count += 1;
    }
    assert!(count > 10, "only {count} lines could be read");
}

/// A test that was renamed would be run again without anybody's wish, and a reason that isn't there convinces nobody.
#[test]
fn what_is_left_to_the_night_is_there() {
    let list = fs::read_to_string(top().join("tests/vm/nightly-only.txt")).unwrap();
    let functions = functions();
    let mut count = 0;
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (test, reason) = line.split_once(": ").unwrap_or_else(|| panic!("no reason: {line}"));
        let (name, is_whole) = test.strip_suffix('*').map_or((test, true), |start| (start, false));
        assert!(name.contains("::") && !name.contains('*'), "tests/vm/nightly-only.txt: what is {test}?");
        let name = format!("e2e::{name}");
        let is_there = functions.iter().any(|one| if is_whole { *one == name } else { one.starts_with(&name) });
        assert!(is_there, "tests/vm/nightly-only.txt: no test is {test}");
        assert!(!reason.trim().is_empty(), "tests/vm/nightly-only.txt: why? {line}");
        count += 1;
    }
    assert!(count > 10, "only {count} lines could be read");
}

#[test]
fn skips_are_recorded() {
    for folder in ["src", "tests"] {
        for (path, text) in sources(folder) {
            let recorder = path.ends_with("skips/mod.rs") || path.starts_with("tidy");
            let unrecorded = text.lines().any(|line| line.contains("!(\"skipped"));
            assert!(recorder || !unrecorded, "{folder}/{}: skipped without tests/skips", path.display());
        }
    }
}
