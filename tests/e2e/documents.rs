//! What the documentation tells people to run, run as it stands there.

use crate::harness::{Case, Run};

/// The manifests among a page's blocks of code.
fn manifests(page: &'static str) -> Vec<&'static str> {
    let blocks = page.split("```yaml\n").skip(1);
    blocks.map(|rest| rest.split_once("```").unwrap().0).filter(|block| block.contains("kind: Pod")).collect()
}

/// A page's manifest under the case's own name and uid, with the case's root file system.
fn adapted(case: &Case, manifest: &str) -> String {
    let mut text = String::new();
    for line in manifest.lines() {
        match line.trim_start() {
            image if image.starts_with("image: rootfs:") => {
                text.push_str(&line[..line.len() - image.len()]);
                text.push_str("image: IMAGE");
            }
            _ if line.starts_with("  name: ") || line.starts_with("  generateName: ") => {
                text.push_str(&format!("  name: {}\n  uid: {}", case.name(), case.uid()));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn run<'a>(case: &'a Case, page: &'static str) -> Run<'a> {
    let manifests = manifests(page);
    assert_eq!(manifests.len(), 1, "the page shows one Pod");
    Run::start(case, &case.write(&adapted(case, manifests[0])), &[])
}

/// docs/tutorial.md: the clerk sells three times, then the sidecar is asked to end and does.
#[test]
fn the_tutorial() {
    let Some(case) = Case::new("tutorial") else { return };
    let mut run = run(&case, include_str!("../../docs/tutorial.md"));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    for customer in 1..=3 {
        let line = format!("customer {customer} buys: three apples");
        assert!(run.stdout().contains(&line), "{line:?} is missing:\n{}", run.stdout());
    }
    assert!(run.stdout().contains("closing"), "{}", run.stdout());
    assert_eq!(case.ended("web").0, 0);
}

/// docs/ci.md: the test finds its server up at its first try.
#[test]
fn a_test_with_its_server() {
    let Some(case) = Case::new("ci") else { return };
    let mut run = run(&case, include_str!("../../docs/ci.md"));
    assert_eq!(run.end(), 0, "{}", run.stderr());
}

/// docs/images.md.
#[test]
fn a_root_file_system_of_ones_own() {
    let Some(case) = Case::new("images") else { return };
    let mut run = run(&case, include_str!("../../docs/images.md"));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert!(run.stdout().contains("hello from images"), "{}", run.stdout());
}
