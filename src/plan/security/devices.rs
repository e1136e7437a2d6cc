//! The box's devices, which a privileged container gets all of, as under containerd.

use barepod_engine::spec::ContainerIndex;
use k8s_openapi::api::core::v1;
use oci_spec::runtime::{LinuxDevice, Mount};

use crate::plan::container::Ask;
use crate::plan::lifecycle;

/// What the container's own /dev has of another kind: no node of the box's takes its place.
const OWN: [&str; 2] = ["/dev/ptmx", "/dev/console"];

/// Whether a container gets the box's device nodes.
pub fn wants_devices(pod: &v1::Pod, container: ContainerIndex) -> bool {
    let found = pod.spec.as_ref().and_then(|spec| lifecycle::containers(spec).nth(container.0.into()));
    found.and_then(|(_, _, one)| one.security_context.as_ref()?.privileged) == Some(true)
}

/// Device nodes to make in the container: the bundle's, then the box's, but for those that a mount is over.
pub(crate) fn devices(ask: &Ask, mounts: &[Mount]) -> Option<Vec<LinuxDevice>> {
    let bundles = ask.image.base.linux().as_ref().and_then(|linux| linux.devices().clone());
    if ask.sandbox.devices.is_empty() {
        return bundles;
    }
    let mut all = bundles.unwrap_or_default();
    for device in &ask.sandbox.devices {
        let path = device.path();
        let covered = mounts.iter().any(|mount| {
            let at = mount.destination();
            at != std::path::Path::new("/dev") && at.starts_with("/dev") && path.starts_with(at)
        });
        let taken = OWN.iter().any(|own| path.as_path() == std::path::Path::new(own))
            || all.iter().any(|other| other.path() == path);
        if !covered && !taken {
            all.push(device.clone());
        }
    }
    Some(all)
}
