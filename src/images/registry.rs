//! The client of registries (OCI distribution spec): manifests and blobs are fetched from them, over HTTP/1.1 and TLS. It
//! logs in where it is asked to, waits where it is told to, goes on where a connection broke, and believes nobody.
//!
//! It blocks, and is for helper processes and commands. A [`Client`] is shared by as many threads as are to fetch at once.
//! Start reading at [`Client`].

mod address;
mod agents;
mod blob;
mod certificates;
mod challenge;
mod client;
mod error;
mod exchange;
mod login;
mod options;
mod parts;
mod proxies;
mod repository;
mod resolver;
mod retry;
mod said;
mod tokens;
mod verified;

pub use blob::Blob;
pub use client::Client;
pub use error::{Asked, Cause, RegistryError};
pub use login::Login;
pub use options::{Cut, Options};
pub use proxies::Proxies;
pub use repository::{Repository, Transport};
pub use retry::Retries;
pub use verified::{OtherDigest, Verified};

#[cfg(test)]
pub(super) mod tests;
