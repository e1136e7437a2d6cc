//! The short-lived process that makes a container: file systems, then libcontainer. Its input is a request in a
//! memfd, its output a record of JSON; it ends at once after that.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::sys::signal::SigHandler;
use oci_spec::runtime::{Mount, RootBuilder, Spec};
use serde::{Deserialize, Serialize};

use super::attempt::AttemptDirs;
use super::causes::Causes;
use super::early_hooks::{self, StartHooks};
use super::executor::{self, Confinement, EndOfCreation, LastStep};
use super::failure::{Failure, Stage};
use super::users::Users;
use super::{binds, explain, file_systems, images, rootfs, stdio, users};
use crate::plan::{CgroupVersion, ContainerPlan, Rights};
use crate::runtime::cgroup::{Access, CgroupError, Hierarchies, ProcessLimit, View};
use crate::runtime::{lsm, record, rlimits, seccomp, spawn};

/// Its `argv[0]`.
pub(super) const NAME: &str = "barepod:create";
/// Descriptors it is given, in order: request, go pipe, report socket, start pipe, seccomp filter (empty where there is none).
const DESCRIPTORS: i32 = 5;

#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) plan: ContainerPlan,
    pub(super) state: PathBuf,
    pub(super) data: PathBuf,
    /// Whether the container has a seccomp filter.
    pub(super) filtered: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// Master and slave of its terminal, where it has one, come along.
    Created {
        pid: i32,
        warnings: Vec<String>,
    },
    Failed(Failure),
}

/// A report is no longer than this.
pub(super) const LONGEST: usize = 128 * 1024;

/// Names in an attempt's folder.
pub(super) const OCI: &str = "oci";
pub(super) const PID: &str = "pid";

pub(super) fn run() -> ! {
    spawn::settle("barepod:create", DESCRIPTORS);
    let [request, go, report, start, filter] = std::array::from_fn(|index| spawn::inherited(index as i32));
    if File::from(go).read_exact(&mut [0]).is_err() {
        // There is nothing to be made after all.
        std::process::exit(0)
    }
    // A hook that doesn't read the state ends nobody but itself. The program gets the default back (`executor`).
    executor::pipes_without_readers(SigHandler::SigIgn);
    let (answer, terminal) = match create(request, File::from(filter), start) {
        Ok(Made { pid, warnings, terminal }) => (Report::Created { pid, warnings }, terminal),
        Err(failure) => (Report::Failed(failure), None),
    };
    let text = serde_json::to_vec(&answer).unwrap_or_default();
    let descriptors: Vec<BorrowedFd<'_>> = terminal.iter().flatten().map(AsFd::as_fd).collect();
    let written = record::send(&report, &text, &descriptors);
    // No destructors: nothing here needs them, and the container waits for nobody.
    std::process::exit(i32::from(written.is_err()))
}

/// A container that was made.
struct Made {
    pid: i32,
    warnings: Vec<String>,
    /// Master and slave.
    terminal: Option<[OwnedFd; 2]>,
}

