//! What of a pod's use of the disk is limited, what is to be measured for it, and which limit is exceeded: the kubelet's
//! local storage eviction (eviction_manager.go, localStorageEviction).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use barepod_engine::event::StorageExceeded;
use barepod_engine::spec::ContainerIndex;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

use super::amounts::{self, natural};
use super::effective;
use crate::manifest::quantity::Quantity;
use crate::plan::facts::Bytes;
use crate::plan::identity::containers;

/// A limit, in bytes and as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Limit {
    bytes: u64,
    text: String,
}

/// Limits of disk use, and all that counts towards the pod's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageLimits {
    /// emptyDirs on disk; `None`: only counted.
    volumes: BTreeMap<String, Option<Limit>>,
    /// Per container, in the engine's order.
    containers: Vec<(String, Option<Limit>)>,
    pod: Option<Limit>,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measured {
    /// An emptyDir.
    Volume(String),
    /// Writable layer and logs of a container.
    Container(ContainerIndex),
    /// What all containers have: /etc/hosts and its like, which they may write to (the kubelet: etc-hosts).
    Pod,
}

/// Where a pod's files are.
#[derive(Clone, Copy, Debug)]
pub struct StorageFolders<'a> {
    /// Of upper layers and emptyDirs.
    pub data: &'a Path,
    /// Of logs.
    pub logs: &'a Path,
}

/// What a container requests, and what it may use at most, in bytes.
pub(crate) fn of(container: &v1::Container) -> (Option<u64>, Option<u64>) {
    let Some(resources) = &container.resources else { return (None, None) };
    let bytes = |list| amounts::amount(list, NAME).map(|amount| natural(amount.units()));
    (bytes(&resources.requests), bytes(&resources.limits))
}

impl StorageLimits {
    /// What the manifest says.
    #[must_use]
    pub fn of(spec: &v1::PodSpec) -> Self {
        let volumes = spec.volumes.iter().flatten().filter_map(|volume| {
            let source = volume.empty_dir.as_ref()?;
            // Those in memory are filesystems of their size.
            let disk = source.medium.as_deref().is_none_or(str::is_empty);
            disk.then(|| (volume.name.clone(), limit(source.size_limit.as_ref())))
        });
        let all = containers(spec).map(|one| {
            let limits = one.manifest.resources.as_ref().and_then(|resources| resources.limits.as_ref());
            (one.name().to_owned(), limit(limits.and_then(|limits| limits.get(NAME))))
        });
        let overhead = spec.overhead.as_ref().and_then(|overhead| limit(overhead.get(NAME)));
        let overhead = overhead.map_or(0, |overhead| overhead.bytes);
        let pod = effective::peak_of_limits(spec, NAME).map(|bytes| bytes.saturating_add(overhead));
        let pod = pod.map(|bytes| Limit { bytes, text: Bytes(bytes).to_string() });
        Self { volumes: volumes.collect(), containers: all.collect(), pod }
    }

    /// One more container, behind all others, which counts for the pod and has no limit of its own.
    pub fn add_container(&mut self, name: &str) {
        self.containers.push((name.to_owned(), None));
    }

    /// Whether there is nothing to watch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pod.is_none()
            && self.volumes.values().all(Option::is_none)
            && self.containers.iter().all(|(_, limit)| limit.is_none())
    }

    /// What has to be measured, and where it is.
    #[must_use]
    pub fn places(&self, folders: StorageFolders<'_>) -> Vec<(Measured, Vec<PathBuf>)> {
        let counts = |limit: &Option<Limit>| limit.is_some() || self.pod.is_some();
        let volumes = self.volumes.iter().filter(|(_, limit)| counts(limit));
        let volumes =
            volumes.map(|(name, _)| (Measured::Volume(name.clone()), vec![folders.data.join("volumes").join(name)]));
        let all = self.containers.iter().zip(0..).filter(|((_, limit), _)| counts(limit));
        let all = all.map(|((name, _), index)| {
            let layers = folders.data.join("containers").join(name);
            (Measured::Container(ContainerIndex(index)), vec![layers, folders.logs.join(name)])
        });
        let own = self.pod.iter().map(|_| (Measured::Pod, vec![folders.data.join("sandbox")]));
        volumes.chain(all).chain(own).collect()
    }

    /// The first limit that is exceeded, in the kubelet's order: an emptyDir's, the pod's, a container's.
    #[must_use]
    pub fn exceeded(&self, used: &BTreeMap<Measured, u64>) -> Option<StorageExceeded> {
        let beyond = |limit: &Limit, used: u64| (used > limit.bytes).then(|| limit.text.clone());
        let of = |what: Measured| used.get(&what).copied().unwrap_or(0);
        for (name, limit) in &self.volumes {
            let limit = limit.as_ref().and_then(|limit| beyond(limit, of(Measured::Volume(name.clone()))));
            if let Some(limit) = limit {
                return Some(StorageExceeded::EmptyDir { volume: name.clone(), limit });
            }
        }
        let together = used.values().fold(0_u64, |sum, one| sum.saturating_add(*one));
        if let Some(limit) = self.pod.as_ref().and_then(|limit| beyond(limit, together)) {
            return Some(StorageExceeded::Pod { limit });
        }
        self.containers.iter().zip(0..).find_map(|((_, limit), index)| {
            let container = ContainerIndex(index);
            let limit = beyond(limit.as_ref()?, of(Measured::Container(container)))?;
            Some(StorageExceeded::Container { container, limit })
        })
    }
}

