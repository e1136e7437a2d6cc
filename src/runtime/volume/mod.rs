//! Makes the pod's volumes and says where each is. Mounting them into containers is the container's; whether a
//! failure is retried is the engine's.

mod config;
mod create;
mod elsewhere;
mod env_file;
mod error;
mod group;

pub use create::{create, release, share, update};
pub use elsewhere::{Search, helper_main_if_asked, is_elsewhere};
pub use env_file::read_env_file;
pub use error::VolumeError;