fn create(request: OwnedFd, filter: File, start: OwnedFd) -> Result<Made, Failure> {
    let causes = Causes::keep().map_err(|cause| Failure::io(Stage::Helper, "keep causes", cause))?;
    let Request { plan, state, data, filtered } =
        spawn::read_request(request).map_err(|cause| Failure::io(Stage::Helper, "read the request", cause))?;
    let dirs = AttemptDirs { state, data };
    let mut spec = plan.spec.clone();
    let mut warnings = Vec::new();
    let users = Users::of(&spec)?;
    for (path, mode) in &plan.files {
        make_file(path, *mode, users.as_ref())?;
    }
    rootfs::own_mounts(&dirs)?;
    rootfs::mount_root(&plan, &dirs, users.as_ref())?;
    images::mount(&plan, &mut spec, &dirs, users.as_ref())?;
    rootfs::bind_data(&plan.data, &mut spec, &dirs, users.as_ref())?;
    rootfs::resolve_sub_paths(&plan.sub_paths, &mut spec, &dirs, users.as_ref())?;
    label_mounts(&plan.private, &mut spec)?;
    if users.is_some() || plan.rights == Rights::UserNamespace {
        users::bind_devices(&mut spec)?;
    }
    raise_limits(&spec)?;
    // One look at the table of mounts, which can be long.
    let hierarchies = Hierarchies::discover();
    binds::prepare(&mut spec, &plan, users.as_ref(), &dirs, hierarchies.as_ref().ok())?;
    set_root(&mut spec, &dirs)?;
    clamp_oom_score(&mut spec, plan.rights, &mut warnings);
    let confinement = confine(&mut spec, filtered.then_some(&filter))?;
    drop_limits_without_cgroup(&mut spec, &mut warnings);
    let attributes = attributes(&spec)?;
    let end_of_creation = EndOfCreation::take(&mut spec);
    early_hooks::run_by_us(&mut spec, &causes);
    let hooks = StartHooks::take(&mut spec, &plan.id, &dirs.mounts());
    let hooks = hooks.map_err(|cause| Failure::new(Stage::Oci, "hooks.startContainer", cause))?;
    let program =
        LastStep { pipe: start.as_raw_fd(), confinement, hooks, attributes, end_of_creation, causes: causes.clone() };
    let parts = Parts { plan: &plan, dirs: &dirs, users: users.as_ref(), program, causes: &causes };
    let (pid, terminal) = build_in_cgroup(parts, &mut spec, hierarchies)?;
    drop(start);
    Ok(Made { pid, warnings, terminal })
}

/// What the program has to do about its filter and its capabilities, which libcontainer leaves alone then.
fn confine(spec: &mut Spec, filter: Option<&File>) -> Result<Confinement, Failure> {
    let filter = filter
        .map(seccomp::Program::read)
        .transpose()
        .map_err(|cause| Failure::io(Stage::Helper, "read the seccomp filter", cause))?;
    let process = spec.process_mut().as_mut();
    let capabilities = process.and_then(|process| {
        let capabilities = process.capabilities().clone();
        process.set_capabilities(None);
        capabilities
    });
    let capabilities = capabilities.unwrap_or_default();
    Ok(Confinement { filter, capabilities })
}

/// What was made for the pod gets the container's SELinux label, as the kubelet asks for, and so do file systems in
/// memory; what was there before keeps its own. libcontainer would label all of them alike, and fail for those of which
/// there is one for many containers (cgroup, mqueue): the pod's message queues are labelled as a folder is.
fn label_mounts(private: &[usize], spec: &mut Spec) -> Result<(), Failure> {
    let Some(label) = spec.linux_mut().as_mut().and_then(|linux| linux.mount_label().clone()) else { return Ok(()) };
    for (at, mount) in spec.mounts_mut().iter_mut().flatten().enumerate() {
        if let Some(source) = mount.source().as_ref().filter(|_| private.contains(&at)) {
            lsm::relabel(source, &label).map_err(|(path, cause)| {
                Failure::io(Stage::Binds, format!("SELinux label {label} for {}", path.display()), cause)
            })?;
        } else if matches!(mount.typ().as_deref(), Some("tmpfs" | "devpts")) {
            mount.options_mut().get_or_insert_default().push(format!("context={label}"));
        }
    }
    if file_systems::ipc_namespace(spec).is_some() {
        for mount in spec.mounts().iter().flatten().filter(|mount| mount.typ().as_deref() == Some("mqueue")) {
            let labelled = lsm::give_label(file_systems::make(mount, spec, None, None)?.as_fd(), &label);
            let object = || format!("SELinux label {label} for {}", mount.destination().display());
            labelled.map_err(|cause| Failure::io(Stage::Binds, object(), cause))?;
        }
    }
    spec.linux_mut().as_mut().map(|linux| linux.set_mount_label(None));
    Ok(())
}

/// Hard limits, as far as the config asks for more: who lowers a limit is never refused.
fn raise_limits(spec: &Spec) -> Result<(), Failure> {
    let limits = spec.process().as_ref().and_then(|process| process.rlimits().clone()).unwrap_or_default();
    rlimits::raise(&limits)
        .map_err(|(limit, cause)| Failure::io(Stage::Oci, format!("process.rlimits: {limit}"), cause))
}

