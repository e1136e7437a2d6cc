//! The engine against the rules of docs/lifecycle.md: tables by hand (a file for each subject) and random pods on random boxes
//! (`property`). All in virtual time.
#![allow(clippy::unwrap_used)]

mod ahead;
mod cronjob;
mod cronjob_random;
mod daemon_set;
mod deadline;
mod deployment;
mod deployment_random;
mod ephemeral;
mod eviction;
mod hanging;
mod hooks;
mod images;
mod job;
mod job_random;
mod job_under_way;
mod lost_sandbox;
mod observer;
mod output;
mod patience;
mod play;
mod pods;
mod pre_stop;
mod probes;
mod property;
mod pulls;
mod random;
mod replica_set;
mod resize;
mod restart;
mod restart_all;
mod saved;
mod startup;
mod stateful_set;
mod stateful_set_random;
mod status;
mod supervised;
mod termination;
mod timeline;
mod tries;
mod volume_images;
mod wanted_restart;
