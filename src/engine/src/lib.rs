//! The lifecycle of a Kubernetes Pod as a pure state machine.
//!
//! [`Engine::step`] takes a fact and the time and appends what is to be done; [`Engine::next_deadline`] says when to
//! call again though nothing happened; [`Engine::status`] is what users see. There is no clock, no I/O, no randomness
//! and no allocation-order dependence in here: the same events at the same times give the same actions, for ever.
//!
//! Rule numbers such as `R5.3` are those of docs/lifecycle.md.
//! Where to start reading: [`Engine::step`] hands a fact to `facts`, then `advance` lets each concern have its say until
//! nothing changes any more: `startup` (what may run next), `termination` (who is told to stop when), `restart` (policy
//! and back-off), `probe`, `hook`, `eviction`, `patience`.

#![no_std]

extern crate alloc;

pub mod action;
mod awaited;
mod container;
mod derive;
pub mod event;
mod eviction;
pub mod exit;
mod facts;
mod hook;
pub mod observer;
mod patience;
mod pod;
mod probe;
mod resize;
mod restart;
pub mod spec;
mod startup;
pub mod status;
mod stop;
mod termination;
pub mod time;
pub mod world;

pub use awaited::Awaited;
pub use pod::Engine;
pub use resize::ResizeRefusal;
