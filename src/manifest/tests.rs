#![allow(clippy::unwrap_used)]
//! What people see for manifests that are wrong, as snapshots, and that nothing makes decoding panic.

use super::*;

mod bad;

fn rendered(text: &str) -> String {
    match decode("pod.yaml", text.as_bytes()) {
        Ok(manifest) => format!("accepted\n{}", render("pod.yaml", text, &manifest.warnings, Colour::Plain)),
        Err(report) => report.to_string(),
    }
}

#[test]
#[ignore = "prints"]
fn show() {
    for (name, text) in bad::CASES {
        println!("=== {name}\n{}", rendered(text));
    }
}