/// For what the container's process has to choose.
fn attributes(spec: &Spec) -> Result<Option<Arc<OwnedFd>>, Failure> {
    let process = spec.process().as_ref();
    let chooses =
        process.is_some_and(|process| process.selinux_label().is_some() || process.apparmor_profile().is_some());
    let opened = chooses.then(lsm::attributes).transpose();
    Ok(opened.map_err(|cause| Failure::io(Stage::Helper, "/proc", cause))?.map(Arc::new))
}

/// Before anything of the container runs, also before libcontainer's mounts: what is in the cgroup later inherits its
/// limits and device rules.
fn build_in_cgroup(
    parts: Parts<'_>,
    spec: &mut Spec,
    hierarchies: Result<Hierarchies, CgroupError>,
) -> Result<Built, Failure> {
    let dirs = parts.dirs;
    let cgroup_failed = |cause: CgroupError| Failure::new(Stage::Prepare, "", cause);
    let linux = spec.linux().as_ref();
    let cgroup = linux.and_then(|linux| linux.cgroups_path().clone());
    let resources = linux.and_then(|linux| linux.resources().clone()).unwrap_or_default();
    let Some(cgroup) = cgroup else {
        Hierarchies::show_none().map_err(cgroup_failed)?;
        return build(parts, spec);
    };
    let hierarchies = hierarchies.map_err(cgroup_failed)?;
    let rules = resources.devices().clone().unwrap_or_default();
    // In a user namespace there are no nodes but those that are bound, and nobody there may load a program.
    if parts.plan.rights == Rights::Box {
        hierarchies.hold_to_device_rules(&cgroup, &rules).map_err(cgroup_failed)?;
    }
    hierarchies.make_container(&cgroup, &resources).map_err(cgroup_failed)?;
    let limit = hierarchies.process_limit(&cgroup, &resources).map_err(cgroup_failed)?;
    if hierarchies.version() == CgroupVersion::V1 {
        if let Some(access) = cgroup_access(spec) {
            let view = hierarchies.show(&cgroup, &dirs.mounts().join("cgroup"), access).map_err(cgroup_failed)?;
            show_cgroup(spec, &view);
        }
        hierarchies.join(&cgroup).and_then(|()| hierarchies.hide()).map_err(cgroup_failed)?;
    }
    if let Some(linux) = spec.linux_mut() {
        linux.set_resources(None);
    }
    let built = build(parts, spec)?;
    limit.map_or(Ok(()), ProcessLimit::set).map_err(cgroup_failed)?;
    Ok(built)
}

fn is_cgroup(mount: &Mount) -> bool {
    mount.typ().as_deref() == Some("cgroup")
}

/// Whether the config wants cgroups mounted, and how.
fn cgroup_access(spec: &Spec) -> Option<Access> {
    let wanted = spec.mounts().iter().flatten().find(|mount| is_cgroup(mount))?;
    let read_only = wanted.options().iter().flatten().any(|option| option == "ro");
    Some(if read_only { Access::ReadOnly } else { Access::Writable })
}

/// Puts the view where the config wants cgroups mounted.
fn show_cgroup(spec: &mut Spec, view: &View) {
    let bind = |source: &Path, destination: PathBuf| {
        let mut mount = Mount::default();
        let options = Some(vec!["rbind".to_owned()]);
        mount
            .set_typ(Some("bind".to_owned()))
            .set_source(Some(source.to_owned()))
            .set_destination(destination)
            .set_options(options);
        mount
    };
    let mounts = spec.mounts().iter().flatten().flat_map(|mount| {
        if !is_cgroup(mount) {
            return vec![mount.clone()];
        }
        let at = mount.destination();
        let cgroups = view.cgroups.iter().map(|(name, source)| bind(source, at.join(name)));
        std::iter::once(bind(&view.base, at.clone())).chain(cgroups).collect()
    });
    let mounts = mounts.collect();
    spec.set_mounts(Some(mounts));
}

fn make_file(path: &Path, mode: u32, users: Option<&Users>) -> Result<(), Failure> {
    let made = fs::OpenOptions::new().write(true).create(true).truncate(true).custom_flags(libc::O_NOFOLLOW).open(path);
    let owner = users.map(Users::root);
    made.and_then(|file| std::os::unix::fs::fchown(&file, owner, owner).map(|()| file))
        .and_then(|file| file.set_permissions(fs::Permissions::from_mode(mode)))
        .map_err(|cause| Failure::io(Stage::Prepare, path.display(), cause))
}

