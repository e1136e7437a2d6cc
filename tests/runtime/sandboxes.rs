//! The sandbox and its volumes: how they serve containers, and how they are removed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use barepod::plan::*;
use barepod::runtime::container::{ExitStatus, reap_ended};
use barepod::runtime::sandbox::{RemovalStep, SandboxRemoval};
use barepod::runtime::sweep::{SweepRequest, sweep};
use oci_spec::runtime::MountBuilder;

use crate::world::{World, go, is_root, remove, start, wait_exit, wait_for_processes};

fn empty_dir(name: &str) -> VolumePlan {
    VolumePlan {
        name: name.into(),
        source: VolumeSource::EmptyDir { mode: None, size_limit: None },
        fs_group: Some(1234),
    }
}

#[test]
fn sub_paths_cannot_escape() {
    if !is_root() {
        return;
    }
    let memory = VolumePlan {
        name: "m".into(),
        source: VolumeSource::Memory { mode: None, size_limit: Some(1 << 20) },
        fs_group: None,
    };
    let world = World::new("sub", Scope::Container, &[empty_dir("v"), memory]);
    let volumes = world.sandbox.as_ref().unwrap().facts().volumes;
    let volume = &volumes["v"];
    symlink("/etc", volume.join("evil")).unwrap();
    let with_mount = |name: &str, path: &str, args: &[&str]| {
        let mut plan = world.plan(name, args);
        let mount = MountBuilder::default()
            .destination("/data")
            .typ("bind")
            .source(volume.clone())
            .options(vec!["rbind".to_owned()])
            .build()
            .unwrap();
        let mounts = plan.spec.mounts_mut().as_mut().unwrap();
        mounts.push(mount);
        plan.sub_paths.push(SubPath { mount: mounts.len() - 1, path: path.into(), missing: Missing::Make });
        plan
    };
    let (exit, _, container) = world.run_plan(&with_mount("good", "a/b", &["touch", "/data/file"]));
    assert_eq!(exit, ExitStatus::Code(0));
    assert!(volume.join("a/b/file").exists());
    remove(container);
    let error = world.create(&with_mount("bad", "evil", &["true"])).unwrap_err().to_string();
    assert!(error.contains("subPath \"evil\"") && error.contains("leads out of the volume"), "{error}");
    assert!(!world.attempt("bad").state.exists() && world.cgroups_of("bad").is_empty());
    world.end();
}

#[test]
fn a_sandbox_is_removed_without_waiting_for_it() {
    if !is_root() {
        return;
    }
    let mut world = World::new("pieces", Scope::Pod, &[empty_dir("v")]);
    let mut container = world.create(&world.plan("web", &["sleep", "1000"])).unwrap();
    start(&mut container).unwrap();
    let sandbox = world.sandbox.take().unwrap();
    let volume = sandbox.facts().volumes["v"].clone();
    for number in 0..1000 {
        fs::write(volume.join(number.to_string()), "").unwrap();
    }
    let mut removal = sandbox.remove();
    // Killed, but they are children of this process and die beside it: pid 1 goes after they have been reaped.
    assert!(matches!(removal.advance(), RemovalStep::Wait(_)));
    assert!(volume.join("0").exists(), "processes go before the files that they use");
    wait_exit(&mut container);
    let mut waits = 0;
    loop {
        match removal.advance() {
            RemovalStep::More => {}
            RemovalStep::Wait(time) => {
                waits += 1;
                wait_for_processes(&removal, time);
            }
            RemovalStep::Done(errors) => break assert!(errors.is_empty(), "{errors:?}"),
        }
    }
    assert!(waits > 0 && !volume.exists(), "a helper takes many files away");
    reap_ended();
    world.assert_nothing_left();
}

/// An emptyDir lives as long as the pod: a sandbox that is given up (as the next can't be made at once) leaves what is in it
/// to the next, with the owners and modes that it has by then; the end of the pod takes it away, sandbox or not.
#[test]
fn volumes_outlive_a_sandbox() {
    if !is_root() {
        return;
    }
    let memory = VolumePlan {
        name: "m".into(),
        source: VolumeSource::Memory { mode: None, size_limit: Some(1 << 20) },
        fs_group: None,
    };
    let volumes = [empty_dir("v"), memory];
    let mut world = World::new("outlived", Scope::Container, &volumes);
    let places = world.sandbox.as_ref().unwrap().facts().volumes;
    for place in places.values() {
        fs::write(place.join("file"), "kept").unwrap();
        fs::set_permissions(place, fs::Permissions::from_mode(0o700)).unwrap();
    }
    for _ in 0..2 {
        let errors = go(world.sandbox.take().unwrap().give_up());
        assert!(errors.is_empty(), "{errors:?}");
        let next = world.make_sandbox(Scope::Container, &volumes);
        assert_eq!(next.facts().volumes, places);
        for place in places.values() {
            assert_eq!(fs::read_to_string(place.join("file")).unwrap(), "kept");
            assert_eq!(fs::metadata(place).unwrap().permissions().mode() & 0o7777, 0o700);
        }
        let own = fs::metadata(world.dirs().data).unwrap().permissions().mode() & 0o7777;
        assert_eq!(own, 0o700, "nobody else gets at what is in there");
        world.sandbox = Some(next);
    }
    assert!(go(world.sandbox.take().unwrap().give_up()).is_empty());
    assert!(places["v"].join("file").exists());
    assert!(go(SandboxRemoval::of_volumes(&world.dirs(), &volumes)).is_empty());
    assert!(!places["v"].exists() && !places["m"].exists() && !world.dirs().data.exists());
    world.assert_nothing_left();
}

#[test]
fn a_shared_pid_namespace_has_its_own_pid_1() {
    if !is_root() {
        return;
    }
    let world = World::new("pid", Scope::Pod, &[]);
    let (exit, text, container) =
        world.run("web", &["sh", "-c", "sleep 1000 >/dev/null 2>&1 & cat /proc/1/comm; exit 4"]);
    assert_eq!((exit, text.as_str()), (ExitStatus::Code(4), "pause\n"));
    // R5.14: the orphan goes with the container.
    remove(container);
    assert!(world.cgroups_of("web").is_empty());
    world.end();
}

#[test]
fn a_sweep_finds_what_a_dead_supervisor_left() {
    if !is_root() {
        return;
    }
    let mut world = World::new("sweep", Scope::Pod, &[empty_dir("v")]);
    let mut container = world.create(&world.plan("web", &["sleep", "1000"])).unwrap();
    start(&mut container).unwrap();
    let folders = [world.dirs().state, world.dirs().data];
    let cgroup = world.cgroup();
    let request = SweepRequest { cgroup: &cgroup, folders: &folders, network: None, patience: Duration::from_secs(10) };
    let errors = sweep(&request);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(wait_exit(&mut container), ExitStatus::Signal(libc::SIGKILL));
    assert!(folders.iter().all(|folder| !folder.exists()));
    drop((container, world.sandbox.take()));
    assert!(sweep(&request).is_empty());
    world.assert_nothing_left();
}
