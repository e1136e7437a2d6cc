//! The files that a container sees: its image, the pod's volumes, and all that is mounted.

pub(crate) mod bundle_mounts;
pub(crate) mod config;
pub(crate) mod image;
pub(crate) mod logins;
pub(crate) mod mount;
pub(crate) mod mounts;
mod own_mounts;
pub(crate) mod path;
mod volume_mounts;
pub(crate) mod volumes;
