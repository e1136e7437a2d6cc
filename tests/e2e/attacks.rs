//! Escapes that container runtimes have known, tried on this one (docs/security.md lists them). In each the container,
//! its image or its volume is hostile, and the host's side is looked at afterwards.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::hostile::{over, treasure, untouched};
use crate::harness::{Case, binary, main, probe, wait, worker};

/// A copy of the case's root file system, to be made hostile; and the image's name.
fn hostile(case: &Case) -> (PathBuf, Value) {
    let root = case.dir().join("hostile");
    assert!(Command::new("cp").arg("-a").arg(case.rootfs()).arg(&root).status().unwrap().success());
    let image = json!(format!("rootfs:{}", root.display()));
    (root, image)
}

/// CVE-2024-21626 and every other leak of a descriptor: a container's process, and what a probe runs in it, have 0, 1
/// and 2 and no other, and none of them leads to a folder.
#[test]
fn no_descriptor_leaks() {
    let Some(case) = Case::new("leaks") else { return };
    // The shell's own globbing opens one, which is gone when stat looks.
    let tell = |who: &str| {
        format!(
            "for fd in /proc/$$/fd/*; do [ -e $fd ] || [ -L $fd ] || continue; say {who} ${{fd##*/}}; [ -d $fd/ ] && say {who} folder; done; true"
        )
    };
    let more = json!({"startupProbe": probe(&format!("{}; say looked", tell("probe")))});
    assert_eq!(case.run(&case.pod().container(main("main", &format!("{}; await looked", tell("main")), more))), 0);
    for who in ["main", "probe"] {
        let trace = case.trace();
        let mut found: Vec<&str> = trace.iter().filter_map(|line| line.strip_prefix(who)).map(str::trim).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, ["0", "1", "2"], "{who}");
    }
}

/// CVE-2024-21626: a working directory that is a descriptor of the runtime's.
#[test]
fn a_working_directory_among_descriptors() {
    let Some(case) = Case::new("cwd") else { return };
    for number in 3..12 {
        let path = format!("/proc/self/fd/{number}");
        let container = main("main", "say escaped $(ls ../../../..)", json!({"workingDir": path}));
        let mut run = case.start(&case.pod().container(container));
        over(&case, &mut run);
        assert!(case.trace().is_empty(), "{path}");
        case.barepod(&["rm", "--force", case.name()]);
    }
}

