//! What pods and containers request and may use at most, and what cgroups are told of it (R8.10, R9.1 to R9.5). Much of it
//! is public for `describe`, tables and the status, so that what people read is what the cgroups get.

pub(crate) mod amounts;
pub(crate) mod cgroup;
pub mod cpus;
pub(crate) mod effective;
pub mod huge_pages;
pub mod memory_qos;
pub(crate) mod oci;
pub(crate) mod qos;
pub mod resize;
pub mod storage;
pub(crate) mod unenforced;

pub use amounts::{Amounts, listed};
pub use effective::{Effective, Moment, effective, moments};
pub use qos::{QosClass, qos_class};
