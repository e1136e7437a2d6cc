//! What is made for one attempt of one container, once its image and the sandbox's addresses are known.
pub(crate) mod hopeless;
pub(crate) mod oci;
pub(crate) mod unsupported;

use std::path::PathBuf;

use barepod_engine::event::CreateFailure;
use barepod_engine::spec::{Attempt, ContainerIndex, Kind};
use k8s_openapi::api::core::v1;
use oci_spec::runtime::{LinuxIdMapping, LinuxIdMappingBuilder};

use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::files::mounts;
use crate::plan::process::{env, expansion};
use crate::plan::types::{ContainerPlan, IdRange, ImageFacts, Label, NodeFacts, PodPlan, RootAccess, SandboxFacts};
use crate::plan::{lifecycle, security};

/// All that a container's config depends on, and who is asking.
pub(crate) struct Ask<'a> {
    pub(crate) pod: &'a v1::Pod,
    pub(crate) spec: &'a v1::PodSpec,
    pub(crate) container: &'a v1::Container,
    pub(crate) kind: Kind,
    pub(crate) plan: &'a PodPlan,
    pub(crate) node: &'a NodeFacts,
    pub(crate) image: &'a ImageFacts,
    pub(crate) sandbox: &'a SandboxFacts,
}

impl Ask<'_> {
    /// Something that can't be worked out from the manifest: `CreateContainerConfigError`.
    pub(crate) fn config(&self, field: impl Into<String>, cause: ConfigCause) -> ConfigError {
        self.error(CreateFailure::Config, field, cause)
    }

    /// Something about the bundle: `CreateContainerError`. The field is one of its config.json.
    pub(crate) fn create(&self, field: &str, cause: ConfigCause) -> ConfigError {
        self.error(CreateFailure::Create, format!("{}: {field}", self.image.id), cause)
    }

    /// Something that the manifest names and the runtime would not find or understand: `CreateContainerError`.
    pub(crate) fn manifest(&self, field: &str, cause: ConfigCause) -> ConfigError {
        self.error(CreateFailure::Create, field, cause)
    }

    fn error(&self, failure: CreateFailure, field: impl Into<String>, cause: ConfigCause) -> ConfigError {
        ConfigError { failure, container: self.container.name.clone(), field: field.into(), cause }
    }

    /// The container's own security context, or an empty one.
    pub(crate) fn context(&self) -> v1::SecurityContext {
        self.container.security_context.clone().unwrap_or_default()
    }

    /// The pod's security context, or an empty one.
    pub(crate) fn pod_context(&self) -> v1::PodSecurityContext {
        self.spec.security_context.clone().unwrap_or_default()
    }

    pub(crate) fn privileged(&self) -> bool {
        self.container.security_context.as_ref().and_then(|context| context.privileged) == Some(true)
    }
}

/// What an attempt is called, before what it needs is known.
///
/// # Panics
/// As [`container`].
pub fn label(plan: &PodPlan, container: ContainerIndex, attempt: Attempt) -> Label {
    let of_engine = plan.lifecycle.containers.get(usize::from(container.0));
    let name = &of_engine.expect("the engine's containers are those of the pod").name;
    let id = format!("{}_{name}_{}", plan.lifecycle.uid, attempt.0);
    Label { name: name.clone(), id, cgroup: cgroup(plan, name) }
}

/// A container's cgroup, below the pod's.
pub(crate) fn cgroup(plan: &PodPlan, name: &str) -> PathBuf {
    plan.cgroup.path.join(name)
}

/// How the pod's user namespace maps users, and groups alike; `None`: they are the host's.
pub(crate) fn id_mappings(ask: &Ask) -> Option<Vec<LinuxIdMapping>> {
    let IdRange { first, length } = ask.sandbox.users.as_ref()?.ids;
    let mapping = LinuxIdMappingBuilder::default().container_id(0_u32).host_id(first).size(length).build();
    Some(vec![mapping.expect("three numbers make a mapping")])
}

