//! The engine against the rules of docs/lifecycle.md: tables by hand (one file per section) and random pods on random boxes
//! (`property`). All in virtual time.
#![allow(clippy::unwrap_used)]

mod eviction;
mod hooks;
mod images;
mod observer;
mod output;
mod patience;
mod pods;
mod probes;
mod property;
mod resize;
mod restart;
mod saved;
mod startup;
mod status;
mod termination;
mod timeline;
mod tries;
