//! What can keep a pod or a container from being planned. Words for people only: no caller branches on them but for
//! [`ConfigError::failure`].

use barepod_engine::event::CreateFailure;

use crate::plan::facts::EnvFile;

/// Why a pod can't be planned. Found before anything is made: exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A field that must be there isn't.
    #[error("{field}: required value; {advice}")]
    Required {
        /// Path of the field.
        field: String,
        /// What to write.
        advice: &'static str,
    },
    /// A value that makes no sense.
    #[error("{field}: invalid value: {value:?}: {cause}")]
    Invalid {
        /// Path of the field.
        field: String,
        /// What it says.
        value: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A value that makes sense in a cluster, but that this version can't do.
    #[error("{field}: {value:?} is not supported yet; {advice}")]
    Unsupported {
        /// Path of the field.
        field: String,
        /// What it says.
        value: String,
        /// What to do instead.
        advice: &'static str,
    },
}

/// Why a container can't be planned: `container "web": process.args: no command specified; ...`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("container {container:?}: {field}: {cause}")]
pub struct ConfigError {
    /// Which waiting reason it gives (R8.4).
    pub failure: CreateFailure,
    /// Name of the container.
    pub container: String,
    /// The field of the manifest, or of the bundle's config.json.
    pub field: String,
    /// What is wrong.
    pub cause: ConfigCause,
}

