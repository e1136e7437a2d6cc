//! A test that can't do its work on this box says so here, and is counted: `scripts/skips.py` lists what was skipped
//! and holds it against allowed.txt. So does one that tries something again. Part of every test binary that has such tests.

use std::fmt::Display;
use std::io::Write as _;

/// Where records are appended to, one a line; `scripts/test` and the VM's job set it.
const RECORDS: &str = "BAREPOD_SKIPS";

/// Says that the test that runs here, or a part of it, is skipped: `skipped: e2e::cpus::two_pods: needs two cpus`.
#[track_caller]
pub fn skip(reason: impl Display) {
    record("skipped", &test(), &reason);
}

/// Says that a part of `test` failed and is tried again.
#[allow(dead_code, reason = "few tests try anything again")]
pub fn again(test: &str, reason: impl Display) {
    record("retried", test, &reason);
}

fn record(what: &str, test: &str, reason: &dyn Display) {
    let reason = reason.to_string().replace('\n', " ");
    let line = format!("{what}: {test}: {reason}\n");
    print!("{line}");
    if let Some(path) = std::env::var_os(RECORDS) {
        let file = std::fs::File::options().append(true).create(true).open(&path);
        // In one write: tests run side by side.
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.unwrap_or_else(|error| panic!("{RECORDS}={}: {error}", path.display()));
    }
}

/// Binary and path of the test: the harness names threads after tests, but for a test that runs alone on its own one.
#[track_caller]
fn test() -> String {
    let place = std::panic::Location::caller();
    let binary = std::env::current_exe().ok().and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    let binary = binary.unwrap_or_default();
    let binary = binary.rsplit_once('-').map_or(binary.as_str(), |(name, _)| name);
    match std::thread::current().name() {
        Some(name) if name != "main" => format!("{binary}::{name}"),
        Some(_) | None => format!("{binary}::{}", place.file()),
    }
}
