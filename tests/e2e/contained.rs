//! barepod as root of less than the box: in a user namespace (an unprivileged container), and where cgroups can't be
//! written to or aren't there at all (docs/rootless.md). Pods run, or it is said why not; nothing is tried for ever.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::user::{Ids, UID, give};
use crate::harness::{Case, Run, main, wait};

/// `unshare -Ur`: root, and nobody else.
const ALONE: &[&str] = &["unshare", "--user", "--map-root-user"];
/// As podman's and docker's rootless containers: subordinate ids, processes and /proc of its own.
const CONTAINER: &[&str] =
    &["unshare", "--user", "--map-root-user", "--map-auto", "--pid", "--fork", "--kill-child", "--mount-proc"];

fn case(name: &str, within: &[&str]) -> Option<Case> {
    let mut case = Case::of_user(name, Ids::Subordinate)?;
    case.within(within);
    Some(case)
}

/// The demo's pod: an init, a sidecar, a main that needs it; order and exit code; what isn't enforced is said.
#[test]
fn root_of_a_user_namespace_runs_pods() {
    for (name, within) in [("inside-alone", ALONE), ("inside-container", CONTAINER)] {
        let Some(case) = case(name, within) else { return };
        let volume = json!({"volumeMounts": [{"name": "site", "mountPath": "/site"}],
            "resources": {"limits": {"memory": "64Mi"}}});
        let pod = case
            .pod()
            .spec(json!({"volumes": [{"name": "site", "emptyDir": {}}]}))
            .init(main("prepare", "echo page > /site/index; say prepared", volume.clone()))
            .sidecar("web", "serve web")
            .container(main("client", "await web up; say got $(cat /site/index); exit 3", volume));
        let mut run = case.start(&pod);
        assert_eq!(run.end(), 3, "{name}: {}", run.stderr());
        assert_eq!(case.trace(), ["prepared", "web up", "got page", "web term"], "{name}");
        assert_eq!(case.phase(), "Failed");
        let text = run.stderr();
        assert_eq!(text.matches("warning:").count(), 1, "{name}: {text}");
        assert!(text.contains("nothing enforces resources.limits.memory of container \"prepare\""), "{name}: {text}");
    }
}

/// It has the ids that its namespace has: others are refused before anything is made.
#[test]
fn its_ids_are_the_namespaces() {
    let user = json!({"securityContext": {"runAsUser": 1000, "runAsGroup": 1000}});
    let Some(case) = case("inside-ids", CONTAINER) else { return };
    give(&case.rootfs(), UID);
    let mut run = case.start(&case.pod().container(main("main", "say $(id -u) $(id -g)", user.clone())));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert_eq!(case.trace(), ["1000 1000"]);
    let Some(case) = self::case("inside-no-ids", ALONE) else { return };
    let mut run = case.start(&case.pod().container(main("main", "say never", user)));
    assert_eq!(run.end(), 2, "{}", run.stderr());
    assert!(run.stderr().contains("spec.containers[0].securityContext.runAsUser"), "{}", run.stderr());
}

#[test]
fn it_is_stopped_and_killed_in_there() {
    for (name, within) in [("inside-stop", ALONE), ("inside-kill", CONTAINER)] {
        let Some(case) = case(name, within) else { return };
        let pod = case.pod().sidecar("side", "serve side").main("main", "(setsid sleep 1000) & serve main");
        let mut run = case.start(&pod);
        case.wait_for("main up");
        if name == "inside-stop" {
            run.signal(Signal::TERM);
            assert_eq!(run.end(), 0, "{}", run.stderr());
            assert!(case.trace().ends_with(&["main term".to_owned(), "side term".to_owned()]), "{:?}", case.trace());
        } else {
            // The container's first process goes with it (--kill-child), and so do all others.
            run.kill();
            wait("the end of the pod's processes", || case.marked().is_empty());
            let output = case.barepod(&["rm", "--force", case.name()]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// Its pods are kept where root's are. `unshare -Ur` on a box can't write there, which is said with what helps.
#[test]
fn the_boxs_folders_are_not_its_own() {
    let Some(case) = case("inside-folders", ALONE) else { return };
    let path = case.write(&case.pod().main("main", "say never").text());
    let mut command = case.command_at(&[], &["run"]);
    command.arg(path).stderr(fs::File::create(case.dir().join("err.txt")).unwrap());
    let mut run = Run::of(&case, &mut command);
    assert_eq!(run.end(), 125, "{}", run.stderr());
    let text = run.stderr();
    assert!(text.contains("--root"), "{text}");
    assert!(case.trace().is_empty());
}

/// Runs the rest in a mount namespace in which each mount of a cgroup hierarchy has been dealt with.
fn with_cgroups(deal: &str) -> String {
    format!(
        "awk '$0 ~ / - cgroup2? / {{ print $5 }}' /proc/self/mountinfo | sort -r | while read -r at; do {deal}; done; \
         exec \"$@\""
    )
}

const READ_ONLY: &str = "mount -o remount,bind,ro \"$at\"";
const ABSENT: &str = "umount -l \"$at\"";

/// Root of the box: nothing would keep its containers from devices.
#[test]
fn root_without_cgroups_is_refused() {
    for (deal, why) in [(READ_ONLY, "none can be written to"), (ABSENT, "no cgroup hierarchy")] {
        let Some(mut case) = Case::new("no-cgroups") else { return };
        case.within(&["unshare", "--mount", "bash", "-c", &with_cgroups(deal), "with"]);
        let mut run = case.start(&case.pod().main("main", "say never"));
        assert_eq!(run.end(), 125, "{}", run.stderr());
        let text = run.stderr();
        assert!(text.contains(why), "{text}");
        assert!(case.trace().is_empty() && !case.state().exists());
    }
}

/// Root of a user namespace needs none.
#[test]
fn root_of_a_user_namespace_needs_no_cgroups() {
    for (name, deal) in [("inside-read-only", READ_ONLY), ("inside-absent", ABSENT)] {
        let Some(mut case) = Case::new(name) else { return };
        let script = with_cgroups(deal).replace("exec \"$@\"", "exec unshare --user --map-root-user \"$@\"");
        case.within(&["unshare", "--mount", "bash", "-c", &script, "with"]);
        let mut run = case.start(&case.pod().main("main", "say ran; exit 4"));
        assert_eq!(run.end(), 4, "{}", run.stderr());
        assert_eq!(case.trace(), ["ran"]);
    }
}
