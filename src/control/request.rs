//! What commands ask for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a client's frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Ask(Request),
    /// Wants to know when something has changed, until the pod ends.
    Watch,
    /// Ends the request of this id.
    Cancel,
    /// Of a kind that a later barepod has.
    Unknown,
}

/// What a command can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// Graceful deletion (R5). Answered by whom it waits for, and by the end.
    Stop {
        /// Instead of the pod's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace_period_seconds: Option<u64>,
    },
    /// SIGKILL to everything. Answered as `Stop`.
    Kill,
    /// New resources for a container (KEP-1287). Answered once they are in force and written down.
    Resize(Resources),
    /// A program in a container, with the client's descriptors. Answered by how it ended. Whoever hangs up or cancels it
    /// sends it SIGHUP.
    Exec(Program),
    /// A signal to the program of one's own request `of`. Answered at once.
    Signal {
        /// Id of the request, which is still open.
        of: u64,
        /// Its number.
        signal: i32,
    },
    /// Descriptors of the user namespace that the pod's network belongs to, and of its network namespace: sent, in this order, in
    /// a record of their own to the socket that comes with the request. Answered once that is done.
    Network,
    /// A signal to the first process of a container that runs. Answered once the event of it is written down.
    SignalContainers {
        /// Name of the container; none: all main containers that run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<String>,
        /// Its number.
        signal: i32,
    },
    /// What a container that runs prints from now on. Brings a socket, to which is sent what the container reads from
    /// ([`AttachedTo`] says what that is), and sockets of the type SOCK_STREAM for standard output and error. Answered by how
    /// the container ended.
    Attach {
        /// Name of the container.
        container: String,
        /// Whether what the container reads is to be written to.
        stdin: bool,
    },
    /// Containers are to be stopped and started again (R3.9). Answered once that has begun and is written down.
    Restart {
        /// Name of the container; none: all main containers and sidecars, in order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<String>,
        /// Instead of the pod's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace_period_seconds: Option<u64>,
    },
    /// What a manifest that was applied changes of the pod. Brings a file of ConfigMaps and Secrets, where it says so. Answered once
    /// that is done and written down.
    Apply(Changes),
    /// One more container for the pod, an ephemeral one (R2.9). Answered once it is written down; who wants to be attached to it brings
    /// what `Attach` does, and is answered by how it ended.
    Debug(Debugging),
    /// Descriptors of a container's user namespace and of its root (O_PATH), sent likewise in a record that says who its user is
    /// ([`RootOwner`]).
    Root {
        /// Name of the container.
        container: String,
    },
}

/// An ephemeral container that is to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Debugging {
    /// A v1 EphemeralContainer, as JSON.
    pub container: String,
    /// What a relative path of its image is relative to. Absolute.
    pub folder: String,
    /// What its image's name stands for, by this box's aliases and with an absolute path; none: nobody has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Whether the client is attached to it from its beginning on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<Attaching>,
    /// A file of logins for its image. Absolute; none: as for the pod's other images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_file: Option<String>,
    /// A file that says whether its image is trusted. Absolute; none: as for the pod's other images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_policy: Option<String>,
}

/// How a client is attached to a container from its beginning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attaching {
    /// Whether what the container reads is to be written to.
    pub stdin: bool,
    /// Of its terminal at first, in characters.
    pub rows: u16,
    /// Likewise.
    pub columns: u16,
}

/// What a client is attached to. The master of a terminal comes with it, and of a pipe the writing end where it is [`Input::Given`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedTo {
    /// Whether it is a terminal.
    pub tty: bool,
    /// What becomes of what the client writes.
    pub input: Input,
}

/// What becomes of what a client writes to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Input {
    /// The container reads it.
    Given,
    /// The client didn't ask for it.
    Unwanted,
    /// The container reads nothing (`stdin` isn't set).
    None,
    /// Another client has had it (`stdinOnce`).
    Taken,
}

/// Whose the files are that a container's program makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootOwner {
    /// Its user, as the container's user namespace has it.
    pub uid: u32,
    /// Its group, likewise.
    pub gid: u32,
}

/// A program that is to be run in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// Name of the container.
    pub container: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it reads from and writes to.
    pub streams: Streams,
}

/// What a program reads from and writes to: the descriptors of its request, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Streams {
    /// Standard output and error; there is nothing to read.
    Output,
    /// Standard input, output and error.
    All,
    /// A socket that the master of a terminal is sent to, which is opened in the container and is all three.
    Terminal {
        /// Its height at first, in characters.
        rows: u16,
        /// Its width at first, in characters.
        columns: u16,
    },
}

impl Request {
    /// Graceful deletion.
    pub fn stop(grace_period: Option<Duration>) -> Self {
        Self::Stop { grace_period_seconds: grace_period.map(|grace| grace.as_secs()) }
    }

    /// How many descriptors come with it.
    pub fn descriptors(&self) -> usize {
        match self {
            Self::Stop { .. } | Self::Kill | Self::Resize(_) => 0,
            Self::Apply(changes) => usize::from(changes.objects),
            Self::Signal { .. } | Self::SignalContainers { .. } | Self::Restart { .. } => 0,
            Self::Debug(debugging) => {
                if debugging.attach.is_some() {
                    3
                } else {
                    0
                }
            }
            Self::Attach { .. } => 3,
            Self::Network | Self::Root { .. } | Self::Exec(Program { streams: Streams::Terminal { .. }, .. }) => 1,
            Self::Exec(Program { streams: Streams::Output, .. }) => 2,
            Self::Exec(Program { streams: Streams::All, .. }) => 3,
        }
    }
}

/// New resources, as text: whoever is asked checks them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Name of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Requests and limits, as the container has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub amounts: BTreeMap<String, String>,
    /// Requests.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// Limits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// What the manifest says.
    pub image: String,
    /// The same, with an absolute path.
    pub place: String,
}

/// What is to be changed of a pod that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Changes {
    /// All labels; none: they stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// All annotations; none: they stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// none: as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_deadline_seconds: Option<i64>,
    /// New images, by the names of containers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, Image>,
    /// Whether ConfigMaps and Secrets come with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub objects: bool,
    /// New resources of containers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resources>,
    /// A file of logins for what the pod pulls from now on. Absolute; none: as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_file: Option<String>,
    /// A file that says which images are trusted from now on. Absolute; none: as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_policy: Option<String>,
}

/// The kinds of calls that are no requests for something.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum OtherCall {
    Watch,
    Cancel,
    Unknown,
}

impl Serialize for Call {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ask(request) => request.serialize(serializer),
            Self::Watch => OtherCall::Watch.serialize(serializer),
            Self::Cancel => OtherCall::Cancel.serialize(serializer),
            Self::Unknown => OtherCall::Unknown.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let kind = value.get("kind").and_then(serde_json::Value::as_str);
        let ask = |value| Request::deserialize(value).map(Self::Ask).map_err(serde::de::Error::custom);
        match kind {
            Some(
                "stop" | "kill" | "resize" | "exec" | "signal" | "network" | "signalContainers" | "restart" | "root"
                | "attach" | "apply" | "debug",
            ) => ask(value),
            Some("watch") => Ok(Self::Watch),
            Some("cancel") => Ok(Self::Cancel),
            Some(_) => Ok(Self::Unknown),
            None => Err(serde::de::Error::missing_field("kind")),
        }
    }
}
