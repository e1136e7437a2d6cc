//! Turns a v1 Pod and facts into what must be made. Everything here is a pure function: facts about the box, the images and the
//! sandbox come in as values. So tests follow a manifest up to its OCI config without root.
//!
//! This module doesn't open a file, look at the box, decide *when* something happens (the engine does), or know libcontainer's
//! types. It does know what libcontainer leaves out: where libcontainer would ignore a field of the OCI config in silence, the
//! field is refused here (see `container::refused`).
//!
//! Start reading at [`pod()`] (once per pod) and [`container()`] (each attempt, when image and addresses are known).
//!
//! Each submodule makes one thing and has the types of what it makes. It may use the submodules that its line names; they all
//! stand above it. `tests/tidy.rs` reads the list.
//!
//! | submodule | makes | may use |
//! |---|---|---|
//! | `facts` | values that come in: facts of the box, of an image, of a made sandbox; amounts and ids | |
//! | `error` | what can keep a pod or a container from being planned | facts |
//! | `diff` | what is different between a pod that runs and a manifest | |
//! | `identity` | which containers a pod has, and where they are in its manifest | |
//! | `change` | what of that can be changed while the pod runs | diff, identity |
//! | `lifecycle` | the engine's `PodSpec`: kinds, restart policies, timings | error, identity |
//! | `sandbox` | what all containers share: names, name resolution, namespaces, kernel parameters | facts, error, identity |
//! | `inputs` | all that the config of one container depends on, for the submodules below | facts, error, identity, sandbox |
//! | `resources` | requests and limits: sums, QoS class, cgroups, cpus, huge pages, disk, resizes | facts, error, identity, inputs |
//! | `security` | users, capabilities, devices, hidden paths, seccomp, AppArmor, SELinux | facts, error, identity, inputs |
//! | `process` | command, variables, downward API, what probes and hooks do | facts, error, identity, inputs, resources |
//! | `files` | images, volumes, mounts | facts, error, sandbox, inputs, resources, process |
//! | `pod` | the plan of a pod | facts, error, identity, lifecycle, sandbox, resources, security, files |
//! | `container` | the plan of one attempt of one container, with its OCI config | facts, error, identity, sandbox, inputs, resources, security, process, files, pod |

mod change;
mod container;
mod diff;
mod error;
mod facts;
mod files;
mod identity;
mod inputs;
mod lifecycle;
mod pod;
mod process;
pub mod resources;
mod sandbox;
mod security;

#[cfg(test)]
mod tests;

pub use crate::manifest::{Content, FileKind, Objects, as_container};
pub use change::{Changes, ContainerResources, Immutable, changes, may_be_deadline};
pub use container::hopeless::{Hopeless, hopeless};
pub use container::plan::{ContainerPlan, Label, Streams};
pub use container::{container, label};
pub use diff::{Difference, diff};
pub use error::{ConfigCause, ConfigError, PlanError};
pub use facts::*;
pub use files::config::FilePlan;
pub use files::image::{ImageSource, Stored, source as image_source};
pub use files::logins::{Logins, PullFiles, PullSecret, missing_pull_secrets, pull_secrets};
pub(crate) use files::mount::binds;
pub use files::mount::{DataMount, ImageMount, Missing, SharedMount, SubPath};
pub(crate) use files::path::normal;
pub use files::volumes::{GroupChange, HostPathKind, VolumePlan, VolumeSource};
pub use identity::{PodContainer, container_mut, init_kind, pod_container};
pub use lifecycle::signal::{name_of as signal_name, number_of as signal_number};
pub use lifecycle::{image as lifecycle_image, of as lifecycle_of};
pub use pod::ephemeral::{NewEphemeral, ephemeral};
pub use pod::images::{NamedImage, Origin, images, origin};
pub use pod::plan::PodPlan;
pub use pod::{PodOptions, check_objects, outdated_volumes, pod};
pub use process::env_file::env_files;
pub use process::handler::{Call, Handler, HandlerError, HttpGet, HttpVersion, Names, Purpose, Wanted, handler};
pub use process::outcome::{Outcome, answer};
pub use process::url::{Scheme, Url};
pub(crate) use resources::cgroup::CPU_PERIOD;
pub use resources::cgroup::{CgroupLimits, CgroupPlan, HugePageLimit, MemoryProtection};
pub use resources::unenforced::unenforced;
pub use resources::{cpus, huge_pages, memory_qos, resize, storage};
pub use sandbox::SandboxPlan;
pub use sandbox::network::{DNS_FORWARD, HostsFile, ResolvConf, Uplink};
pub use sandbox::reach::out_of_reach;
pub use sandbox::sysctls::sysctl_pattern;
pub use security::SecurityOptions;
pub use security::seccomp::{SeccompDefault, default_seccomp_profile, localhost_profile};
pub use security::selinux::unlabelled;
