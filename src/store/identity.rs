//! Who a pod is, and every name that is made from that: folders, cgroup. Two pods never share one of them, whatever
//! `metadata.uid` their manifests bring (an exported manifest that was renamed brings the same one).

use std::path::{Path, PathBuf};

use super::Error;
use super::layout::Layout;

/// How long a file's name may be (NAME_MAX).
const NAME_MAX: usize = 255;
/// How long a path may be (PATH_MAX), its last byte included.
const PATH_MAX: usize = 4096;
/// What is below a pod's folders at most: `containers/<name>/<attempt>/...`, a ConfigMap's key in a volume.
const BELOW: usize = 700;

/// A pod: its state folder's root, its namespace, its name and its uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    layout: Layout,
    namespace: String,
    name: String,
    uid: String,
}

impl Identity {
    /// The pod of this name below this root.
    pub fn new(layout: &Layout, namespace: &str, name: &str, uid: &str) -> Self {
        Self { layout: layout.clone(), namespace: namespace.into(), name: name.into(), uid: uid.into() }
    }

    /// Whether everything can be named as it is to be. To be asked before anything is made.
    ///
    /// # Errors
    /// [`Error::LongName`], [`Error::LongRoot`].
    pub fn check(&self) -> Result<(), Error> {
        let folder = self.folder();
        let longest = [folder.len(), self.cgroup_name().len()].into_iter().max().unwrap_or_default();
        if longest > NAME_MAX {
            let (namespace, name) = (self.namespace.clone(), self.name.clone());
            return Err(Error::LongName { namespace, name, over: longest - NAME_MAX });
        }
        for path in [self.state_dir(), self.data_dir(), self.log_dir()] {
            let length = path.as_os_str().len() + BELOW;
            if length > PATH_MAX {
                return Err(Error::LongRoot { path, over: length - PATH_MAX });
            }
        }
        Ok(())
    }

    /// `metadata.namespace`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Below which root.
    pub fn root(&self) -> &Path {
        &self.layout.root
    }

    /// State: also lock and socket are in there.
    pub fn state_dir(&self) -> PathBuf {
        self.layout.pod_dir(&self.namespace, &self.name)
    }

    /// Upper layers and emptyDirs.
    pub fn data_dir(&self) -> PathBuf {
        self.layout.data_dir(&self.namespace, &self.name, &self.uid)
    }

    /// Logs, in the kubelet's layout.
    pub fn log_dir(&self) -> PathBuf {
        self.layout.log_dir(&self.namespace, &self.name, &self.uid)
    }

    fn folder(&self) -> String {
        format!("{}_{}_{}", self.namespace, self.name, self.uid)
    }

    /// The name of the pod's cgroup: `pod<uid>_` and 16 digits that stand for root, namespace and name. All pods of a box
    /// share one folder of cgroups, also those of other roots.
    pub fn cgroup_name(&self) -> String {
        let parts = [self.layout.root.as_os_str().as_encoded_bytes(), self.namespace.as_bytes(), self.name.as_bytes()];
        format!("pod{}_{:016x}", self.uid, digest(&parts))
    }

    /// Whether a cgroup of this path is the pod's.
    pub fn owns_cgroup(&self, cgroup: &Path) -> bool {
        cgroup.file_name().is_some_and(|name| name.as_encoded_bytes() == self.cgroup_name().as_bytes())
    }
}

/// FNV-1a. Each part is followed by a byte that is in none of them, so that none can pass for a piece of another.
fn digest(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter().copied().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(root: &str, namespace: &str, name: &str, uid: &str) -> Identity {
        Identity::new(&Layout::at(Path::new(root)), namespace, name, uid)
    }

    /// Pods that differ in one part of their identity share no name; the same pod has the same names every time.
    #[test]
    fn two_pods_share_no_name() {
        let pods = [
            of("/a", "default", "web", "u"),
            of("/b", "default", "web", "u"),
            of("/a", "other", "web", "u"),
            of("/a", "default", "db", "u"),
            of("/a", "default", "web", "v"),
            // The same letters, cut elsewhere.
            of("/a", "defaul", "tweb", "u"),
        ];
        for (index, one) in pods.iter().enumerate() {
            assert!(one.owns_cgroup(Path::new("/x/barepod").join(one.cgroup_name()).as_path()));
            assert!(one.cgroup_name().starts_with(&format!("pod{}_", one.uid())), "{}", one.cgroup_name());
            for other in &pods[index + 1..] {
                let names = |pod: &Identity| [PathBuf::from(pod.cgroup_name()), pod.data_dir(), pod.log_dir()];
                for (mine, theirs) in names(one).iter().zip(names(other)) {
                    assert_ne!(*mine, theirs, "{one:?} {other:?}");
                }
                assert!(!one.owns_cgroup(Path::new(&other.cgroup_name())));
            }
        }
        assert_eq!(pods[0].cgroup_name(), of("/a", "default", "web", "u").cgroup_name());
    }

    #[test]
    fn what_is_too_long_for_a_name_is_said_before_it_is_made() {
        let uid = "11111111-2222-4333-8444-555555555555";
        let fits = of("/r", "default", &"n".repeat(NAME_MAX - 7 - 1 - 1 - uid.len()), uid);
        assert_eq!(fits.folder().len(), NAME_MAX);
        fits.check().unwrap();
        let error = of("/r", "default", &"n".repeat(NAME_MAX - 7 - 1 - uid.len()), uid).check().unwrap_err();
        assert!(matches!(error, Error::LongName { over: 1, .. }), "{error}");
        assert!(error.to_string().contains("1 byte too long"), "{error}");
        // A long uid makes a cgroup's name too long before it makes a folder's.
        assert!(matches!(of("/r", "d", "n", &"u".repeat(240)).check(), Err(Error::LongName { .. })));
        let deep = format!("/{}", "r".repeat(250)).repeat(14);
        let error = of(&deep, "default", "web", uid).check().unwrap_err();
        assert!(matches!(error, Error::LongRoot { .. }), "{error}");
    }
}
