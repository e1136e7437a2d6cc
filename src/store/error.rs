//! What can go wrong with pods' state, in words.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What can go wrong in the state folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A second supervisor of one pod.
    #[error("pod \"{namespace}/{name}\" is already running{}", holder(*.pid))]
    Running {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        name: String,
        /// The supervisor, where the lock file says it.
        pid: Option<u32>,
    },
    /// Another command is at the pod and doesn't come to an end.
    #[error("pod \"{namespace}/{name}\": another barepod command{} is still cleaning up after it; try again later", is_process(*.pid))]
    Busy {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        name: String,
        /// The command, where the lock file says it.
        pid: Option<u32>,
    },
    /// Something of an earlier life of the pod is still there.
    #[error(
        "pod \"{namespace}/{name}\": something of its earlier life is still there{}; `barepod rm --force {namespace}/{name}` \
         tries to remove it",
        in_words(.left)
    )]
    NotCleanedUp {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        name: String,
        /// What, where that is known.
        left: Vec<String>,
    },
    /// Names that are made of this one are longer than a file's may be.
    #[error(
        "pod \"{namespace}/{name}\": its name is {over} byte{} too long: folders are named NAMESPACE_NAME_UID and a cgroup \
         after its uid, in 255 bytes at most; use a shorter name or uid",
        if *.over == 1 { "" } else { "s" }
    )]
    LongName {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        name: String,
        /// By how many bytes.
        over: usize,
    },
    /// The paths below a root would be longer than the kernel takes.
    #[error("{}: {over} bytes too long for what is made below it; keep pods elsewhere by --root DIR", .path.display())]
    LongRoot {
        /// The pod's folder.
        path: PathBuf,
        /// By how many bytes.
        over: usize,
    },
    /// Disk data that another pod may still use.
    #[error(
        "{} belongs to a pod of this name and uid that is kept below {}; give this one another metadata.uid",
        .path.display(),
        .root.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose.
        root: PathBuf,
    },
    /// No such pod.
    #[error("pods \"{0}\" not found")]
    NotFound(String),
    /// A Job, in words.
    #[error("{0}")]
    Job(String),
    /// A bare name that several namespaces have.
    #[error("pod name \"{name}\" is in several namespaces: say one of {}", .pods.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// `NAMESPACE/NAME` of all that fit.
        pods: Vec<String>,
    },
    /// A state file that can't be understood.
    #[error("{}: not a readable state file: {}", .path.display(), broken(source))]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// There is a pod's status, and no ledger.
    #[error("{}: it is gone: somebody has removed it", .path.display())]
    NoLedger {
        /// The file.
        path: PathBuf,
    },
    /// A state file of a newer barepod.
    #[error("{}: format version {version} is newer than this barepod knows", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// All ranges of ids are taken.
    #[error("no ids are free for a user namespace: all {count} ranges of --userns-range are taken")]
    NoIds {
        /// How many there are.
        count: u32,
    },
    /// A folder that has its name by default and isn't the user's alone.
    #[error(
        "{} can't be trusted with pods: {why}; if that is not meant to be, remove it, and else keep pods elsewhere by \
         --root DIR",
        .path.display()
    )]
    Untrusted {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: Distrust,
    },
    /// A system call failed.
    #[error("{}: {call}: {source}{}", .path.display(), elsewhere(call, source))]
    Io {
        /// On what.
        path: PathBuf,
        /// Doing what.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// What is wrong with a folder that is to be the user's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Distrust {
    #[error("it belongs to user {owner}, not to user {user}")]
    Owner { owner: u32, user: u32 },
    #[error("others than its owner may write to it (mode {0:04o})")]
    Mode(u32),
    #[error("it is not a folder")]
    NotAFolder,
}

impl Error {
    /// Whether a file holds something else than barepod writes there, or something else is in its place: whoever looks again
    /// finds the same. Any other error of a look (no more open files, a disk that fails) says nothing of what is there.
    pub fn is_about_content(&self) -> bool {
        match self {
            Self::Corrupt { .. } | Self::Version { .. } | Self::NoLedger { .. } => true,
            // A file or a loop in the place of the folder; a folder, a socket, or what `atomic::read` doesn't take for a file.
            Self::Io { source, .. } => match source.raw_os_error() {
                Some(errno) => matches!(errno, libc::ENOTDIR | libc::ELOOP | libc::EISDIR | libc::ENXIO),
                None => source.kind() == ErrorKind::Other,
            },
            _ => false,
        }
    }
}

/// serde's words are about types of this program.
fn broken(source: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", source.line(), source.column());
    match source.classify() {
        serde_json::error::Category::Eof if source.line() <= 1 && source.column() == 0 => "it is empty".to_owned(),
        serde_json::error::Category::Eof => format!("it ends too early, at {place}"),
        serde_json::error::Category::Syntax => format!("it is no JSON, at {place}"),
        serde_json::error::Category::Data => {
            format!("it has something else in it than barepod writes there, at {place}")
        }
        serde_json::error::Category::Io => source.to_string(),
    }
}

fn is_process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

fn in_words(left: &[String]) -> String {
    if left.is_empty() { String::new() } else { format!(" ({})", left.join("; ")) }
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (supervisor is process {pid})")).unwrap_or_default()
}

/// What helps who may not make a state folder: root of a user namespace, for one.
fn elsewhere(call: &str, source: &io::Error) -> &'static str {
    let denied = matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
    if call == "mkdir" && denied { "; pods can be kept elsewhere by --root DIR" } else { "" }
}

/// Makes an [`Error::Io`] for `map_err`.
pub(super) fn io_error<'a>(path: &'a Path, call: &'static str) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Io { path: path.to_owned(), call, source }
}
