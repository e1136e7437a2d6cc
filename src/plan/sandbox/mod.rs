//! What all containers of a pod share: names and name resolution, kernel parameters.

pub(crate) mod network;
pub(crate) mod sysctls;
