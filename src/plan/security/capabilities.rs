//! What a container's processes may do: capabilities, and whether they can come to have more. The defaults are containerd's.

use std::str::FromStr;

use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities, LinuxCapabilitiesBuilder};

use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::inputs::Inputs;

/// containerd's default set: mask 00000000a80425fb.
const CAPABILITIES: [Capability; 14] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fsetid,
    Capability::Fowner,
    Capability::Mknod,
    Capability::NetRaw,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setfcap,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::SysChroot,
    Capability::Kill,
    Capability::AuditWrite,
];

/// The capability sets: the bundle's own where the manifest adds and drops nothing; else its bounding set, or the
/// default, with what is added and dropped. Inheritable and ambient are empty, and said to be: left out they would be
/// the caller's.
pub(crate) fn capabilities(inputs: &Inputs) -> Result<LinuxCapabilities, ConfigError> {
    let bundle = inputs.image.base.process().as_ref().and_then(|process| process.capabilities().clone());
    let asked = inputs.context().capabilities.unwrap_or_default();
    let (add, drop) = (asked.add.unwrap_or_default(), asked.drop.unwrap_or_default());
    let mine: Capabilities = inputs
        .node
        .capabilities
        .iter()
        .filter_map(|name| Capability::from_str(name.strip_prefix("CAP_")?).ok())
        .collect();
    if inputs.privileged() {
        return Ok(sets(mine));
    }
    if add.is_empty()
        && drop.is_empty()
        && let Some(bundle) = bundle
    {
        let kept = |set: &Option<Capabilities>| set.clone().unwrap_or_default();
        return Ok(LinuxCapabilitiesBuilder::default()
            .bounding(kept(bundle.bounding()))
            .effective(kept(bundle.effective()))
            .permitted(kept(bundle.permitted()))
            .inheritable(kept(bundle.inheritable()))
            .ambient(kept(bundle.ambient()))
            .build()
            .expect("capability sets have no field that must be given"));
    }
    let mut set: Capabilities = match bundle {
        Some(bundle) => bundle.bounding().clone().unwrap_or_default(),
        // What this process doesn't have it can't give; nobody asked for these by name.
        None => CAPABILITIES.into_iter().filter(|one| mine.contains(one)).collect(),
    };
    // `ALL` first, then names, additions before drops, as containerd has it.
    let all = |list: &[String]| list.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    if all(&add) {
        set.clone_from(&mine);
    }
    if all(&drop) {
        set.clear();
    }
    let named = |list: &[String], field: &str| -> Result<Vec<Capability>, ConfigError> {
        let names = list.iter().filter(|name| !name.eq_ignore_ascii_case("ALL"));
        names
            .map(|name| {
                capability(name).ok_or_else(|| {
                    let cause = ConfigCause::Capability { name: name.clone() };
                    inputs.config_error(format!("securityContext.capabilities.{field}"), cause)
                })
            })
            .collect()
    };
    for one in named(&add, "add")? {
        if !mine.contains(&one) {
            let cause = ConfigCause::CapabilityNotHeld { name: format!("CAP_{one}") };
            return Err(inputs.config_error("securityContext.capabilities.add", cause));
        }
        set.insert(one);
    }
    for one in named(&drop, "drop")? {
        set.remove(&one);
    }
    Ok(sets(set))
}

/// `NET_ADMIN` or `CAP_NET_ADMIN`.
fn capability(name: &str) -> Option<Capability> {
    let upper = name.to_ascii_uppercase();
    Capability::from_str(upper.strip_prefix("CAP_").unwrap_or(&upper)).ok()
}

fn sets(set: Capabilities) -> LinuxCapabilities {
    LinuxCapabilitiesBuilder::default()
        .bounding(set.clone())
        .effective(set.clone())
        .permitted(set)
        .inheritable(Capabilities::new())
        .ambient(Capabilities::new())
        .build()
        .expect("capability sets have no field that must be given")
}

/// Whether no_new_privs is to be set. Never `Some(false)`: with seccomp and no CAP_SYS_ADMIN libcontainer would fail.
pub(crate) fn no_new_privileges(inputs: &Inputs) -> Option<bool> {
    let bundle = inputs.image.base.process().as_ref().and_then(|process| process.no_new_privileges());
    let wanted = match inputs.context().allow_privilege_escalation {
        _ if inputs.privileged() => false,
        Some(allowed) => !allowed,
        None => bundle == Some(true),
    };
    wanted.then_some(true)
}
