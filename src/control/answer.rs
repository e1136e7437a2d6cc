//! What a supervisor answers.

use serde::{Deserialize, Serialize};

/// What a supervisor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Answer {
    /// News: the pod ends, and who keeps it waiting.
    Waiting(Waiting),
    /// News for a watch: the pod's status or its events on disk are new. Also at once, when it is asked for.
    Changed,
    /// News for who is attached to a container: so much of its output was left out by now, as it wasn't taken in time.
    Lost {
        /// In bytes.
        bytes: u64,
    },
    /// Last: the pod has ended.
    Ended(Ended),
    /// Last: what became of a resize.
    Resized {
        /// That.
        outcome: Resized,
    },
    /// Last: what became of a signal to containers.
    Signalled {
        /// That.
        outcome: Signalled,
    },
    /// Last: what became of a manifest that was applied.
    Applied {
        /// That.
        outcome: Applied,
    },
    /// Last: what became of a restart that was asked for.
    Restarting {
        /// That.
        outcome: Restarting,
    },
    /// Last: what became of an ephemeral container; where a client is attached to it, only that it was not added.
    Added {
        /// That.
        outcome: Added,
    },
    /// Last: the program of an `exec` ran, and has ended; or the container of an `attach` has.
    Exited(Exited),
    /// Last: the program of an `exec` never ran, or there is nothing to give descriptors of.
    NotRun {
        /// What is in the way.
        obstacle: Obstacle,
        /// The same in words.
        message: String,
    },
    /// Last: it is done.
    Done,
    /// Last: the client has cancelled the request.
    Cancelled,
    /// Last: there is no answer.
    Refused {
        /// For programs.
        reason: Reason,
        /// For people.
        message: String,
    },
    /// News of a kind that a later barepod has.
    #[serde(other)]
    Unknown,
}

impl Answer {
    /// Whether no more answers follow it.
    pub fn is_last(&self) -> bool {
        match self {
            Self::Waiting(_) | Self::Changed | Self::Lost { .. } | Self::Unknown => false,
            Self::Ended(_)
            | Self::Resized { .. }
            | Self::Signalled { .. }
            | Self::Restarting { .. }
            | Self::Applied { .. }
            | Self::Added { .. }
            | Self::Exited(_)
            | Self::NotRun { .. }
            | Self::Done
            | Self::Cancelled
            | Self::Refused { .. } => true,
        }
    }
}

/// How a program in a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Exited {
    /// By itself, with this exit code.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// With its container.
    Container,
    /// Nobody knows.
    Unknown,
}

/// What keeps a program from being run in a container, or descriptors from being given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Obstacle {
    /// The pod has no container of that name.
    NoContainer,
    /// The container isn't running, or the pod has no sandbox.
    NotRunning,
    /// There is no such program in it.
    NotFound,
    /// It can't be executed.
    NotExecutable,
    /// Something else, or something a later barepod knows.
    #[serde(other)]
    Other,
}

/// Why a supervisor doesn't do what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Too many clients, or too many requests of one.
    Busy,
    /// That was no frame, or one that contradicts another.
    Malformed,
    /// A frame of another version.
    Version,
    /// It doesn't know such a request, or this barepod no such reason.
    #[serde(other)]
    Unknown,
}

/// Whom the pod's end waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Names of the containers that have been told to stop.
    pub containers: Vec<String>,
    /// What is left until the last of them is killed; 0: all of them have been.
    pub left_millis: u64,
    /// The whole grace period.
    pub grace_millis: u64,
}

/// What became of a resize.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Resized {
    /// It is in force.
    Done {
        /// Name of the container.
        container: String,
    },
    /// It will be in force once the container has been restarted, which is under way.
    Restarting {
        /// Name of the container.
        container: String,
    },
    /// It is in force when the container runs next.
    Later {
        /// Name of the container.
        container: String,
    },
    /// There was nothing to change.
    Unchanged,
    /// It can't be had.
    Refused {
        /// Why.
        why: String,
    },
}

/// What became of a signal to containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Signalled {
    /// It was sent.
    Sent {
        /// To these.
        containers: Vec<String>,
    },
    /// The pod has no container of that name.
    NoContainer,
    /// It doesn't run, or none of the main ones does.
    NotRunning,
    /// It can't be sent.
    Refused {
        /// Why.
        why: String,
    },
}

/// What became of an ephemeral container that was to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Added {
    /// The pod has it.
    Done,
    /// It can't have it.
    Refused {
        /// Why.
        why: String,
    },
}

/// What became of a manifest that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Applied {
    /// All of it is in force.
    Done {
        /// What became of the new resources of containers.
        resized: Vec<Resized>,
        /// What the restarts of containers with new images bring.
        restarting: Vec<Instance>,
        /// Whether what is in ConfigMaps and Secrets is different.
        objects: bool,
        /// Whether other files say who is let in where images are pulled, and which are trusted.
        #[serde(default)]
        files: bool,
    },
    /// It can't be had.
    Refused {
        /// Why.
        why: String,
        /// What was done before that was known: containers that have new resources.
        resized: Vec<Resized>,
    },
}

/// What became of a restart that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Restarting {
    /// It is under way.
    Begun {
        /// What it brings.
        instances: Vec<Instance>,
    },
    /// The pod has no container of that name.
    NoContainer,
    /// The pod has ended or is about to.
    PodEnds,
    /// The pod's sandbox isn't there, or its init containers aren't done.
    Initializing,
    /// That is an init container.
    Init,
    /// That is an ephemeral container.
    Ephemeral,
}

/// An instance of a container that is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// The container's name.
    pub container: String,
    /// Its `restartCount` then.
    pub restarts: u32,
}

/// How the pod ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Exit code of `barepod run`.
    pub exit_code: u8,
    /// `Succeeded` or `Failed`.
    pub phase: String,
}
