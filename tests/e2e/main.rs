//! End to end: real pods, by the command line alone, on whatever this machine's cgroups are (and again in a VM with pure
//! cgroup v2, scripts/vm-test). One file per thing a user does.
//!
//! Order is proven by what containers append to one file, never by times. Nothing here sleeps to let something happen:
//! tests wait for a condition, with a deadline ([`harness::wait`]). At the end of each test everything that its pod may
//! have left is looked for (`harness::leftovers`).
//!
//! `$BAREPOD` names the binary under test; by default it is the one cargo built.
#![allow(clippy::unwrap_used)]

mod apparmor;
mod applying;
mod attacks;
mod attacks_files;
mod attacks_folders;
mod attacks_hogs;
mod attacks_links;
mod bad_bundles;
mod bundles;
mod chosen;
mod commands;
mod completion;
mod config;
mod contained;
mod copying;
mod cpus;
mod delegation;
mod deletion;
mod describe;
mod desired;
mod detached;
mod differing;
mod disk;
mod documents;
mod entering;
mod events;
mod eviction;
mod exec;
mod exit_codes;
mod fault_calls;
mod fault_kinds;
mod fault_walk;
mod faults;
mod folders;
mod following;
mod forwarding;
mod generating;
mod hanging;
mod harness;
mod hooks;
mod host_cgroups;
mod huge_pages;
mod image_below;
mod image_data;
mod image_files;
mod image_layers;
mod image_owners;
mod image_pruning;
mod image_repair;
mod image_volumes;
mod images;
mod jobs;
mod journaled;
mod killed;
mod killing;
mod logins;
mod looking;
mod names;
mod network;
mod notified;
mod objects;
mod oci_config;
mod oci_fields;
mod oci_hooks;
mod order;
mod output;
mod partial_state;
mod pasta;
mod places;
mod pressure;
mod probes;
mod public;
mod pull_options;
mod pulling;
mod registry;
mod remains;
mod remains_network;
mod replacing;
mod resize;
mod restart;
mod restarting;
mod rootless;
mod scenarios;
mod seccomp;
mod security;
mod selinux;
mod settings;
mod shares;
mod showing;
#[path = "../skips/mod.rs"]
mod skips;
mod status;
mod streams;
mod systemd;
mod systemd_limits;
mod systemd_users;
mod terminal;
mod tokens;
mod top;
mod trees;
mod trust;
mod users;
mod volumes;
mod waiting;
