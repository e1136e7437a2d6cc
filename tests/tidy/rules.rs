//! The rules of docs/lifecycle.md and who cites them: what code, tests and pages cite is there, every rule that is there
//! is cited by a test, and what is marked as not built is cited by nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{is_test, top};

const PAGE: &str = "docs/lifecycle.md";
const NOT_BUILT: &str = "*(not built)*";

/// Rules of a page by their numbers (`R5.2`, `I3`), and whether each is built; sections (`R5`) among them.
fn rules_of(page: &str) -> BTreeMap<String, bool> {
    let mut rules = BTreeMap::new();
    for line in page.lines() {
        if let Some(section) = line.strip_prefix("## R").and_then(|rest| rest.split_once('.')) {
            rules.insert(format!("R{}", section.0), true);
        }
        if let Some((number, text)) = line.strip_prefix("- **").and_then(|rest| rest.split_once("**")) {
            let twice = rules.insert(number.to_owned(), !text.contains(NOT_BUILT)).is_some();
            assert!(!twice, "{PAGE}: {number} is there twice");
        }
    }
    // The notes on the marks begin as rules do.
    rules.retain(|number, _| !numbers(number).is_empty());
    rules
}

/// `R5.2`, `R5` and `I3` in a text; not in the middle of a word.
fn numbers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(['R', 'I']) {
        let inside = text[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        let rest = &text[at + 1..];
        let digits = |text: &str| text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let mut end = digits(rest);
        if inside || end == 0 {
            continue;
        }
        if let Some(part) = rest[end..].strip_prefix('.') {
            let more = digits(part);
            end += if more == 0 { 0 } else { 1 + more };
        }
        if !rest[end..].starts_with(|letter: char| letter.is_alphanumeric() || letter == '_') {
            found.push(text[at..=at + end].to_owned());
        }
    }
    found
}

/// Where a rule is cited, and whether by a test.
struct Citation {
    number: String,
    place: String,
    by_test: bool,
}

/// What the sources, the tests with their data, and the pages cite.
fn citations() -> Vec<Citation> {
    let mut found = Vec::new();
    for folder in ["src", "tests", "docs"] {
        for entry in walkdir::WalkDir::new(top().join(folder)).into_iter().map(Result::unwrap) {
            let path = entry.path().strip_prefix(top()).unwrap();
            let kind = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            if matches!(kind, "rs" | "yaml" | "md") && path != Path::new(PAGE) && !path.starts_with("tests/tidy") {
                cited_in(path, &fs::read_to_string(entry.path()).unwrap(), &mut found);
            }
        }
    }
    for page in ["ARCHITECTURE.md", "README.md"] {
        cited_in(Path::new(page), &fs::read_to_string(top().join(page)).unwrap(), &mut found);
    }
    found
}

fn cited_in(path: &Path, text: &str, found: &mut Vec<Citation>) {
    let mut by_test = path.starts_with("tests") || (is_test(path) && path.starts_with("src"));
    for (at, line) in text.lines().enumerate() {
        by_test |= line.trim_start().starts_with("#[cfg(test)]");
        let place = format!("{}:{}", path.display(), at + 1);
        found.extend(numbers(line).into_iter().map(|number| Citation { number, place: place.clone(), by_test }));
    }
}

/// Every fault of a page against what is cited.
fn faults(rules: &BTreeMap<String, bool>, citations: &[Citation]) -> Vec<String> {
    let mut wrong = Vec::new();
    for one in citations {
        match rules.get(&one.number) {
            None => wrong.push(format!("{}: {} is no rule of {PAGE}", one.place, one.number)),
            Some(false) => wrong.push(format!("{}: {PAGE} says that {} is not built", one.place, one.number)),
            Some(true) => {}
        }
    }
    let tested: BTreeSet<&str> = citations.iter().filter(|one| one.by_test).map(|one| one.number.as_str()).collect();
    for (number, built) in rules {
        let section = number.starts_with('R') && !number.contains('.');
        if *built && !section && !tested.contains(number.as_str()) {
            wrong.push(format!("{PAGE}: no test cites {number}; where it is {NOT_BUILT}, it says so"));
        }
    }
    wrong
}

#[test]
fn rules_are_there_and_tested() {
    let rules = rules_of(&fs::read_to_string(top().join(PAGE)).unwrap());
    assert!(rules.len() > 90, "only {} rules could be read", rules.len());
    let wrong = faults(&rules, &citations());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_wrong_with_rules_is_found() {
    let rules =
        rules_of("## R1. First\n- **R1.1** One.\n- **R1.2** *(not built)* Two.\n- **I1** Three.\n- **note** Four.");
    let cite = |number: &str, by_test| Citation { number: number.into(), place: "here".into(), by_test };
    for (citations, wanted) in [
        (vec![cite("R1.1", true), cite("I1", true), cite("R1", false)], vec![]),
        (vec![cite("R1.1", false), cite("I1", true)], vec!["no test cites R1.1"]),
        (vec![cite("R1.1", true), cite("I1", true), cite("R1.3", false)], vec!["R1.3 is no rule"]),
        (vec![cite("R1.1", true), cite("I1", true), cite("R1.2", true)], vec!["R1.2 is not built"]),
        (vec![cite("R1.1", true)], vec!["no test cites I1"]),
    ] {
        let found = faults(&rules, &citations);
        assert_eq!(found.len(), wanted.len(), "{found:?}");
        assert!(found.iter().zip(wanted).all(|(fault, words)| fault.contains(words)), "{found:?}");
    }
    assert_eq!(numbers("R5.2, (I3) and R10.9."), ["R5.2", "I3", "R10.9"]);
    assert_eq!(numbers("R5: R5.x, I/O, SR5.2, R2D2, I8_x"), ["R5", "R5"]);
}
