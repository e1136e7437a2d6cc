//! The crate `regex`, for those who ask for it, by `regex-lite`: what they look for are a few lists of numbers, whose text is
//! ASCII, and the tables and engines of the other one are a third of a MiB (Cargo.toml, `[patch.crates-io]`).
//!
//! `\d`, `\w` and `\s` mean ASCII in it. That is right for its two users here: libcontainer's schemata of Intel RDT and
//! `execCPUAffinity` of the OCI runtime specification ("config.md", process) have no other letters.

pub use regex_lite::{Captures, Error, Match, Regex, RegexBuilder};
