//! Changed resources of a running pod's container (KEP-1287): what may change and what that makes of its manifest and
//! of the cgroups. Whether the container is there, and whether it restarts for it, is the engine's to say.

mod change;
mod limits;
mod request;
mod steps;

pub use change::{Resize, resize};
pub use request::{Amended, ResizeError, ResizeRequest};
pub use steps::{MemoryUsage, Place, check_usage, limits_of, resize_steps};
