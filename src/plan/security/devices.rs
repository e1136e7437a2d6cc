//! The box's devices, which a privileged container gets all of, as under containerd.

use oci_spec::runtime::{LinuxDevice, Mount};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType};

use crate::plan::inputs::Inputs;

/// What the container's own /dev has of another kind: no node of the box's takes its place.
const OWN: [&str; 2] = ["/dev/ptmx", "/dev/console"];

/// Device nodes to make in the container: the bundle's, then the box's, but for those that a mount is over.
pub(crate) fn devices(inputs: &Inputs, mounts: &[Mount]) -> Option<Vec<LinuxDevice>> {
    let bundles = inputs.image.base.linux().as_ref().and_then(|linux| linux.devices().clone());
    if inputs.sandbox.devices.is_empty() {
        return bundles;
    }
    let mut all = bundles.unwrap_or_default();
    for device in &inputs.sandbox.devices {
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

/// Rules of the device cgroup: nothing, then what containerd allows everywhere; then what the bundle asks for.
/// The runtime adds the devices that every container has.
pub(crate) fn device_rules(inputs: &Inputs) -> Vec<LinuxDeviceCgroup> {
    let rule = |allow: bool, typ: Option<LinuxDeviceType>, numbers: (Option<i64>, Option<i64>), access: &str| {
        let mut rule = LinuxDeviceCgroupBuilder::default().allow(allow).access(access);
        if let Some(typ) = typ {
            rule = rule.typ(typ);
        }
        if let Some(major) = numbers.0 {
            rule = rule.major(major);
        }
        if let Some(minor) = numbers.1 {
            rule = rule.minor(minor);
        }
        rule.build().expect("a device rule has no field that must be given")
    };
    if inputs.privileged() {
        return vec![rule(true, None, (None, None), "rwm")];
    }
    let mut rules = vec![rule(false, None, (None, None), "rwm")];
    let linux = inputs.image.base.linux().as_ref();
    // The bundle's own list starts with a deny, too; an allow-all in it is the bundle author's wish.
    rules.extend(
        linux
            .and_then(|linux| linux.resources().as_ref())
            .iter()
            .flat_map(|all| all.devices().iter().flatten())
            .cloned(),
    );
    rules.extend(linux.iter().flat_map(|linux| linux.devices().iter().flatten()).map(LinuxDeviceCgroup::from));
    rules
}
