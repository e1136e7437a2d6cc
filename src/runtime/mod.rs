//! The system calls that a pod needs. Each submodule does what it is told and reports what it saw. None decides, and none
//! knows the engine, the manifest or the store.
//!
//! Start reading at [`sandbox`] (what a pod's containers share) and [`container`] (one attempt of one container).
//!
//! From the lowest submodule to the highest. Each may use what stands above it in the list and is named in its line. The
//! floors: `kernel` wraps what the kernel does, and knows no pod; `box` is about this box and what a pod gets of it; `pod` is what
//! a pod has, `container` what runs in it, `end` what is left of it. ARCHITECTURE.md has the same list; tests/tidy/layers.rs
//! holds both against the code.
//!
//! | submodule | floor | makes | may use |
//! |---|---|---|---|
//! | `backtrace` | kernel | what a panic leaves: the calls that led to it | |
//! | `memory` | kernel | a supervisor that is small while it waits | |
//! | `random` | kernel | random numbers and UUIDs | |
//! | `signals` | kernel | signals that stay ignored, and those that a command reads | |
//! | `service` | kernel | what the service manager that started this process is told (sd_notify) | |
//! | `record` | kernel | records with descriptors, between processes of ours | |
//! | `journal` | kernel | entries in the journal of systemd | record |
//! | `capabilities` | kernel | capability sets of a process | |
//! | `rlimits` | kernel | resource limits of a process (setrlimit) | |
//! | `mount` | kernel | attributes of mounts, and paths as mountinfo writes them | |
//! | `files` | kernel | files and folders where others may have put links or mounts | |
//! | `program` | kernel | a program that is looked for and executed, or why it can't be | |
//! | `seccomp` | kernel | seccomp filters, compiled and put on | |
//! | `spawn` | kernel | children and helper processes: born in their cgroup, asked, signalled by pidfd, reaped | rlimits |
//! | `detach` | kernel | a process that lives on in the background when the one that was called has ended | signals, spawn |
//! | `process` | kernel | the end of a process that isn't this one's child | spawn |
//! | `tree` | kernel | the walk through trees of folders, and their removal | spawn |
//! | `usage` | kernel | how much of a disk folders use | spawn, tree |
//! | `lsm` | kernel | AppArmor's profiles and SELinux' labels of processes and files | tree |
//! | `keyring` | kernel | a session keyring of a process' own | lsm |
//! | `cgroup` | box | cgroups: limits, members, their end; device rules | files, mount, program, spawn |
//! | `node` | box | facts about this box | cgroup, files, rlimits |
//! | `rootless` | box | the namespaces that an ordinary user's pod needs first | detach, spawn |
//! | `network` | box | a pod's way out of its network namespace (pasta) | spawn |
//! | `names` | box | addresses of hosts: hosts files, then DNS | program, random |
//! | `visit` | box | the way of other commands into a pod: descriptors of what leads there, sockets of its network | record, spawn |
//! | `image` | pod | what `image:` names: a root file system and its config | rlimits, seccomp, spawn |
//! | `volume` | pod | volumes, with what is in them | files, image, spawn, tree |
//! | `sandbox` | pod | what a pod's containers share | cgroup, files, network, spawn, tree, volume |
//! | `container` | container | one attempt of one container: made, started, ended, removed | capabilities, cgroup, files, keyring, lsm, mount, program, record, rlimits, sandbox, seccomp, spawn, tree |
//! | `exec` | container | programs that run in a container for probes, hooks and `barepod exec` | capabilities, files, keyring, lsm, mount, program, record, rlimits, seccomp, spawn |
//! | `transfer` | container | files into a running container and out of it | random, record, spawn, tree, visit |
//! | `handler` | container | probes and hooks over the network | names, program, spawn |
//! | `sweep` | end | nothing of a pod whose supervisor is dead | cgroup, mount, process, tree |

pub mod backtrace;
mod capabilities;
pub mod cgroup;
pub mod container;
pub mod detach;
pub mod exec;
pub(crate) mod files;
pub mod handler;
pub mod image;
pub mod journal;
mod keyring;
mod lsm;
pub mod memory;
mod mount;
pub(crate) mod names;
pub mod network;
pub mod node;
pub mod process;
pub mod program;
pub mod random;
mod record;
pub mod rlimits;
pub mod rootless;
pub mod sandbox;
pub mod seccomp;
pub mod service;
pub mod signals;
mod spawn;
pub mod sweep;
pub mod transfer;
pub(crate) mod tree;
pub mod usage;
pub mod visit;
pub mod volume;

/// To be called first thing in `main`: in a helper, which is this same binary under another `argv[0]`, it does the
/// helper's work and doesn't return.
pub fn helper_main_if_asked() {
    container::helper_main_if_asked();
    exec::helper_main_if_asked();
    handler::helper_main_if_asked();
    image::helper_main_if_asked();
    tree::helper_main_if_asked();
    usage::helper_main_if_asked();
    volume::helper_main_if_asked();
}
