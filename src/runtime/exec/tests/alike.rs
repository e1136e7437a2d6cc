//! An exec'd process is what the container's init is.

use super::*;

/// Compares an exec'd process with the init, field by field.
fn compare(container: &Container, filter: Option<&Filter>) {
    for _ in 0..2 {
        let mut exec = container.begin(&container.process(&["sleep", "100000"]), filter).unwrap();
        let pid = until_executed(&mut exec);
        let (inits, ours) = (portrait(container.pid), portrait(pid));
        for (name, value) in &inits {
            assert_eq!(&ours[name], value, "{name}");
        }
        let mut fds: Vec<_> =
            fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        fds.sort();
        assert_eq!(fds, ["0", "1", "2"]);
        // The init's are what runc's runtime (Go) has left; a program of ours starts with none.
        assert!(fs::read_to_string(format!("/proc/{pid}/status")).unwrap().contains("SigIgn:\t0000000000000000\n"));
        assert!(!fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap().contains("0::/\n"));
        exec.kill_tree().unwrap();
        assert!(matches!(finish(&mut exec), Ok(ExitStatus::Signal(9))));
    }
}

#[test]
fn a_process_is_what_the_init_is() {
    if can_run() {
        compare(&Container::new("plain", |_| ()), None);
    }
}

#[test]
fn a_process_is_what_a_root_init_is() {
    if can_run() {
        let container = Container::new("root", |config| {
            config["process"]["user"] = json!({"uid": 0, "gid": 0});
            config["process"]["capabilities"]["ambient"] = json!([]);
            config["process"]["capabilities"]["inheritable"] = json!([]);
            config["process"]["oomScoreAdj"] = json!(700);
        });
        compare(&container, None);
    }
}

#[test]
fn a_process_is_what_the_init_of_a_user_namespace_is() {
    if can_run() {
        let container = Container::new("userns", |config| {
            let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
            config["linux"]["uidMappings"] = map.clone();
            config["linux"]["gidMappings"] = map;
            config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        });
        for entry in ["work", "tmp"] {
            std::os::unix::fs::chown(container.dir.path().join("rootfs").join(entry), Some(101_000), None).unwrap();
        }
        compare(&container, None);
        let (end, output) = container.run(&["id", "-u"]);
        assert!(matches!(end, Ok(ExitStatus::Code(0))), "{end:?}");
        assert_eq!(output, "1000\n");
    }
}

#[test]
fn a_process_has_the_inits_seccomp_filter() {
    if !can_run() {
        return;
    }
    for no_new_privileges in [false, true] {
        let container = Container::new(&format!("seccomp-{no_new_privileges}"), |config| {
            config["linux"]["seccomp"] = seccomp();
            config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        });
        let profile: LinuxSeccomp = serde_json::from_value(seccomp()).unwrap();
        let filter = Filter::new(&profile).unwrap();
        compare(&container, Some(&filter));
        // Compiled by the first, remembered for the others.
        for _ in 0..2 {
            let process = container.process(&["mkdir", "/tmp/new"]);
            let (end, output) = container.run_process(&process, Some(&filter));
            assert!(matches!(end, Ok(ExitStatus::Code(1))), "{end:?}");
            assert!(output.contains("Operation not supported"), "{output}");
        }
        // SCMP_CMP_MASKED_EQ: 8 is refused, 0 is not.
        let mut process = container.process(&["sh", "-c", "true"]);
        process.set_cwd("/".into());
        assert!(matches!(container.run_process(&process, Some(&filter)).0, Ok(ExitStatus::Code(0))));
    }
}