/// Plans one attempt of one container. Same arguments, same plan.
///
/// # Panics
/// Where `container` is not one of the pod's: the engine knows no others.
#[allow(clippy::too_many_arguments)]
pub fn container(
    pod: &v1::Pod,
    pod_plan: &PodPlan,
    node: &NodeFacts,
    container: ContainerIndex,
    attempt: Attempt,
    image: &ImageFacts,
    sandbox: &SandboxFacts,
) -> Result<ContainerPlan, ConfigError> {
    let spec = pod.spec.as_ref().expect("plan::pod refused a pod without a spec");
    let (_, kind, one) = lifecycle::containers(spec)
        .nth(container.0.into())
        .expect("the engine's containers are those of the pod, in the same order");
    let ask = Ask { pod, spec, container: one, kind, plan: pod_plan, node, image, sandbox };
    oci::refuse_unsupported(&ask)?;
    let identity = security::identity(&ask)?;
    let env = env::environment(&ask, &identity)?;
    let args = command(&ask, &env)?;
    let planned = mounts::mounts(&ask, &env)?;
    let read_only =
        ask.context().read_only_root_filesystem.or(image.base.root().as_ref().and_then(|root| root.readonly()));
    let root = if read_only == Some(true) { RootAccess::ReadOnly } else { RootAccess::Writable };
    let spec = oci::assemble(
        &ask,
        oci::Parts { identity, env: env.list(), args, cwd: cwd(&ask)?, root, mounts: planned.mounts },
    )?;
    let Label { name, id, .. } = label(pod_plan, container, attempt);
    Ok(ContainerPlan {
        container,
        name,
        attempt,
        id,
        bundle: image.id.split_once(':').map_or("/", |(_, path)| path).into(),
        rootfs: image.rootfs.clone(),
        root,
        spec,
        sub_paths: planned.sub_paths,
        shared: planned.shared,
        private: planned.private,
        config_volumes: planned.config_volumes,
        files: planned.files,
        termination_log: mounts::termination_log(&ask),
        rights: node.rights(),
    })
}

/// What of a container's config is wrong whatever sandbox, environment and files it comes to have.
pub(crate) fn unmendable(ask: &Ask) -> Result<(), ConfigError> {
    oci::refuse_unsupported(ask)?;
    command(ask, &env::plain_values(ask)?)?;
    cwd(ask).map(|_| ())
}

/// R10.1: what is executed; R10.2: with its references replaced.
fn command(ask: &Ask, env: &env::Environment) -> Result<Vec<String>, ConfigError> {
    let own = ask.container.command.as_ref().filter(|command| !command.is_empty());
    let args = ask.container.args.as_ref().filter(|args| !args.is_empty());
    let mut size = env.size();
    let mut expand = |field: &str, list: &[String]| {
        let words = list.iter().enumerate().map(|(at, text)| {
            let word = expansion::expand(text, expansion::STRING, |name| env.own(name))
                .map_err(|_| ask.manifest(&format!("{field}[{at}]"), ConfigCause::TooLong))?;
            size += word.len() + expansion::EACH;
            if size <= expansion::ALL { Ok(word) } else { Err(ask.manifest(field, ConfigCause::AllTooLong)) }
        });
        words.collect::<Result<Vec<String>, ConfigError>>()
    };
    // A bundle doesn't tell entrypoint from arguments: its first word is the entrypoint, the rest its arguments.
    let image: Vec<String> =
        ask.image.base.process().as_ref().and_then(|process| process.args().clone()).unwrap_or_default();
    let mut command: Vec<String> = match (own, args) {
        (Some(own), _) => expand("command", own)?,
        (None, Some(_)) => image.into_iter().take(1).collect(),
        (None, None) => image,
    };
    if let Some(args) = args {
        command.extend(expand("args", args)?);
    }
    match command.first() {
        None => Err(ask.create("process.args", ConfigCause::NoCommand)),
        Some(program) if program.is_empty() => Err(ask.create("process.args", ConfigCause::NoCommand)),
        Some(_) => match command.iter().find(|word| word.contains('\0')) {
            Some(word) => Err(ask.config("command", ConfigCause::Nul { value: word.clone() })),
            None => Ok(command),
        },
    }
}

/// The container's working directory, else the bundle's, else `/`.
fn cwd(ask: &Ask) -> Result<std::path::PathBuf, ConfigError> {
    let own = ask.container.working_dir.as_deref().filter(|path| !path.is_empty()).map(std::path::PathBuf::from);
    let manifests = own.is_some();
    let path = own
        .or_else(|| ask.image.base.process().as_ref().map(|process| process.cwd().clone()))
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or_else(|| "/".into());
    if path.is_absolute() {
        return Ok(path);
    }
    let cause = ConfigCause::Relative { path: path.display().to_string() };
    Err(if manifests { ask.config("workingDir", cause) } else { ask.create("process.cwd", cause) })
}
