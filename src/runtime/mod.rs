//! The hands: each does one kind of thing to this box and decides nothing. They know plan's types, not the engine, the
//! manifest or the store. `unsafe` lives here and nowhere else.

pub mod cgroup;
pub mod container;
pub mod image;
pub mod node;
pub mod sandbox;
mod spawn;
pub mod sweep;
pub mod volume;
