#![allow(clippy::unwrap_used)]
use std::time::Duration;

use barepod_engine::spec::ContainerIndex;
use barepod_engine::status::{Condition, ConditionKind, Deletion, Phase, PodReason, TerminatedReason, WaitingReason};

use super::*;
use crate::report::{Loss, lost};

fn at(second: i64) -> WallTime {
    // Not whole seconds: Kubernetes' times are.
    WallTime::from_unix_nanos((1_795_435_200 + second) * 1_000_000_000 + 987_654_321)
}

fn manifest() -> v1::Pod {
    serde_json::from_str(
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"default","uid":"u"},
        "spec":{"initContainers":[{"name":"init","image":"rootfs:/i"},
                                  {"name":"side","image":"rootfs:/s","restartPolicy":"Always"}],
                "containers":[{"name":"main","image":"bundle:m"}]}}"#,
    )
    .unwrap()
}

fn container(name: &str, kind: Kind, state: ContainerState) -> ContainerStatus {
    ContainerStatus {
        name: name.to_owned(),
        kind,
        state,
        last_state: None,
        restart_count: 0,
        ready: false,
        started: false,
        container_id: None,
        image_id: None,
        grace_use: None,
    }
}

fn ended(exit_code: i32, reason: TerminatedReason) -> Terminated {
    Terminated {
        exit_code,
        signal: None,
        reason,
        message: String::new(),
        started_at: Some(at(1)),
        finished_at: Some(at(2)),
        container_id: Some("barepod://0".to_owned()),
    }
}

fn waiting(reason: WaitingReason, message: &str) -> ContainerState {
    ContainerState::Waiting { reason, message: message.to_owned() }
}

fn status(phase: Phase, containers: Vec<ContainerStatus>) -> PodStatus {
    let condition = |kind, status: bool, reason: Option<&str>, message: &str| Condition {
        kind,
        status,
        reason: reason.map(str::to_owned),
        message: message.to_owned(),
        last_transition: at(0),
    };
    let unready = "containers with unready status: [side main]";
    PodStatus {
        phase,
        reason: None,
        message: String::new(),
        conditions: vec![
            condition(ConditionKind::PodReadyToStartContainers, true, None, ""),
            condition(ConditionKind::Initialized, true, None, ""),
            condition(ConditionKind::Ready, false, Some("ContainersNotReady"), unready),
            condition(ConditionKind::ContainersReady, false, Some("ContainersNotReady"), unready),
            condition(ConditionKind::PodScheduled, true, None, ""),
        ],
        start_time: Some(at(0)),
        deletion: None,
        containers,
        exit_code: None,
        exit_source: None,
    }
}

fn facts() -> StatusFacts {
    let linux = v1::LinuxContainerUser { uid: 1000, gid: 2000, supplemental_groups: Some(vec![2000, 3000]) };
    let user = v1::ContainerUser { linux: Some(linux) };
    StatusFacts {
        host_ips: vec!["10.0.0.7".to_owned(), "fd00::7".to_owned()],
        pod_ips: vec!["127.0.0.1".to_owned()],
        resources: [("side".to_owned(), v1::ResourceRequirements::default())].into(),
        users: [("side".to_owned(), user)].into(),
        qos_class: "Burstable".to_owned(),
    }
}

fn running() -> PodStatus {
    let main = ContainerStatus {
        last_state: Some(Terminated {
            signal: Some(11),
            message: "last words".to_owned(),
            ..ended(139, TerminatedReason::Error)
        }),
        restart_count: 2,
        ..container("main", Kind::Main, waiting(WaitingReason::CrashLoopBackOff, "back-off 20s"))
    };
    let side = ContainerStatus {
        ready: true,
        started: true,
        container_id: Some("barepod://1".to_owned()),
        image_id: Some("rootfs:/s".to_owned()),
        ..container("side", Kind::Sidecar, ContainerState::Running { started_at: at(3) })
    };
    let init = ContainerStatus {
        ready: true,
        ..container("init", Kind::Init, ContainerState::Terminated(ended(0, TerminatedReason::Completed)))
    };
    status(Phase::Running, vec![init, side, main])
}

/// R8.1, R8.2, R8.3
#[test]
fn a_running_pod() {
    insta::assert_json_snapshot!(v1(&manifest(), &running(), &facts()));
}

/// R8.4: before anything runs, and with nothing known of the box.
#[test]
fn a_pod_at_its_beginning() {
    let idle = || waiting(WaitingReason::PodInitializing, "");
    let status = PodStatus {
        conditions: Vec::new(),
        ..status(
            Phase::Pending,
            vec![
                container("init", Kind::Init, waiting(WaitingReason::ErrImagePull, "/i: no such directory")),
                container("side", Kind::Sidecar, idle()),
                container("main", Kind::Main, idle()),
            ],
        )
    };
    insta::assert_json_snapshot!(v1(&manifest(), &status, &StatusFacts::default()).status);
}