fn set_root(spec: &mut Spec, dirs: &AttemptDirs) -> Result<(), Failure> {
    let read_only = spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly).unwrap_or(false);
    let root = RootBuilder::default().path(dirs.mounts().join("rootfs")).readonly(read_only).build();
    spec.set_root(Some(root.map_err(|cause| Failure::new(Stage::Oci, "root", cause))?));
    Ok(())
}

fn drop_limits_without_cgroup(spec: &mut Spec, warnings: &mut Vec<String>) {
    if let Some(linux) = spec.linux_mut()
        && linux.cgroups_path().is_none()
        && linux.resources().is_some()
    {
        linux.set_resources(None);
        warnings.push("without cgroups nothing enforces linux.resources of the bundle's config.json".to_owned());
    }
}

/// Without CAP_SYS_RESOURCE the score can't go below the present one; a container that is killed a little earlier
/// than it should be is better than none.
fn clamp_oom_score(spec: &mut Spec, rights: Rights, warnings: &mut Vec<String>) {
    let Some(process) = spec.process_mut().as_mut() else { return };
    let Some(wanted) = process.oom_score_adj() else { return };
    let present = fs::read_to_string("/proc/self/oom_score_adj")
        .ok()
        .and_then(|text| text.trim().parse::<i32>().ok())
        .unwrap_or(0);
    let may_lower = rights == Rights::Box
        && caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SYS_RESOURCE).unwrap_or(false);
    if wanted < present && !may_lower {
        process.set_oom_score_adj(Some(present));
        warnings.push(format!("oom_score_adj stays {present} instead of {wanted}: lowering it needs CAP_SYS_RESOURCE"));
    }
}

/// What libcontainer makes a container of, but for the config.
struct Parts<'a> {
    plan: &'a ContainerPlan,
    dirs: &'a AttemptDirs,
    users: Option<&'a Users>,
    program: LastStep,
    causes: &'a Causes,
}

/// Its init's pid, and master and slave of its terminal, where it has one.
type Built = (i32, Option<[OwnedFd; 2]>);

fn build(parts: Parts<'_>, spec: &mut Spec) -> Result<Built, Failure> {
    let Parts { plan, dirs, users, program, causes } = parts;
    let _held = users.map(|users| users.hand_over(spec, dirs)).transpose()?;
    let config = dirs.mounts().join("config.json");
    let written = serde_json::to_vec(spec).map_err(std::io::Error::other).and_then(|text| fs::write(&config, text));
    written.map_err(|cause| Failure::io(Stage::Prepare, config.display(), cause))?;
    let uid = spec.process().as_ref().map_or(0, |process| process.user().uid());
    let uid = users.and_then(|users| users.host(uid)).unwrap_or(uid);
    let ends = stdio::Program::open(plan.streams, &dirs.state, &dirs.mounts(), uid)?;
    let mut terminal = None;
    let built = ContainerBuilder::new(plan.id.clone(), SyscallType::default())
        .with_executor(program)
        .with_root_path(dirs.state.join(OCI))
        .and_then(|builder| builder.with_pid_file(Some(dirs.state.join(PID))))
        .and_then(|builder| {
            let (builder, listener) = ends.give(builder);
            terminal = listener;
            builder.as_init(dirs.mounts()).with_systemd(false).with_detach(true).as_sibling(true).build()
        });
    let container = built.map_err(|error| {
        let root = spec.root().as_ref().map(|root| root.path().as_path());
        // The first of our own steps that has failed, or what libcontainer's words say.
        causes.read().map_or_else(|failure| failure, |said| explain::creation(&error, spec, &said, root))
    })?;
    let terminal = terminal.map(|listener| stdio::take_terminal(&listener, uid)).transpose()?;
    let pid = container.pid().map(|pid| pid.as_raw());
    let pid = pid.ok_or_else(|| Failure::new(Stage::Oci, "", "libcontainer made a container without a process"))?;
    Ok((pid, terminal))
}
