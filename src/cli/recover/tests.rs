#![allow(clippy::unwrap_used)]
use std::fs;

use super::*;
use crate::store::identity;
use crate::store::ledger::Ledger;

const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"default","uid":"u"},
    "spec":{"containers":[{"name":"main"}]},
    "status":{"phase":"Running","containerStatuses":[
        {"name":"main","image":"","imageID":"","ready":true,"restartCount":0,"started":true,"state":{"running":{}}}]}}"#;

/// A pod whose supervisor is dead. Its cgroup never existed, so that nothing of this machine is touched.
fn lost_pod(layout: &Layout) -> Found {
    let pod = Identity::new(layout, "default", "web", "u");
    let cgroup = format!("/barepod-recover-test-{}/{}", std::process::id(), pod.cgroup_name());
    let ledger = Ledger { supervisor_pid: 1, supervisor_start: 2, ..Ledger::new(&pod, cgroup.into()) };
    let data_dir = ledger.data_dir.clone();
    let store = PodStore::create(layout, ledger).unwrap();
    store.write_pod(&serde_json::from_str(POD).unwrap()).unwrap();
    fs::create_dir_all(store.dir().join("containers/main/0")).unwrap();
    fs::create_dir_all(data_dir.join("volumes/v")).unwrap();
    drop(store);
    read::find(layout, "web").unwrap()
}

fn reason(found: &Found) -> Option<String> {
    found.pod().unwrap().unwrap().status.unwrap().reason
}

/// R8.6
#[test]
fn a_lost_pod_without_an_engine_is_swept_and_failed() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let found = lost_pod(&layout);
    assert_eq!(found.life().unwrap(), Life::Lost);
    let found = find(&layout, "web").unwrap();
    assert_eq!(found.life().unwrap(), Life::Ended);
    assert_eq!(reason(&found).as_deref(), Some("SupervisorLost"));
    assert!(
        !found.dir.join("containers").exists() && !Identity::new(&layout, "default", "web", "u").data_dir().exists()
    );
    let events: Vec<_> = found.events().unwrap().into_iter().map(|event| event.reason).collect();
    assert_eq!(events, ["SupervisorLost"]);
    // Once is enough.
    find(&layout, "web").unwrap();
    assert_eq!(found.events().unwrap()[0].count, 1);
}

#[test]
fn what_cant_be_understood_doesnt_keep_a_pod_from_being_removed() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let found = lost_pod(&layout);
    fs::write(found.dir.join("state.json"), "{\"of\": \"another version\"}").unwrap();
    assert_eq!(reason(&find(&layout, "web").unwrap()).as_deref(), Some("SupervisorLost"));
    let mut store = PodStore::take_over(&layout, "default", "web", &|_| {}).unwrap();
    assert!(store.finish(Remains::default()).unwrap().words().is_empty());
    store.remove().unwrap();
    let found = lost_pod(&layout);
    fs::write(found.dir.join("pod.json"), "{").unwrap();
    let found = find(&layout, "web").unwrap();
    assert_eq!(found.life().unwrap(), Life::Ended);
}

#[test]
fn a_run_that_was_cut_off_at_once_is_forgotten() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let dir = identity::state_dir(&layout, "default", "web");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("lock"), "4711\n").unwrap();
    assert!(matches!(find(&layout, "web"), Err(CliError::CutOff(name)) if name == "default/web"));
    assert!(!dir.exists());
    assert!(matches!(find(&layout, "web"), Err(CliError::Store(Error::NotFound(_)))));
    clean_if_lost(&layout, "default", "web").unwrap();
}

#[test]
fn a_pod_that_lives_is_left_alone() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    lost_pod(&layout);
    let _supervisor = PodStore::take_over(&layout, "default", "web", &|_| {}).unwrap();
    let found = find(&layout, "web").unwrap();
    assert_eq!(found.life().unwrap(), Life::Running);
    assert_eq!(reason(&found), None);
    assert!(found.dir.join("containers").exists());
}
