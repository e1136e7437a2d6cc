//! How many files may be open: $BAREPOD_TEST_NOFILE, or as many as this box allows.

/// How many open files barepod can have, and give its containers, here.
pub fn open_files() -> u64 {
    let limit = std::env::var("BAREPOD_TEST_NOFILE").ok().and_then(|limit| limit.parse().ok());
    limit.or(rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum).unwrap_or(u64::MAX)
}

/// Whether they are enough; skipped where not.
pub fn open_files_suffice(needed: u64) -> bool {
    let suffice = open_files() >= needed;
    if !suffice {
        crate::skips::skip(format!("needs {needed} open files"));
    }
    suffice
}

/// $BAREPOD_TEST_NOFILE: every barepod may have so many open files (scripts/nightly).
pub(super) fn few_files() -> Vec<String> {
    let limit = std::env::var("BAREPOD_TEST_NOFILE").ok();
    limit.map(|limit| vec!["prlimit".to_owned(), format!("--nofile={limit}:{limit}")]).unwrap_or_default()
}