/// R5, R8.6: deletionTimestamp is when the grace period ends; what never ran has no times.
#[test]
fn a_pod_that_is_deleted_and_failed() {
    let never = Terminated { started_at: None, ..ended(128, TerminatedReason::StartError) };
    let status = PodStatus {
        reason: Some(PodReason::DeadlineExceeded),
        message: "Pod was active on the node longer than the specified deadline".to_owned(),
        deletion: Some(Deletion { requested: at(10), grace_period: Duration::from_secs(30) }),
        ..status(Phase::Failed, vec![container("main", Kind::Main, ContainerState::Terminated(never))])
    };
    let pod = v1(&manifest(), &status, &StatusFacts::default());
    insta::assert_json_snapshot!((&pod.metadata, &pod.status));
}

/// A pod that was stopped before anything ran failed for no fault of a container's: it says why all the same.
#[test]
fn a_pod_that_was_stopped_at_its_beginning() {
    let idle = container("main", Kind::Main, waiting(WaitingReason::PodInitializing, ""));
    let failed = PodStatus {
        deletion: Some(Deletion { requested: at(10), grace_period: Duration::from_secs(30) }),
        exit_source: Some(ExitSource::Pod),
        ..status(Phase::Failed, vec![idle])
    };
    let message = |status: &PodStatus| v1(&manifest(), status, &facts()).status.unwrap().message;
    assert_eq!(message(&failed).as_deref(), Some("it was stopped on request before its containers had ended well"));
    let blamed = PodStatus { exit_source: Some(ExitSource::Container(ContainerIndex(0))), ..failed.clone() };
    assert_eq!(message(&blamed), None);
    assert_eq!(message(&PodStatus { phase: Phase::Pending, ..failed }), None);
}

/// A creation time that the manifest has (a pod that is run from `get -o json`) stays.
#[test]
fn a_known_creation_time_stays_and_an_old_status_goes() {
    let mut pod = v1(&manifest(), &running(), &facts());
    pod.metadata.creation_timestamp = Some(time(at(-100)));
    let again = v1(&pod, &status(Phase::Pending, Vec::new()), &StatusFacts::default());
    assert_eq!(again.metadata.creation_timestamp, Some(time(at(-100))));
    let again = again.status.unwrap();
    assert_eq!((again.phase.as_deref(), again.container_statuses, again.pod_ip), (Some("Pending"), None, None));
}

/// R8.6: no engine to ask, only what was written last.
#[test]
fn a_lost_pod_is_made_from_its_last_status() {
    let pod = v1(&manifest(), &running(), &facts());
    let lost_pod = lost(&pod, Loss::Killed, "2026-11-23T12:00:00Z".parse().unwrap());
    insta::assert_json_snapshot!(lost_pod.status);
    let ended = v1(&manifest(), &status(Phase::Succeeded, Vec::new()), &facts());
    assert_eq!(lost(&ended, Loss::Killed, jiff::Timestamp::UNIX_EPOCH), ended);
    let bare = lost(&manifest(), Loss::Killed, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(bare.status.unwrap().phase.as_deref(), Some("Failed"));
}

/// R8.7: 12 KiB for the messages of all containers, in equal shares, whose beginnings are kept.
#[test]
fn messages_share_their_room() {
    let last = |message: String| Terminated { message, ..ended(1, TerminatedReason::Error) };
    let names = ["a", "b", "c", "d", "e"];
    let containers = names.map(|name| ContainerStatus {
        last_state: Some(last("x".repeat(10))),
        ..container(name, Kind::Main, ContainerState::Terminated(last(format!("x{}", "ä".repeat(2000)))))
    });
    let pod = v1(&manifest(), &status(Phase::Failed, containers.into()), &facts());
    for one in pod.status.unwrap().container_statuses.unwrap() {
        let message = |state: Option<v1::ContainerState>| state.unwrap().terminated.unwrap().message.unwrap();
        // 12288 / 5 = 2457: one byte and 1228 characters of two.
        assert_eq!(message(one.state).len(), 2457);
        assert_eq!(message(one.last_state).len(), 10);
    }
}

/// R8.11: a list of its own, and nothing that the kubelet doesn't say of one.
#[test]
fn an_ephemeral_container() {
    let mut pod = manifest();
    let extra = serde_json::from_str(r#"[{"name":"eye","image":"rootfs:/tools"}]"#).unwrap();
    pod.spec.as_mut().unwrap().ephemeral_containers = Some(extra);
    let running = ContainerState::Running { started_at: at(3) };
    let all = vec![
        container("main", Kind::Main, running.clone()),
        ContainerStatus { started: true, ..container("eye", Kind::Ephemeral, running) },
    ];
    let shown = v1(&pod, &status(Phase::Running, all), &StatusFacts::default());
    let status = shown.status.as_ref().unwrap();
    assert_eq!(status.container_statuses.as_ref().unwrap().len(), 1);
    assert_eq!(status.init_container_statuses, None);
    let [eye] = &status.ephemeral_container_statuses.as_ref().unwrap()[..] else { panic!("{status:?}") };
    assert_eq!((eye.name.as_str(), eye.image.as_str(), eye.ready, eye.started), ("eye", "rootfs:/tools", false, None));
    let lost = lost(&shown, Loss::Killed, jiff::Timestamp::UNIX_EPOCH).status.unwrap();
    let [eye] = &lost.ephemeral_container_statuses.unwrap()[..] else { panic!() };
    assert!(eye.state.as_ref().unwrap().terminated.is_some() && eye.started.is_none(), "{eye:?}");
}
