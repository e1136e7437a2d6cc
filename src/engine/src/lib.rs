//! The lifecycle of a Kubernetes Pod as a pure state machine.
#![no_std]

extern crate alloc;

pub mod action;
pub mod event;
pub mod spec;
pub mod status;
pub mod time;
