//! What is known before anything is planned, and comes in as values: facts of the box, of an image, of a made sandbox;
//! and the amounts and ids that they are given in.

mod amounts;
mod counters;
mod cpus;
mod ids;
mod image;
mod node;
mod sandbox;

pub use amounts::{Bytes, MilliCpu};
pub use counters::{Counters, Stall};
pub use cpus::{Cpu, CpuSet, NoCpuSet};
pub use ids::{IdRange, NamespaceIds, UserFacts};
pub use image::ImageFacts;
pub use node::{AppArmor, CgroupObstacle, CgroupVersion, ContainerContexts, KernelVersion, NodeFacts, Rights, SeLinux};
pub use sandbox::{EnvFile, MountNamespaces, PodNetwork, SandboxFacts, Scope};
