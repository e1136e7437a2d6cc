//! OCI images: where they come from, and the store in which all pods of the box have them. Knows no pod.
//!
//! From the lowest submodule to the highest, with what each may use (tests/tidy/layers.rs):
//!
//! | submodule | makes | may use |
//! |---|---|---|
//! | `compression` | decompressed streams, by what their first bytes say | |
//! | `digest` | digests of contents, checked while these are read | |
//! | `disk` | how full the disk is that images are on | |
//! | `record` | what a stored layer's tree had when it was complete, and whether it still has | digest |
//! | `archive` | entries of tar archives that nobody vouches for | record |
//! | `unpack` | the tree of a layer, of its archive | archive, record |
//! | `layers` | unpacked layers on disk: made whole or not at all, found, verified, removed | archive, compression, digest, disk, record, unpack |
//! | `merged` | what layers show one over the other, without a mount | |
//! | `reference` | names of images, with what is left out of them filled in | digest |
//! | `platform` | systems and processors, and which of them this box is | |
//! | `document` | indexes, manifests and configs, read from bytes that nobody vouches for | digest, platform |
//! | `registry` | the client of registries: manifests and blobs, over HTTP and TLS | digest, document, reference |
//! | `credentials` | logins for registries: from files, Secrets, and programs that keep them | registry |
//! | `registries_conf` | which registry or mirror is asked for an image, by registries.conf | reference, registry |
//! | `origin` | what a place has to give that images come from | digest, document |
//! | `trust` | which images may be used, by policy.json and signatures | digest, origin, reference |
//! | `local` | images in files of this box | archive, compression, digest, document, origin, reference |
//! | `remote` | images in registries | credentials, digest, document, origin, reference, registries_conf, registry |
//! | `progress` | how far a pull is, for who shows it | digest |
//! | `turns` | who may do what at the same time | digest |
//! | `catalogue` | names of the images that are there, and their documents | digest, document, trust |
//! | `store` | all of this on disk, and the removal of what nobody needs | catalogue, digest, disk, layers, turns |
//! | `collect` | which images go by themselves: by their last use, where the disk is full | catalogue, digest, disk, store |
//! | `pull` | an image from where it is into the store | catalogue, digest, disk, document, layers, merged, origin, platform, progress, reference, store, trust, unpack |
//! | `export` | an image of the store as an OCI image layout that other tools read | archive, catalogue, digest, document, layers, record, store, unpack |
pub mod archive;
pub mod catalogue;
pub mod collect;
pub mod compression;
pub mod credentials;
pub mod digest;
pub mod disk;
pub mod document;
pub mod export;
pub mod layers;
pub mod local;
pub mod merged;
pub mod origin;
pub mod platform;
pub mod progress;
pub mod pull;
pub mod record;
pub mod reference;
pub mod registries_conf;
pub mod registry;
pub mod remote;
pub mod store;
pub mod trust;
pub mod turns;
pub mod unpack;

#[cfg(test)]
mod tests;
