//! Which system calls a container may make: the profile that its manifest names, else its bundle's, else the default.
//!
//! The default profile is containerd's, as data (`seccomp/default.json`, made by scripts/seccomp-default.py) in the form
//! that Docker's profiles have, so that it and profiles of the user's take the same road. Compiling and putting on is
//! `runtime::seccomp`'s; reading files as well.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompBuilder, LinuxSeccompFilterFlag,
    LinuxSyscallBuilder,
};
use serde::Deserialize;

use super::{capabilities, context};
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::facts::KernelVersion;
use crate::plan::identity::PodContainer;
use crate::plan::inputs::Inputs;

/// See scripts/seccomp-default.py.
const DEFAULT: &str = include_str!("seccomp/default.json");

/// What a container has that says nothing, and whose bundle says nothing (`--seccomp-default`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeccompDefault {
    /// As clusters have it whose kubelets run with SeccompDefault.
    #[default]
    RuntimeDefault,
    /// As the kubelet has it by itself.
    Unconfined,
}

/// The file that the container's profile is in, relative to the root of profiles, if it is in one.
pub fn localhost_profile<'a>(container: &PodContainer<'a>) -> Option<&'a str> {
    let profile = asked(container).filter(|profile| profile.type_ == "Localhost" && !container.is_privileged())?;
    profile.localhost_profile.as_deref()
}

/// The container's, else the pod's.
pub(crate) fn asked<'a>(container: &PodContainer<'a>) -> Option<&'a v1::SeccompProfile> {
    let asked = context::asked(container, |own| own.seccomp_profile.as_ref(), |pods| pods.seccomp_profile.as_ref());
    asked.map(|(_, profile)| profile)
}

/// The profile, worked out for this container; `None`: unconfined. A privileged container always is, as under the
/// kubelet.
pub(crate) fn profile(inputs: &Inputs, default_of_pod: SeccompDefault) -> Result<Option<LinuxSeccomp>, ConfigError> {
    if inputs.privileged() {
        return Ok(None);
    }
    let default = || fitted(&parsed(DEFAULT).expect("a test parses it"), inputs);
    let Some(asked) = asked(&inputs.container) else {
        let bundle = inputs.image.base.linux().as_ref().and_then(|linux| linux.seccomp().clone());
        return Ok(match (bundle, default_of_pod) {
            (Some(bundle), _) => Some(bundle),
            (None, SeccompDefault::RuntimeDefault) => Some(default()),
            (None, SeccompDefault::Unconfined) => None,
        });
    };
    match asked.type_.as_str() {
        "RuntimeDefault" => Ok(Some(default())),
        "Localhost" => {
            let fail = |cause: String| {
                let name = asked.localhost_profile.clone().unwrap_or_default();
                inputs.manifest_error(
                    "securityContext.seccompProfile.localhostProfile",
                    ConfigCause::Profile { name, cause },
                )
            };
            let text = match &inputs.sandbox.seccomp_profile {
                Some(Ok(text)) => text,
                Some(Err(cause)) => return Err(fail(cause.clone())),
                None => return Err(fail("it was not read".to_owned())),
            };
            parsed(text).map(|profile| Some(fitted(&profile, inputs))).map_err(|cause| fail(cause.to_string()))
        }
        // Unconfined; the manifest's check knows no others.
        _ => Ok(None),
    }
}

fn fitted(profile: &Profile, inputs: &Inputs) -> LinuxSeccomp {
    // The bounding set counts, as in containerd: what a program could get by its file.
    let capabilities = capabilities::capabilities(inputs).ok().and_then(|sets| sets.bounding().clone());
    let names = capabilities.iter().flatten().map(|one| format!("CAP_{one}")).collect();
    profile.fit(&names, inputs.node.kernel)
}

/// The default profile for a container with these capabilities (`CAP_...`) on this kernel and architecture.
pub fn default_seccomp_profile(capabilities: &[&str], kernel: KernelVersion) -> LinuxSeccomp {
    let names = capabilities.iter().map(|name| (*name).to_owned()).collect();
    parsed(DEFAULT).expect("a test parses it").fit(&names, kernel)
}

fn parsed(text: &str) -> Result<Profile, serde_json::Error> {
    serde_json::from_str(text)
}

/// A profile file: the OCI's `linux.seccomp`, or Docker's form with conditions. What isn't known is an error: a
/// misspelt `syscalls` would make another filter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    #[serde(default, rename = "comment")]
    _comment: Option<String>,
    default_action: LinuxSeccompAction,
    default_errno_ret: Option<u32>,
    #[serde(default, deserialize_with = "nullable")]
    architectures: Vec<Arch>,
    #[serde(default, deserialize_with = "nullable")]
    arch_map: Vec<Architecture>,
    #[serde(default, deserialize_with = "nullable")]
    flags: Vec<LinuxSeccompFilterFlag>,
    #[serde(default, deserialize_with = "nullable")]
    syscalls: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Architecture {
    architecture: Arch,
    #[serde(default, deserialize_with = "nullable")]
    sub_architectures: Vec<Arch>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    #[serde(default, rename = "comment")]
    _comment: Option<String>,
    /// Docker's older form.
    name: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    names: Vec<String>,
    action: LinuxSeccompAction,
    errno_ret: Option<u32>,
    #[serde(default, deserialize_with = "nullable")]
    args: Vec<LinuxSeccompArg>,
    #[serde(default, deserialize_with = "nullable")]
    includes: Conditions,
    #[serde(default, deserialize_with = "nullable")]
    excludes: Conditions,
}

