//! What `image` takes, and its own commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::examples::*;
use super::values::age;
use crate::images::platform::Platform;

/// `barepod image`.
#[derive(Debug, Args)]
pub struct ImageArgs {
    /// What to do
    #[command(subcommand)]
    pub command: ImageCommand,
}

/// What can be done with the box's images.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Bring images into the store of this box
    #[command(after_help = IMAGE_PULL_EXAMPLES)]
    Pull(ImagePullArgs),
    /// List the images of this box
    #[command(aliases = ["list", "get"], after_help = IMAGE_LS_EXAMPLES)]
    Ls(ImageLsArgs),
    /// Show what an image's config says, as JSON
    #[command(alias = "describe")]
    Inspect(ImageNameArgs),
    /// Show the steps by which an image was made
    History(ImageNameArgs),
    /// Take names of images away, and remove what no other name and no pod needs
    #[command(aliases = ["remove", "delete"])]
    Rm(ImageNamesArgs),
    /// Remove what no name leads to and no pod uses, such as what pulls left that were killed; also images by their last use, or
    /// where the disk is full
    #[command(after_help = IMAGE_PRUNE_EXAMPLES)]
    Prune(ImagePruneArgs),
    /// Compare every file of images with what was recorded when they were unpacked
    Verify(ImageVerifyArgs),
    /// Verify images, and bring again what is damaged of them
    #[command(after_help = IMAGE_REPAIR_EXAMPLES)]
    Repair(ImageRepairArgs),
    /// Bring an image of a file or folder into the store of this box: OCI image layouts, archives of them, and what `docker save` writes
    #[command(alias = "load", after_help = IMAGE_IMPORT_EXAMPLES)]
    Import(ImageImportArgs),
    /// Write an image of this box into an archive, or into an OCI image layout in a folder
    #[command(alias = "save", after_help = IMAGE_EXPORT_EXAMPLES)]
    Export(ImageExportArgs),
}

/// `barepod image import`.
#[derive(Debug, Args)]
pub struct ImageImportArgs {
    /// What it is in; with :WHICH behind it, where that has several
    #[arg(value_name = "FILE|DIR")]
    pub from: PathBuf,
    /// Under which name pods find it; by default the one that it has there
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Which images are trusted, as containers-policy.json(5), instead of what this box's file says: by NAME, and a file has no
    /// signatures
    #[arg(long, value_name = "FILE")]
    pub signature_policy: Option<PathBuf>,
}

/// `barepod image export`.
#[derive(Debug, Args)]
pub struct ImageExportArgs {
    /// The name as in a manifest's `image:`
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// A folder where it is there or ends with a slash, else an archive
    #[arg(value_name = "FILE|DIR")]
    pub to: String,
}

/// `barepod image pull`.
#[derive(Debug, Args)]
pub struct ImagePullArgs {
    /// Names as in a manifest's `image:`
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
    /// For another platform than this box's: OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,
    /// Which images are trusted, as containers-policy.json(5), instead of what this box's file says
    #[arg(long, value_name = "FILE")]
    pub signature_policy: Option<PathBuf>,
    /// A file of logins for registries, as podman login and docker login write it, instead of the files that this box has for that
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
    /// Refuse a name in a registry that has no digest (NAME@sha256:...), before anything is pulled
    #[arg(long)]
    pub require_digest: bool,
    /// Print nothing but what has failed
    #[arg(short, long)]
    pub quiet: bool,
}

/// `barepod image ls`.
#[derive(Debug, Args)]
pub struct ImageLsArgs {
    /// Only these
    #[arg(value_name = "IMAGE")]
    pub images: Vec<String>,
    /// Output format instead of a table
    #[arg(short, long, value_enum)]
    pub output: Option<ImageOutput>,
}

/// How `image ls` shows images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImageOutput {
    /// A list
    Json,
    /// Names alone
    Name,
}

/// An image of this box.
#[derive(Debug, Args)]
pub struct ImageNameArgs {
    /// The name as in a manifest's `image:`
    #[arg(value_name = "IMAGE")]
    pub image: String,
}

/// Images of this box.
#[derive(Debug, Args)]
pub struct ImageNamesArgs {
    /// Names as in a manifest's `image:`
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
}

/// `barepod image prune`.
#[derive(Debug, Args)]
pub struct ImagePruneArgs {
    /// Also images with a name that no pod uses now
    #[arg(short, long)]
    pub all: bool,
    /// Also such images, but only those that were last used that long ago or longer: pulled, or needed by a pod (24h, 7d)
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub until: Option<Duration>,
    /// Where the disk of the images is too full: also such images, the one first whose last use is longest ago, until the disk is
    /// as empty as it is to be. What was used within --until stays, by default within 2m
    #[arg(long, conflicts_with = "all")]
    pub disk_use: bool,
    /// With --disk-use: nothing is removed below that use of the disk, of its bytes or its inodes. The kubelet's
    /// imageGCHighThresholdPercent
    #[arg(long, value_name = "PERCENT", default_value_t = 85, requires = "disk_use", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub high_threshold: u8,
    /// With --disk-use: nothing more is removed once the use is no higher than that. The kubelet's imageGCLowThresholdPercent
    #[arg(long, value_name = "PERCENT", default_value_t = 80, requires = "disk_use", value_parser = clap::value_parser!(u8).range(0..=99))]
    pub low_threshold: u8,
}

/// `barepod image verify`.
#[derive(Debug, Args)]
pub struct ImageVerifyArgs {
    /// Names as in a manifest's `image:`; all images, where none is given
    #[arg(value_name = "IMAGE")]
    pub images: Vec<String>,
}

/// `barepod image repair`.
#[derive(Debug, Args)]
pub struct ImageRepairArgs {
    /// Names as in a manifest's `image:`; all images, where none is given
    #[arg(value_name = "IMAGE")]
    pub images: Vec<String>,
    /// A file of logins for registries, as podman login and docker login write it, instead of the files that this box has for that
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
}
