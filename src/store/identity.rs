//! Who a pod is, and every name that is made from that: folders, cgroup. Two pods never share one of them, whatever
//! `metadata.uid` their manifests bring (an exported manifest that was renamed brings the same one).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::{Error, io_error};
use super::layout::Layout;

/// How long a file's name may be (NAME_MAX).
const NAME_MAX: usize = 255;
/// How long a path may be (PATH_MAX), its last byte included.
const PATH_MAX: usize = 4096;
/// What is below a pod's folders at most: `containers/<name>/<attempt>/...`, a ConfigMap's key in a volume.
const BELOW: usize = 700;

/// The state folder of the pod of this name, whatever its uid: also lock and socket are in there. `_` is in no namespace
/// and no name, so two pods never share it.
pub fn state_dir(layout: &Layout, namespace: &str, name: &str) -> PathBuf {
    layout.pods_dir().join(state_folder(namespace, name))
}

/// What the state folder of a pod or a Job of this name is called.
pub(super) fn state_folder(namespace: &str, name: &str) -> String {
    format!("{namespace}_{name}")
}

/// Namespaces and names of which a folder has state folders, in that order, with these.
///
/// # Errors
/// Where it can't be read; one that isn't there has none.
pub(super) fn list(dir: &Path) -> Result<Vec<(String, String, PathBuf)>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error(dir, "read")(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error(dir, "read"))?;
        let folder = entry.file_name();
        if let Some((namespace, name)) = folder.to_str().and_then(of_state_dir) {
            found.push((namespace.to_owned(), name.to_owned(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Namespace and name of the pod or the Job that a state folder of this name is of; `None`: it is nobody's.
pub(super) fn of_state_dir(folder: &str) -> Option<(&str, &str)> {
    folder.split_once('_').filter(|_| !folder.starts_with('.'))
}

/// Namespace, name and uid of the pod that a data or log folder of this name is of; only a uid can have `_` in it.
pub(super) fn of_folder(folder: &str) -> Option<(&str, &str, &str)> {
    let (namespace, rest) = of_state_dir(folder)?;
    let (name, uid) = rest.split_once('_')?;
    (![namespace, name, uid].contains(&"")).then_some((namespace, name, uid))
}

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
        state_dir(&self.layout, &self.namespace, &self.name)
    }

    /// Upper layers and emptyDirs.
    pub fn data_dir(&self) -> PathBuf {
        self.layout.data.join(self.folder())
    }

    /// Logs, in the kubelet's layout.
    pub fn log_dir(&self) -> PathBuf {
        self.layout.logs.join(self.folder())
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

    /// What a folder is named after is read back from its name.
    #[test]
    fn folders_say_whose_they_are() {
        for pod in [of("/a", "default", "web", "u"), of("/a", "ops", "db.1", "u_1")] {
            let name = |folder: PathBuf| folder.file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(of_state_dir(&name(pod.state_dir())), Some((pod.namespace(), pod.name())));
            for folder in [pod.data_dir(), pod.log_dir()] {
                assert_eq!(of_folder(&name(folder)), Some((pod.namespace(), pod.name(), pod.uid())));
            }
        }
        for other in ["", "seccomp", "a_b", "a__u", "_b_u", "a_b_", ".a_b_c"] {
            assert_eq!(of_folder(other), None, "{other:?}");
        }
        assert_eq!((of_state_dir(".default.web.1-0"), of_state_dir("lost+found")), (None, None));
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
