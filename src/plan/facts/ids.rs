//! Ids of users and groups: those of a namespace, and what they are on the host.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Ids of the host that a pod's user namespace has as its own 0 and up (user_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The host's id of the namespace's 0.
    pub first: u32,
    /// How many there are.
    pub length: u32,
}

impl IdRange {
    /// As many as the kubelet gives a pod.
    pub const LENGTH: u32 = 65536;

    /// Whether an id is one of them.
    #[must_use]
    pub fn has(self, id: u32) -> bool {
        id.checked_sub(self.first).is_some_and(|offset| offset < self.length)
    }

    /// What an id of the namespace is on the host; `None`: the namespace doesn't have it.
    #[must_use]
    pub fn host(self, id: u32) -> Option<u32> {
        (id < self.length).then(|| self.first.checked_add(id)).flatten()
    }
}

/// The ids of a user namespace that is not the box's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceIds {
    /// Users: first id and how many, as the namespace sees them.
    pub users: Vec<IdRange>,
    /// Groups, likewise.
    pub groups: Vec<IdRange>,
    /// Whether everybody keeps the supplementary groups of the user outside (user_namespaces(7), /proc/PID/setgroups).
    pub keeps_groups: bool,
}

impl NamespaceIds {
    /// Whether it has a user.
    #[must_use]
    pub fn has_user(&self, id: u32) -> bool {
        self.users.iter().any(|range| range.has(id))
    }

    /// Whether it has a group.
    #[must_use]
    pub fn has_group(&self, id: u32) -> bool {
        self.groups.iter().any(|range| range.has(id))
    }
}

/// A user namespace that was made for a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFacts {
    /// Its path.
    pub namespace: PathBuf,
    /// Its ids.
    pub ids: IdRange,
}
