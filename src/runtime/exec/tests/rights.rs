//! What comes into a container brings nothing of the box along.

use super::*;

/// CVE-2019-5736.
#[test]
fn a_container_cannot_write_to_the_binary_that_comes_in() {
    for clone in [exe::read_only_clone(), exe::sealed_copy()] {
        let Ok(clone) = clone else {
            crate::skips::skip("needs root");
            continue;
        };
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&clone));
        let opened = fs::File::options().write(true).open(&path).map_err(|cause| cause.raw_os_error());
        match opened {
            // A sealed memfd can be opened, but not written to.
            Ok(mut file) => assert_eq!(
                std::io::Write::write(&mut file, b"x").map_err(|cause| cause.raw_os_error()).unwrap_err(),
                Some(libc::EPERM)
            ),
            // ETXTBSY proves nothing, as the binary runs only now: the mount must be read-only as well.
            Err(errno) => {
                assert!(matches!(errno, Some(libc::EROFS | libc::ETXTBSY)), "{errno:?}");
                let flags = rustix::fs::fstatvfs(&clone).unwrap().f_flag;
                assert!(flags.contains(rustix::fs::StatVfsMountFlags::RDONLY));
            }
        }
        assert!(fs::metadata(path).unwrap().len() > 10_000);
    }
    if !can_run() {
        return;
    }
    let container = Container::new("cve", |config| {
        config["process"]["user"] = json!({"uid": 0, "gid": 0});
    });
    // The program's interpreter is the binary that came in: executed inside, it must be the read-only clone.
    let script = container.dir.path().join("rootfs/evil");
    fs::write(&script, "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut exec = container.begin(&container.process(&["/evil"]), None).unwrap();
    let stop = Instant::now();
    let mut seen = None;
    while seen.is_none() && stop.elapsed() < LIMIT {
        if let Some(pid) = exec.pid()
            && exec.is_executed()
        {
            let opened = fs::File::options().write(true).open(format!("/proc/{pid}/exe"));
            seen = opened.err().and_then(|cause| cause.raw_os_error());
            break;
        }
        wait(&exec);
        if let Progress::Ended(_) = exec.advance() {
            return;
        }
    }
    assert!(matches!(seen, None | Some(libc::EROFS | libc::ETXTBSY | libc::ENOENT | libc::EPERM)), "{seen:?}");
}

/// What a container with CAP_SYS_PTRACE could get hold of: whoever is in its pid namespace, from its first moment there,
/// has no more than the container, whatever stands in the way of giving it up early.
#[test]
fn nobody_comes_into_the_pid_namespace_with_rights_of_the_box() {
    if !can_run() {
        return;
    }
    let capabilities = json!(["CAP_CHOWN", "CAP_SYS_PTRACE"]);
    let container = Container::new("trace", |config| {
        let all = ["bounding", "effective", "permitted"];
        config["process"]["capabilities"] = all.into_iter().map(|set| (set.to_owned(), capabilities.clone())).collect();
    });
    let filter = Filter::new(&serde_json::from_value(seccomp()).unwrap()).unwrap();
    for (filter, no_new_privileges) in [(None, false), (Some(&filter), false), (Some(&filter), true)] {
        let mut process = container.process(&["true"]);
        process.set_no_new_privileges(Some(no_new_privileges));
        let over = std::sync::atomic::AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watch_for_rights(&container, filter.is_some() && !no_new_privileges, &over));
            for _ in 0..40 {
                let (end, _) = container.run_process(&process, filter);
                assert!(matches!(end, Ok(ExitStatus::Code(0))), "{end:?}");
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            watcher.join().unwrap()
        });
        assert!(seen > 0, "none was looked at on its way");
    }
    // One that can't be let in this way isn't let in.
    let mut profile = seccomp();
    profile["syscalls"][0]["names"] = json!(["clone"]);
    let filter = Filter::new(&serde_json::from_value(profile).unwrap()).unwrap();
    let (end, _) = container.run_process(&container.process(&["true"]), Some(&filter));
    assert!(end.unwrap_err().to_string().contains("allowPrivilegeEscalation"));
    let plain = Container::new("no-trace", |_| ());
    let (end, _) = plain.run_process(&plain.process(&["true"]), Some(&filter));
    assert!(matches!(end, Ok(ExitStatus::Code(0))), "{end:?}");
}

/// Looks at all that comes into the container until it is over; gives how many were seen before their execve.
fn watch_for_rights(container: &Container, filtered: bool, over: &std::sync::atomic::AtomicBool) -> usize {
    let own = portrait(container.pid);
    let mut seen = std::collections::BTreeSet::new();
    while !over.load(std::sync::atomic::Ordering::Relaxed) {
        for pid in pids(container).into_iter().filter(|pid| *pid != container.pid) {
            let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                line.map(|value| value.trim().to_owned()).unwrap_or_default()
            };
            if field("NSpid").split_whitespace().count() < 2 {
                continue;
            }
            if field("Name") == "barepod-exec" {
                seen.insert(pid);
            }
            for name in ["Uid", "Gid", "Groups", "CapBnd", "CapInh"] {
                assert_eq!(field(name), own[name], "{name}: {status}");
            }
            let set = |text: &str| u64::from_str_radix(text, 16).unwrap();
            assert_eq!(set(&field("CapPrm")) & !set(&own["CapBnd"]), 0, "{status}");
            assert!(!filtered || field("Seccomp") == "2", "{status}");
            for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
                let Ok(target) = fs::read_link(entry.path()) else { continue };
                let target = target.display().to_string();
                assert!(target.starts_with("pipe:") || target == "/dev/null" || target == "/bin/busybox", "{target}");
            }
            for name in ["root", "cwd"] {
                let Ok(at) = fs::metadata(format!("/proc/{pid}/{name}")) else { continue };
                assert_eq!(format!("{}:{}", at.dev(), at.ino()), own[name]);
            }
        }
    }
    seen.len()
}
