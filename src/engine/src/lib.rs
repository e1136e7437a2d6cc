//! The lifecycle of a Kubernetes Pod as a pure state machine.
//!
//! [`Engine::step`] takes a fact and the time and appends what is to be done; [`Engine::next_deadline`] says when to
//! call again though nothing happened; [`Engine::status`] is what users see. There is no clock, no I/O, no randomness
//! and no allocation-order dependence in here: the same events at the same times give the same actions, for ever.
//!
//! Rule numbers such as `R5.3` are those of docs/lifecycle.md.
//! Where to start reading: [`Engine::step`] hands a fact to `pod/facts.rs`, then `advance` lets each concern have its say until
//! nothing changes any more: `startup` (what may run next), `termination` (who is told to stop when), `exits` (policy and
//! back-off), `probes`, `hooks`, `eviction`, `patience`, `ephemeral`.
//!
//! From the lowest submodule to the highest; each may use those above it that its line names:
//!
//! | submodule | has | may use |
//! |---|---|---|
//! | `time` | instants and wall time that can be saved | |
//! | `spec` | the part of a pod that its lifecycle depends on | |
//! | `event` | what the engine is told | spec |
//! | `status` | what users see | spec, time |
//! | `action` | what the engine asks for | event, spec, time |
//! | `container` | one container's machines: its life, and in it hooks, probes, the way to its stop, back-off | event, spec, status, time |
//! | `pod` | `Engine`: what depends on more than one container, or on the sandbox | time, spec, event, status, action, container |
//! | `replica` | what controllers have in common: facts of pods, which of too many go first, back-off | time |
//! | `job` | a Job's controller: which pods it has made and ended, and how it ends | time, replica |
//! | `replica_set` | the controller of ReplicaSets and ReplicationControllers | time, replica |
//! | `deployment` | a Deployment's controller: its revisions and their pods | time, replica |
//! | `stateful_set` | a StatefulSet's controller: pods in places that have an order | time, replica |
//! | `daemon_set` | a DaemonSet's controller, where this box is all nodes | time, replica |
//! | `cronjob` | a CronJob's controller: which Jobs it has begun, and when the next one is due | job, replica, time |
//! | `observer` | what no sequence of statuses may show, for tests and for who reads states | time, spec, status |
//! | `world` | a scripted box in virtual time | time, spec, event, action, pod |
//!
//! A machine in `container` has its state to itself, as far as its fields are private: it gets a fact or the time with what it
//! must know of the pod, moves, and says what is to be done. `pod` decides what depends on several of them, and asks for it.

#![no_std]

extern crate alloc;

pub mod action;
mod container;
pub mod cronjob;
pub mod daemon_set;
pub mod deployment;
pub mod event;
pub mod job;
pub mod observer;
mod pod;
pub mod replica;
pub mod replica_set;
pub mod spec;
pub mod stateful_set;
pub mod status;
pub mod time;
pub mod world;

pub use pod::{Awaited, Engine, EphemeralRefusal, ResizeRefusal, RestartRefusal, exit};
