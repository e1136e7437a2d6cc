//! v1 Pod + facts -> what to make. Everything here is a pure function: facts about the box, the images and the sandbox
//! come in as values, so that the whole road from a manifest to the OCI config can be looked at without root.
//!
//! What it deliberately does not do: open a file, look at the box, decide *when* something happens (the engine does),
//! or know libcontainer's types. It knows libcontainer's habits though: where a field of the OCI config would be
//! ignored by it in silence, the field is refused here (see `oci`).
//!
//! Start reading at [`pod()`] (once per pod) and [`container()`] (each attempt, when image and addresses are known).
mod apparmor;
mod container;
pub mod cpus;
mod devices;
mod env;
mod env_file;
mod error;
mod expansion;
mod facts;
mod files;
mod handler;
mod hopeless;
pub mod huge_pages;
mod image;
mod lifecycle;
pub mod memory_qos;
mod mounts;
mod network;
mod oci;
mod pod;
pub mod resize;
pub mod resources;
mod rootless;
mod seccomp;
mod security;
mod selinux;
mod signal;
pub mod storage;
mod sysctls;
mod types;
mod unsupported;
mod url;
mod volumes;

#[cfg(test)]
mod tests;

pub use container::{container, label};
pub use devices::wants_devices;
pub use env_file::{EnvFile, env_files};
pub use error::{ConfigCause, ConfigError, PlanError};
pub use files::outdated as outdated_volumes;
pub use handler::{Asker, Call, Handler, HandlerError, HttpGet, HttpVersion, Names, Wanted, handler};
pub use hopeless::{Hopeless, hopeless};
pub use image::{NamedImage, Origin, images, origin};
pub use lifecycle::{init_kind, of as lifecycle_of};
pub(crate) use mounts::{binds, normal};
pub use network::DNS_FORWARD;
pub use pod::{PodNetwork, PodOptions, SecurityOptions, pod};
pub use rootless::unenforced;
pub use seccomp::{SeccompDefault, default_seccomp_profile, localhost_profile};
pub use selinux::unlabelled;
pub use sysctls::sysctl_pattern;
pub use types::*;
pub use url::{Scheme, Url};
pub use volumes::{FilePlan, GroupChange, HostPathKind, VolumePlan, VolumeSource};