/// What is wrong with a container's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigCause {
    /// Neither the manifest nor the bundle says what to run.
    #[error("no command specified; give the container a command, or the bundle's config.json process.args")]
    NoCommand,
    /// The user that the image's config names.
    #[error("the image's user {why}; set runAsUser")]
    NoUser {
        /// As the image names it, and what is wrong.
        why: String,
    },
    /// The kubelet's words.
    #[error(
        "container has runAsNonRoot and image will run as root (pod: {pod:?}, container: {container}); set runAsUser"
    )]
    RootImage {
        /// `name_namespace(uid)`.
        pod: String,
        /// Name of the container.
        container: String,
    },
    /// The kubelet's words.
    #[error(
        "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root ({of}); set \
         runAsUser"
    )]
    NamedUser {
        /// As the image names it.
        user: String,
        /// Names of the pod and the container.
        of: String,
    },
    /// The kubelet's words.
    #[error(
        "container's runAsUser breaks non-root policy (pod: {pod:?}, container: {container}); use another user than 0"
    )]
    RootUser {
        /// `name_namespace(uid)`.
        pod: String,
        /// Name of the container.
        container: String,
    },
    /// A number that is no user or group id.
    #[error("{value} is no user or group id; it must be between 0 and 2147483647")]
    Id {
        /// What it says.
        value: i64,
    },
    /// An id that the user namespace in which barepod runs doesn't have.
    #[error("user or group {id}: {}", MORE_IDS)]
    NotMapped {
        /// The user's or group's.
        id: u32,
    },
    /// An id that the pod's user namespace doesn't have.
    #[error("{id} is not in the pod's user namespace, which has the ids 0 to 65535 (hostUsers: false)")]
    Unmapped {
        /// The user's or group's.
        id: u32,
    },
    /// `fieldRef` to a field that can't be had.
    #[error("unsupported fieldPath: {path:?}; see the documentation of the downward API")]
    FieldPath {
        /// What it says.
        path: String,
    },
    /// `resourceFieldRef` to a resource that can't be had.
    #[error(
        "unsupported resource: {resource:?}; limits and requests of cpu, memory, ephemeral-storage and hugepages-SIZE are"
    )]
    Resource {
        /// What it says.
        resource: String,
    },
    /// `resourceFieldRef` to a container that isn't there.
    #[error("container {name:?} not found; name a container of this pod")]
    NoSuchContainer {
        /// What it says.
        name: String,
    },
    /// A text that is no quantity, or a divisor that is none.
    #[error("{value:?} is not a usable quantity: {cause}")]
    Quantity {
        /// What it says.
        value: String,
        /// Why not.
        cause: &'static str,
    },
    /// A file with variables that can't be read or understood.
    #[error("file {:?} of volume {:?}: {why}", file.path, file.volume)]
    EnvFile {
        /// Which.
        file: Box<EnvFile>,
        /// What is wrong; nothing of what is in it.
        why: String,
    },
    /// A key that isn't in it.
    #[error("environment variable key {key:?} not found in file {:?} of volume {:?}", file.path, file.volume)]
    NoSuchEnvKey {
        /// What it says.
        key: String,
        /// Which.
        file: Box<EnvFile>,
    },
    /// A ConfigMap or Secret that was not given.
    #[error("{kind} {name:?} not found; give it by --config FILE")]
    NoSuchObject {
        /// `ConfigMap`.
        kind: &'static str,
        /// What it says.
        name: String,
    },
    /// A key that isn't in it.
    #[error("couldn't find key {key} in {kind} {object}")]
    NoSuchKey {
        /// `ConfigMap`.
        kind: &'static str,
        /// Which.
        object: String,
        /// What it says.
        key: String,
    },
    /// Bytes that can't be a variable. They are not shown.
    #[error("key {key} holds no UTF-8 text; mount it as a file instead")]
    NoText {
        /// Which.
        key: String,
    },
    /// Not one of the capabilities that this process may hand on, or unknown.
    #[error("unknown capability {name:?}; see capabilities(7)")]
    Capability {
        /// What it says.
        name: String,
    },
    /// A capability that is known, but not this process's to give.
    #[error("barepod may not hand on {name}; run it with that capability, or leave it out")]
    CapabilityNotHeld {
        /// `CAP_NET_ADMIN`
        name: String,
    },
    /// A variable or argument that no process can be given.
    #[error(
        "it is too long: with its references replaced it has more than the 128 KiB that execve takes of one argument or \
         NAME=value"
    )]
    TooLong,
    /// Variables and arguments that no process can be given together.
    #[error("variables and arguments are too long: together they have more than the 6 MiB that execve ever takes")]
    AllTooLong,
    /// A path that no call takes.
    #[error("it is too long: with its references replaced it has more than the 4,095 bytes of a path")]
    PathTooLong,
    /// `subPathExpr` with a variable that isn't set: the kubelet's words.
    #[error("missing value for {expression:?}; each $(NAME) in it must be a variable of the container's env")]
    SubPathVariable {
        /// What it says.
        expression: String,
    },
    /// A `subPath` that isn't relative.
    #[error("{path:?} must not be an absolute path; write it relative to the volume")]
    SubPathAbsolute {
        /// What it comes to.
        path: String,
    },
    /// A `subPath` that climbs.
    #[error("{path:?} must not contain '..'; write it relative to the volume")]
    SubPathClimbs {
        /// What it comes to.
        path: String,
    },
    /// A mount of a volume that isn't there.
    #[error("volume {name:?} not found; it must be one of spec.volumes")]
    NoSuchVolume {
        /// What it says.
        name: String,
    },
    /// A path that must be absolute.
    #[error("{path:?} is not an absolute path; begin it with '/'")]
    Relative {
        /// What it says.
        path: String,
    },
    /// Something a container can't have yet: silently doing without it would be worse.
    #[error("{value} is not supported: {advice}")]
    Unsupported {
        /// What it says.
        value: String,
        /// Why, and what to do.
        advice: &'static str,
    },
    /// A value that no kernel takes, or not from this process.
    #[error("{value}: {why}")]
    Impossible {
        /// What it says.
        value: String,
        /// What would be taken.
        why: String,
    },
    /// An option of a mount that makes no file system.
    #[error(
        "{option:?} is no option of {what}, which has only those of every mount, such as ro, nosuid, nodev, noexec, noatime \
         (docs/oci.md); take it out"
    )]
    MountOption {
        /// What it says.
        option: String,
        /// `a bind mount`
        what: &'static str,
    },
    /// A file with a seccomp profile that can't be had or understood.
    #[error("cannot load seccomp profile {name:?}: {cause}")]
    Profile {
        /// What it says.
        name: String,
        /// Why not.
        cause: String,
    },
    /// An environment variable or argument that no process can be given.
    #[error("{value:?} has a NUL character in it; no process can be given that")]
    Nul {
        /// What it says.
        value: String,
    },
}

/// What to do about ids that there aren't.
pub(crate) const MORE_IDS: &str = "barepod runs in a user namespace that doesn't have it; give this user ids of its own in \
                                   /etc/subuid and /etc/subgid (usermod --add-subuids and --add-subgids)";
