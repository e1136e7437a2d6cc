//! Real containers through the functions that `runtime` offers, from a busybox root file system. Needs root; each test looks for
//! leftovers at its end.
#![allow(clippy::unwrap_used)]

mod containers;
mod sandboxes;
#[path = "../skips/mod.rs"]
mod skips;
mod world;