const NAME: &str = "ephemeral-storage";

/// Zero is no limit, as in the kubelet.
fn limit(text: Option<&Text>) -> Option<Limit> {
    let bytes = natural(Quantity::parse(&text?.0).ok()?.units());
    (bytes > 0).then(|| Limit { bytes, text: text.map(|text| text.0.clone()).unwrap_or_default() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn limits(fields: serde_json::Value) -> StorageLimits {
        StorageLimits::of(&serde_json::from_value(fields).unwrap())
    }

    fn container(name: &str, limit: Option<&str>) -> serde_json::Value {
        match limit {
            Some(limit) => json!({"name": name, "resources": {"limits": {"ephemeral-storage": limit}}}),
            None => json!({"name": name}),
        }
    }

    const FOLDERS: fn() -> StorageFolders<'static> =
        || StorageFolders { data: Path::new("/data"), logs: Path::new("/logs") };

    #[test]
    fn pods_without_limits_are_not_watched() {
        for fields in [
            json!({"containers": [container("a", None)], "volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"containers": [container("a", Some("0"))], "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "0"}}]}),
            json!({"containers": [], "volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]}),
        ] {
            let limits = limits(fields.clone());
            assert!(limits.is_empty() && limits.places(FOLDERS()).is_empty(), "{fields}");
        }
    }

    /// Only what counts towards some limit is looked at.
    #[test]
    fn what_is_measured() {
        let volumes = json!([{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}, {"name": "w", "emptyDir": {}}]);
        let one = limits(json!({"containers": [container("a", None)], "volumes": volumes}));
        assert_eq!(one.places(FOLDERS()), [(Measured::Volume("v".into()), vec![PathBuf::from("/data/volumes/v")])]);
        let all =
            limits(json!({"containers": [container("a", Some("1Mi")), container("b", None)], "volumes": volumes}));
        let names: Vec<Measured> = all.places(FOLDERS()).into_iter().map(|(what, _)| what).collect();
        let containers = [0, 1].map(|index| Measured::Container(ContainerIndex(index)));
        assert_eq!(names[2..4], containers);
        assert_eq!(all.places(FOLDERS())[4], (Measured::Pod, vec![PathBuf::from("/data/sandbox")]));
        let folders = ["/data/containers/b", "/logs/b"].map(PathBuf::from);
        assert_eq!(all.places(FOLDERS())[3].1, folders);
    }

    /// The kubelet's order; a limit that is just reached is not exceeded. The pod's limit is the sum of those that there
    /// are, though what has none counts towards it.
    #[test]
    fn which_limit_is_exceeded() {
        let limits = limits(json!({
            "initContainers": [{"name": "s", "restartPolicy": "Always",
                                "resources": {"limits": {"ephemeral-storage": "1Ki"}}}],
            "containers": [container("a", Some("2Ki")), container("b", None)],
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Ki"}}, {"name": "w", "emptyDir": {}}]
        }));
        let volume = |name: &str| Measured::Volume(name.into());
        let container = |index| Measured::Container(ContainerIndex(index));
        let exceeded = |used: &[(Measured, u64)]| limits.exceeded(&used.iter().cloned().collect());
        assert_eq!(exceeded(&[]), None);
        assert_eq!(exceeded(&[(volume("v"), 1024), (container(0), 1024), (container(1), 1024)]), None);
        let of_volume = StorageExceeded::EmptyDir { volume: "v".into(), limit: "1Ki".into() };
        assert_eq!(exceeded(&[(volume("v"), 1025), (container(1), 9999)]), Some(of_volume));
        let of_pod = StorageExceeded::Pod { limit: "3Ki".into() };
        assert_eq!(exceeded(&[(volume("w"), 2000), (container(2), 1073)]), Some(of_pod));
        let hosts = StorageExceeded::Pod { limit: "3Ki".into() };
        assert_eq!(exceeded(&[(Measured::Pod, 2073), (container(2), 1000)]), Some(hosts));
        // Kubernetes #138462: a sidecar's own limit counts.
        let of_sidecar = StorageExceeded::Container { container: ContainerIndex(0), limit: "1Ki".into() };
        assert_eq!(exceeded(&[(container(0), 1025)]), Some(of_sidecar));
    }
}
