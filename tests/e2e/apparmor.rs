//! AppArmor (`appArmorProfile`): on boxes whose kernel has it enabled, such as the test VM's; elsewhere the refusal.

use std::fs;
use std::path::Path;

use nix::mount::MsFlags;
use serde_json::{Value, json};

use crate::harness::{Case, Manifest, main, own_mounts};

const FOLDER: &str = "/sys/kernel/security/apparmor";

/// The profile `barepod-test`, which forbids to write /tmp/denied (tests/fixtures/apparmor.profile). One test at a time has it:
/// the kernel has one profile of this name, and whoever is done takes it away.
struct Loaded {
    _turn: fs::File,
}

impl Loaded {
    /// `None`: this kernel has none.
    fn new() -> Option<Self> {
        let enabled = fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default();
        if !enabled.starts_with('Y') {
            crate::skips::skip("AppArmor is not enabled here");
            return None;
        }
        let turn = fs::File::create(std::env::temp_dir().join("barepod-test-apparmor.lock")).unwrap();
        turn.lock().unwrap();
        if !Path::new(FOLDER).exists() {
            own_mounts();
            let security = Path::new("/sys/kernel/security");
            nix::mount::mount(Some("x"), security, Some("securityfs"), MsFlags::empty(), None::<&str>).unwrap();
        }
        let profile: &[u8] = include_bytes!("../fixtures/apparmor.bin");
        fs::write(Path::new(FOLDER).join(".replace"), profile).unwrap();
        Some(Self { _turn: turn })
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let _ = fs::write(Path::new(FOLDER).join(".remove"), "barepod-test");
    }
}

fn pod(case: &Case, profile: &Value, users: bool, script: &str, more: Value) -> Manifest {
    let spec = json!({"hostUsers": users, "securityContext": {"appArmorProfile": profile}});
    case.pod().spec(spec).container(main("main", script, more))
}

/// The container's process and what a hook runs in it are under the profile, with a user namespace as well.
#[test]
fn a_profile_holds_for_all_that_runs_in_the_container() {
    if !rustix::process::geteuid().is_root() {
        return crate::skips::skip("loading a profile needs root");
    }
    let Some(_loaded) = Loaded::new() else { return };
    let local = json!({"type": "Localhost", "localhostProfile": "barepod-test"});
    let tell = |who: &str| {
        format!("say {who} $(cat /proc/self/attr/current); echo x > /tmp/denied && say {who} wrote; say {who} over")
    };
    for (name, users) in [("apparmor", true), ("apparmor-users", false)] {
        let Some(case) = Case::new(name) else { return };
        let hook = json!({"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", tell("hook")]}}}});
        let script = format!("{}; await hook over", tell("main"));
        let free = json!({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}});
        let manifest = pod(&case, &local, users, &script, hook).container(main("free", &tell("free"), free));
        assert_eq!(case.run(&manifest), 0);
        for who in ["main", "hook"] {
            assert!(case.said(&format!("{who} barepod-test (enforce)")), "{name} {who}: {:?}", case.trace());
            assert!(!case.said(&format!("{who} wrote")), "{name} {who}");
        }
        assert!(case.said("free wrote"), "{name}: {:?}", case.trace());
    }
}

/// What the box doesn't have is said before anything is made.
#[test]
fn a_profile_that_is_not_there_is_refused() {
    let Some(case) = Case::new("apparmor-none") else { return };
    let profile = json!({"type": "Localhost", "localhostProfile": "nobody-has-this"});
    let mut run = case.start(&pod(&case, &profile, true, "true", json!({})));
    // Where AppArmor is on, but its file system isn't mounted, the kernel finds it out.
    let known = !Path::new("/sys/module/apparmor").exists() || Path::new(FOLDER).exists();
    if known {
        assert_eq!(run.end(), 2);
        assert!(run.stderr().contains("spec.securityContext.appArmorProfile: invalid value"), "{}", run.stderr());
    } else {
        crate::harness::wait("the refusal", || {
            let state = case.container("main")["state"].clone();
            state["waiting"]["reason"] == "CreateContainerError"
        });
        run.signal(rustix::process::Signal::TERM);
        run.end();
    }
}

/// A bundle's profile is looked for when the container is made; the message names the field, the profile and what to do.
#[test]
fn a_bundles_profile_that_is_not_there_is_told() {
    if !rustix::process::geteuid().is_root() {
        return crate::skips::skip("loading a profile needs root");
    }
    let Some(_loaded) = Loaded::new() else { return };
    let Some(case) = Case::new("apparmor-bundle") else { return };
    for (name, profile) in [("good", "barepod-test"), ("bad", "nobody-has-this")] {
        let folder = case.dir().join(name);
        fs::create_dir(&folder).unwrap();
        let config = json!({"ociVersion": "1.2.0", "root": {"path": case.rootfs()}, "process": {"apparmorProfile": profile,
            "args": ["sh"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}}});
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
    }
    let one = |name: &str, script: &str| main(name, script, json!({"image": format!("bundle:{name}")}));
    let pod = case.pod().container(one("good", "say $(cat /proc/self/attr/current)")).container(one("bad", "say bad"));
    let mut run = case.start(&pod);
    case.wait_for("barepod-test (enforce)");
    run.wait_for_line(
        "create: process.apparmorProfile: \"nobody-has-this\": no such file or directory; has this kernel",
    );
    crate::harness::wait("its reason", || {
        case.container("bad")["state"]["waiting"]["reason"] == "CreateContainerError"
    });
    run.signal(rustix::process::Signal::TERM);
    run.end();
    assert!(!case.said("bad"), "{:?}", case.trace());
}