/// CVE-2019-5736: the runtime's binary, reached through /proc/*/exe of what it sends into a container: as the
/// container's program, as the interpreter of what a probe runs, and by watching whoever comes in.
#[test]
fn the_binary_can_not_be_overwritten() {
    let Some(case) = Case::new("exe") else { return };
    let (root, image) = hostile(&case);
    fs::write(root.join("bin/trap"), "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(root.join("bin/trap"), fs::Permissions::from_mode(0o755)).unwrap();
    let before = fs::read(binary()).unwrap();
    // Takes hold of every exe that isn't its own, and writes to it once its process has ended. `command`: a redirection
    // of plain `exec` that fails, because the process is gone, would end the shell.
    let watch = "until [ -e /t/over ]; do for p in /proc/[0-9]*; do \
        case $(readlink $p/exe) in */busybox|'') ;; *) command exec 5<$p/exe || continue; say caught; \
        (echo overwritten > /proc/self/fd/5) 2>/dev/null && say overwritten; exec 5<&-;; esac; done; done";
    let trap = json!({"exec": {"command": ["/bin/trap"]}, "periodSeconds": 1, "failureThreshold": 1000});
    let watcher = main(
        "watcher",
        watch,
        json!({"image": image, "securityContext": {"privileged": true}, "readinessProbe": trap}),
    );
    let mut victim = main("victim", "", json!({"image": image}));
    victim["command"] = json!(["/bin/trap"]);
    let pod = case.pod().spec(json!({"shareProcessNamespace": true})).container(watcher).container(victim);
    let mut run = case.start(&pod);
    wait("the trap to be run by a probe and as a program", || {
        !case.messages_of("watcher", "Unhealthy").is_empty() && case.container("victim")["state"]["running"].is_null()
    });
    case.release("over");
    run.wait_for_line("watcher exited 0");
    run.signal(rustix::process::Signal::TERM);
    run.end();
    assert!(case.said("caught"));
    assert!(!case.said("overwritten"), "{:?}", case.trace());
    assert!(fs::read(binary()).unwrap() == before, "the binary has changed");
}

/// CVE-2021-30465 and what an image can do about mounts: each place of a mount is a symlink to the host.
#[test]
fn mount_points_that_are_symlinks() {
    let Some(case) = Case::new("mount-links") else { return };
    let treasure = treasure(&case);
    let (root, image) = hostile(&case);
    let up = format!("../../../../../../../../../../{}", treasure.display());
    for name in ["etc/hosts", "etc/hostname"] {
        symlink(format!("{up}/{}", name.replace('/', "-")), root.join(name)).unwrap();
    }
    symlink(treasure.join("gold"), root.join("etc/resolv.conf")).unwrap();
    fs::remove_dir(root.join("sys")).unwrap();
    symlink(&up, root.join("sys")).unwrap();
    let script = "say $(cat /sys/gold /etc/hosts 2>/dev/null | grep gold); mkdir /sys/made 2>/dev/null; true";
    let mut run = case.start(&case.pod().container(main("main", script, json!({"image": image}))));
    over(&case, &mut run);
    assert!(!case.trace().iter().any(|line| line.contains("gold")), "{:?}", case.trace());
    untouched(&treasure);
}

/// CVE-2025-31133: what hides files of /proc is a bind mount of the container's /dev/null. With a /dev of its own a
/// container can put a link there, and have something else mounted instead. So a volume there is refused.
#[test]
fn masked_paths_behind_a_forged_null() {
    let Some(case) = Case::new("null-link") else { return };
    let volume = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
    let mounted = |at: &str| json!({"volumeMounts": [{"name": "v", "mountPath": at}]});
    let forge = main("forge", "ln -s /proc/sys/kernel/core_pattern /v/null", mounted("/v"));
    let script = "for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do \
        (: > $f) 2>/dev/null && [ ! -c $f ] && echo x > $f && say wrote $f; [ -s $f ] && say read $f; done; true";
    let before = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let pod = case.pod().spec(volume).init(forge).container(main("main", script, mounted("/dev")));
    let mut run = case.start(&pod);
    over(&case, &mut run);
    assert!(case.trace().is_empty(), "{:?}", case.trace());
    assert_eq!(fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), before);
}

/// CVE-2017-1002101 and CVE-2021-25741: a subPath that is a link out of its volume, also one below a link.
#[test]
fn sub_paths_that_are_symlinks() {
    let all = [
        ("sub-link", "gate", ""),
        ("sub-below", "gate/inner", ""),
        ("sub-relative", "gate", "../../../../../../../../.."),
    ];
    for (name, sub_path, up) in all {
        let Some(case) = Case::new(name) else { return };
        let treasure = treasure(&case);
        let volume = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
        let forge = format!("ln -s {up}{} /v/gate", treasure.display());
        let forge = main("forge", &forge, json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}));
        let mount = json!({"volumeMounts": [{"name": "v", "mountPath": "/w", "subPath": sub_path}]});
        let main = main("main", "cat /w/gold >> /t/log; touch /w/made /w/inner/made; true", mount);
        let mut run = case.start(&case.pod().spec(volume).init(forge).container(main));
        over(&case, &mut run);
        assert!(case.trace().is_empty(), "{name}: {:?}", case.trace());
        untouched(&treasure);
    }
}

