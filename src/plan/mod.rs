//! v1 Pod + facts -> what to make. Everything here is a pure function: facts about the box, the images and the sandbox
//! come in as values, so that the whole road from a manifest to the OCI config can be looked at without root.
//!
//! What it deliberately does not do: open a file, look at the box, decide *when* something happens (the engine does),
//! or know libcontainer's types. It knows libcontainer's habits though: where a field of the OCI config would be
//! ignored by it in silence, the field is refused here (see `oci`).
//!
//! Start reading at [`pod()`] (once per pod) and [`container()`] (each attempt, when image and addresses are known).
mod container;
mod error;
mod facts;
mod files;
mod lifecycle;
mod pod;
mod process;
pub mod resources;
mod sandbox;
mod security;
mod types;

#[cfg(test)]
mod tests;

pub use container::hopeless::{Hopeless, hopeless};
pub use container::{container, label};
pub use error::{ConfigCause, ConfigError, PlanError};
pub use files::config::outdated as outdated_volumes;
pub use files::image::{NamedImage, Origin, images, origin};
pub(crate) use files::mounts::{binds, normal};
pub use files::volumes::{FilePlan, GroupChange, HostPathKind, VolumePlan, VolumeSource};
pub use lifecycle::{init_kind, of as lifecycle_of};
pub use pod::{PodNetwork, PodOptions, SecurityOptions, pod};
pub use process::env_file::{EnvFile, env_files};
pub use process::handler::{Asker, Call, Handler, HandlerError, HttpGet, HttpVersion, Names, Wanted, handler};
pub use process::url::{Scheme, Url};
pub use resources::{cpus, huge_pages, memory_qos, resize, storage};
pub use sandbox::network::DNS_FORWARD;
pub use sandbox::sysctls::sysctl_pattern;
pub use security::devices::wants_devices;
pub use security::rootless::unenforced;
pub use security::seccomp::{SeccompDefault, default_seccomp_profile, localhost_profile};
pub use security::selinux::unlabelled;
pub use types::*;