/// When a rule is part of a profile.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Conditions {
    #[serde(default, deserialize_with = "nullable")]
    caps: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    arches: Vec<String>,
    #[serde(default, deserialize_with = "version")]
    min_kernel: Option<KernelVersion>,
}

/// Go writes `null` for an empty list.
fn nullable<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn version<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<KernelVersion>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let parts = text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parts.map(Some).ok_or_else(|| serde::de::Error::custom(format!("minKernel {text:?}: write it like \"4.8\"")))
}

impl Profile {
    /// The OCI's form of it for a container with these capabilities.
    fn fit(&self, capabilities: &BTreeSet<String>, kernel: KernelVersion) -> LinuxSeccomp {
        let arch = go_arch();
        let holds = |rule: &&Rule| {
            let Rule { includes, excludes, .. } = rule;
            (includes.arches.is_empty() || includes.arches.iter().any(|one| one == arch))
                && includes.caps.iter().all(|one| capabilities.contains(one))
                && includes.min_kernel.is_none_or(|least| kernel >= least)
                && !excludes.arches.iter().any(|one| one == arch)
                && !excludes.caps.iter().any(|one| capabilities.contains(one))
                && excludes.min_kernel.is_none_or(|least| kernel < least)
        };
        let rules = self.syscalls.iter().filter(holds).map(|rule| {
            let names: Vec<String> = rule.name.iter().chain(&rule.names).cloned().collect();
            let mut made = LinuxSyscallBuilder::default().names(names).action(rule.action);
            if let Some(errno) = rule.errno_ret {
                made = made.errno_ret(errno);
            }
            if !rule.args.is_empty() {
                made = made.args(rule.args.clone());
            }
            made.build().expect("names and action are there")
        });
        let rules: Vec<_> = rules.filter(|rule| !rule.names().is_empty()).collect();
        let mut made = LinuxSeccompBuilder::default()
            .default_action(self.default_action)
            .architectures(self.arches())
            .syscalls(rules);
        if let Some(errno) = self.default_errno_ret {
            made = made.default_errno_ret(errno);
        }
        if !self.flags.is_empty() {
            made = made.flags(self.flags.clone());
        }
        made.build().expect("the default action is there")
    }

    /// Those it names, and those that its map has for this box.
    fn arches(&self) -> Vec<Arch> {
        let native = match std::env::consts::ARCH {
            "aarch64" => Arch::ScmpArchAarch64,
            "riscv64" => Arch::ScmpArchRiscv64,
            _ => Arch::ScmpArchX86_64,
        };
        let mapped = self.arch_map.iter().filter(|one| one.architecture == native);
        let mapped = mapped.flat_map(|one| std::iter::once(one.architecture).chain(one.sub_architectures.clone()));
        self.architectures.iter().copied().chain(mapped).collect()
    }
}

/// This architecture's name in Go.
fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(profile: &LinuxSeccomp) -> BTreeSet<&str> {
        profile.syscalls().iter().flatten().flat_map(|rule| rule.names()).map(String::as_str).collect()
    }

    /// The default depends on capabilities and kernel as containerd's does.
    #[test]
    fn the_default_profile_is_fitted() {
        let profile = |capabilities: &[&str], kernel| default_seccomp_profile(capabilities, kernel);
        let plain = profile(&[], (6, 1));
        assert!(names(&plain).is_superset(&["read", "ptrace", "clone", "clone3"].into()));
        assert!(names(&plain).is_disjoint(&["mount", "unshare", "bpf", "reboot", "chroot", "keyctl"].into()));
        assert!(!names(&profile(&[], (4, 4))).contains("ptrace"));
        assert!(names(&profile(&["CAP_SYS_ADMIN"], (6, 1))).contains("mount"));
        assert!(names(&profile(&["CAP_SYS_CHROOT"], (6, 1))).contains("chroot"));
        let clone = |profile: &LinuxSeccomp| {
            profile.syscalls().iter().flatten().filter(|rule| rule.names().iter().any(|one| one == "clone3")).count()
        };
        assert_eq!((clone(&plain), plain.default_action()), (1, LinuxSeccompAction::ScmpActErrno));
    }

    /// Files in Docker's and in the OCI's form; what can't be understood is an error that says where.
    #[test]
    fn profile_files() {
        let docker = r#"{"defaultAction": "SCMP_ACT_ALLOW", "archMap": null, "syscalls": [
            {"name": "mkdir", "action": "SCMP_ACT_ERRNO", "args": null, "comment": "", "includes": {}, "excludes": {}},
            {"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "99.0"}}]}"#;
        let capable = BTreeSet::from(["CAP_SYS_ADMIN".to_owned()]);
        let profile = parsed(docker).unwrap();
        assert_eq!(names(&profile.fit(&BTreeSet::new(), (6, 1))), ["chmod", "mkdir"].into());
        assert_eq!(names(&profile.fit(&capable, (6, 1))), ["mkdir"].into());
        let cases = [
            ("{", "EOF"),
            (r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscals": []}"#, "unknown field `syscals`"),
            (r#"{"defaultAction": "allow"}"#, "unknown variant `allow`"),
            (r#"{"syscalls": []}"#, "missing field `defaultAction`"),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "new"}}]}"#,
                "minKernel",
            ),
        ];
        for (text, expected) in cases {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