/// CVE-2022-0492 and its like: a release agent runs on the host. Neither the cgroups there are nor any that could be
/// mounted may be written to.
#[test]
fn no_release_agent() {
    let Some(case) = Case::new("release-agent") else { return };
    let script = "for f in $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release -o -name cgroup.procs); do \
        (echo /t/evil > $f) 2>/dev/null && say wrote $f; done; \
        for kind in cgroup cgroup2; do mkdir -p /tmp/$kind; mount -t $kind -o rdma $kind /tmp/$kind 2>/dev/null && say mounted; \
        mount -t $kind $kind /tmp/$kind 2>/dev/null && say mounted; done; \
        busybox unshare -U -m -C -r mount -t cgroup -o rdma x /tmp/cgroup 2>/dev/null && say unshared; true";
    assert_eq!(case.run(&case.pod().container(worker("main", script))), 0);
    assert!(case.trace().is_empty(), "{:?}", case.trace());
}

/// An image whose files are FIFOs, devices and loops of links: nobody waits for them, and no device can be opened.
#[test]
fn an_image_of_fifos_and_devices() {
    let Some(case) = Case::new("fifos") else { return };
    let (root, image) = hostile(&case);
    for name in ["etc/passwd", "etc/group"] {
        fs::remove_file(root.join(name)).unwrap();
    }
    rustix::fs::mknodat(rustix::fs::CWD, root.join("etc/passwd"), rustix::fs::FileType::Fifo, 0o666.into(), 0).unwrap();
    symlink("group", root.join("etc/group")).unwrap();
    let disk = rustix::fs::makedev(8, 0);
    let kind = rustix::fs::FileType::BlockDevice;
    rustix::fs::mknodat(rustix::fs::CWD, root.join("disk"), kind, 0o666.into(), disk).unwrap();
    let memory = rustix::fs::makedev(1, 1);
    let kind = rustix::fs::FileType::CharacterDevice;
    rustix::fs::mknodat(rustix::fs::CWD, root.join("memory"), kind, 0o666.into(), memory).unwrap();
    assert!(root.join("etc/passwd").symlink_metadata().unwrap().file_type().is_fifo());
    let script = "for d in /disk /memory; do (exec 3<$d) 2>/dev/null && say opened $d; done; say done";
    let context = json!({"image": image, "securityContext": {"runAsUser": 1000}});
    assert_eq!(case.run(&case.pod().container(main("main", script, context))), 0);
    assert_eq!(case.trace(), ["done"]);
}

/// Gives this thread a session keyring with one key in it.
#[expect(unsafe_code, reason = "no crate of ours has keys")]
fn session_with_a_key(name: &std::ffi::CStr) {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    const SESSION_KEYRING: libc::c_long = -3;
    let none = std::ptr::null::<u8>();
    // SAFETY: system calls whose strings live through them.
    let made = unsafe {
        let joined = libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, none);
        let text = name.as_ptr();
        joined.min(libc::syscall(libc::SYS_add_key, c"user".as_ptr(), text, text, 5_usize, SESSION_KEYRING))
    };
    assert!(made > 0, "{}", std::io::Error::last_os_error());
}

/// Session keyrings go with a process into all it starts. What runs in a container, and in its hooks and probes, has a new
/// one: it doesn't hold the keys of whoever started barepod.
#[test]
fn the_callers_keys_stay_outside() {
    let Some(case) = Case::new("keys") else { return };
    // As the one whose keys these are not: what such a process sees it holds.
    let tell =
        |who: &str| format!("say {who} $(grep -c treasure /proc/keys) of $(grep -q _ses /proc/keys && echo keys)");
    let free = json!({"securityContext": {"privileged": true, "runAsUser": 1000, "runAsGroup": 1000},
        "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", format!("{}; say hooked", tell("hook"))]}}}});
    let pod = case.pod().container(main("main", &format!("await hooked; {}", tell("main")), free));
    // A thread has its own, and so has what it starts.
    let seen = std::thread::scope(|scope| {
        let with_a_key = scope.spawn(|| {
            session_with_a_key(c"barepod treasure");
            assert_eq!(case.run(&pod), 0);
            fs::read_to_string("/proc/keys").unwrap_or_default()
        });
        with_a_key.join().unwrap()
    });
    assert!(seen.contains("treasure"), "{seen}");
    assert_eq!(case.trace(), ["hook 0 of keys", "hooked", "main 0 of keys"]);
}
