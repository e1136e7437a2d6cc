//! Tables for people, with kubectl's columns and words (R8.9; kubernetes pkg/printers/internalversion printPod).

use comfy_table::{ContentArrangement, Table};
use k8s_openapi::api::core::v1;

use crate::store::events::EventLine;

/// One pod of a list.
#[derive(Clone, Debug)]
pub struct PodRow {
    /// With its status.
    pub pod: v1::Pod,
    /// Nobody supervises it though it has not ended.
    pub lost: bool,
}

/// How much of a pod is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// kubectl's usual columns.
    Normal,
    /// `-o wide`: address and node too.
    Wide,
}

/// `kubectl get pods`; the namespace is a column where there is more than one.
pub fn pods(rows: &[PodRow], now: jiff::Timestamp, width: Width) -> String {
    let mut namespaces: Vec<&str> = rows.iter().map(|row| namespace(&row.pod)).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let several = namespaces.len() > 1;
    let mut header = vec!["NAME", "READY", "STATUS", "RESTARTS", "AGE"];
    if several {
        header.insert(0, "NAMESPACE");
    }
    if width == Width::Wide {
        header.extend(["IP", "NODE"]);
    }
    let lines = rows.iter().map(|row| {
        let mut line = vec![
            row.pod.metadata.name.clone().unwrap_or_default(),
            ready(&row.pod),
            if row.lost { "Unknown".to_owned() } else { status(&row.pod) },
            restarts(&row.pod, now),
            age(row.pod.metadata.creation_timestamp.as_ref(), now),
        ];
        if several {
            line.insert(0, namespace(&row.pod).to_owned());
        }
        if width == Width::Wide {
            let none = || "<none>".to_owned();
            line.push(row.pod.status.as_ref().and_then(|status| status.pod_ip.clone()).unwrap_or_else(none));
            line.push(row.pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_else(none));
        }
        line
    });
    render(&header, lines)
}

/// `kubectl events`.
pub fn events(lines: &[EventLine], now: jiff::Timestamp) -> String {
    let rows = lines.iter().map(|line| {
        let seen = ago(now, line.time);
        let last = if line.count > 1 { format!("{seen} (x{})", line.count) } else { seen };
        let object = line.container.clone().unwrap_or_else(|| "pod".to_owned());
        vec![last, line.kind.clone(), line.reason.clone(), object, line.message.clone()]
    });
    render(&["LAST SEEN", "TYPE", "REASON", "CONTAINER", "MESSAGE"], rows)
}

fn render(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| sanitize(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn namespace(pod: &v1::Pod) -> &str {
    pod.metadata.namespace.as_deref().unwrap_or("default")
}

fn inits(pod: &v1::Pod) -> &[v1::ContainerStatus] {
    pod.status.as_ref().and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default()
}

fn mains(pod: &v1::Pod) -> &[v1::ContainerStatus] {
    pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default()
}

fn is_sidecar(pod: &v1::Pod, name: &str) -> bool {
    let inits = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_ref());
    inits.into_iter().flatten().any(|one| one.name == name && one.restart_policy.as_deref() == Some("Always"))
}

/// Ready mains and sidecars over all of them.
fn ready(pod: &v1::Pod) -> String {
    let counted: Vec<_> =
        inits(pod).iter().filter(|one| is_sidecar(pod, &one.name)).chain(mains(pod)).map(|one| one.ready).collect();
    format!("{}/{}", counted.iter().filter(|&&ready| ready).count(), counted.len())
}

/// The STATUS column.
pub fn status(pod: &v1::Pod) -> String {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.clone()).unwrap_or_else(|| "Pending".to_owned());
    let reason = status.and_then(|status| status.reason.clone());
    let ended = phase == "Succeeded" || phase == "Failed";
    let shown = match initializing(pod) {
        // An ended pod that has a reason of its own shows that.
        Some(text) if !(ended && reason.is_some()) => text,
        _ => main_status(pod, reason.unwrap_or(phase)),
    };
    if pod.metadata.deletion_timestamp.is_some() && !ended { "Terminating".to_owned() } else { shown }
}

/// What the first entry of initContainers that isn't done is at.
fn initializing(pod: &v1::Pod) -> Option<String> {
    let started_main = mains(pod).iter().any(|main| {
        main.state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some())
            || main.last_state.is_some()
    });
    let statuses = inits(pod);
    for (index, one) in statuses.iter().enumerate() {
        let state = one.state.clone().unwrap_or_default();
        if is_sidecar(pod, &one.name) && (one.started == Some(true) || started_main) {
            continue;
        }
        if let Some(ended) = &state.terminated {
            if ended.exit_code == 0 {
                continue;
            }
            return Some(match (&ended.reason, ended.signal) {
                (Some(reason), _) if !reason.is_empty() => format!("Init:{reason}"),
                (_, Some(signal)) => format!("Init:Signal:{signal}"),
                (_, None) => format!("Init:ExitCode:{}", ended.exit_code),
            });
        }
        if let Some(reason) = state.waiting.and_then(|waiting| waiting.reason)
            && reason != "PodInitializing"
            && !reason.is_empty()
        {
            return Some(format!("Init:{reason}"));
        }
        return Some(format!("Init:{index}/{}", statuses.len()));
    }
    None
}

fn main_status(pod: &v1::Pod, fallback: String) -> String {
    let mut shown = fallback;
    let mut running = false;
    for main in mains(pod).iter().rev() {
        let state = main.state.clone().unwrap_or_default();
        let waiting = state.waiting.and_then(|waiting| waiting.reason).filter(|reason| !reason.is_empty());
        if let Some(reason) = waiting {
            shown = reason;
        } else if let Some(ended) = state.terminated {
            shown = match (ended.reason, ended.signal) {
                (Some(reason), _) if !reason.is_empty() => reason,
                (_, Some(signal)) => format!("Signal:{signal}"),
                (_, None) => format!("ExitCode:{}", ended.exit_code),
            };
        } else if main.ready && state.running.is_some() {
            running = true;
        }
    }
    // One main that is done doesn't make the pod look done.
    if shown == "Completed" && running {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        let ready = conditions.into_iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True");
        shown = if ready { "Running" } else { "NotReady" }.to_owned();
    }
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    match (shown.as_str(), phase) {
        // Reasons of the pod itself go before those of its containers.
        (_, Some("Failed")) => pod.status.as_ref().and_then(|status| status.reason.clone()).unwrap_or(shown),
        (_, _) => shown,
    }
}

fn restarts(pod: &v1::Pod, now: jiff::Timestamp) -> String {
    let all = || inits(pod).iter().chain(mains(pod));
    let count: i32 = all().map(|one| one.restart_count).sum();
    let last = all()
        .filter_map(|one| one.last_state.as_ref()?.terminated.as_ref()?.finished_at.as_ref())
        .map(|time| time.0.as_second())
        .max();
    match last.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) {
        Some(last) if count > 0 => format!("{count} ({} ago)", ago(now, last)),
        Some(_) | None => count.to_string(),
    }
}

fn age(time: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>, now: jiff::Timestamp) -> String {
    time.and_then(|time| jiff::Timestamp::from_second(time.0.as_second()).ok())
        .map_or_else(|| "<unknown>".to_owned(), |time| ago(now, time))
}

/// A span as kubectl has it (apimachinery duration.HumanDuration): two units at most, the second only where it matters.
fn ago(now: jiff::Timestamp, then: jiff::Timestamp) -> String {
    let seconds = (now.as_second() - then.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |big: i64, unit: char, small: i64, part: char| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{part}") }
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, 'd', hours % 24, 'h'),
        691_200..63_072_000 => format!("{days}d"),
        _ => two(days / 365, 'y', days % 365, 'd'),
    }
}

/// Text from containers and files, fit for a terminal: control characters are escaped.
pub fn sanitize(text: &str) -> String {
    text.chars()
        .flat_map(|one| {
            let escaped: Box<dyn Iterator<Item = char>> =
                if one.is_control() { Box::new(one.escape_default()) } else { Box::new(std::iter::once(one)) };
            escaped
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pod(json: &str) -> v1::Pod {
        serde_json::from_str(json).unwrap()
    }

    fn with(status: &str) -> v1::Pod {
        pod(&format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p"}},"spec":{{"initContainers":[{{"name":"i"}},{{"name":"s","restartPolicy":"Always"}}],"containers":[{{"name":"m"}}]}},"status":{status}}}"#
        ))
    }

    fn one(name: &str, state: &str, more: &str) -> String {
        format!(r#"{{"name":"{name}","image":"","imageID":"","ready":false,"restartCount":0,"state":{state}{more}}}"#)
    }

    /// R8.9
    #[test]
    fn the_status_column_says_what_kubectl_says() {
        let waiting = |reason: &str| format!(r#"{{"waiting":{{"reason":"{reason}"}}}}"#);
        let ended = |code: i32, reason: &str| format!(r#"{{"terminated":{{"exitCode":{code},"reason":"{reason}"}}}}"#);
        let running = r#"{"running":{}}"#.to_owned();
        let idle = waiting("PodInitializing");
        let cases = [
            ("Init:0/2", running.clone(), idle.clone(), "", idle.clone(), "Pending"),
            ("Init:CrashLoopBackOff", waiting("CrashLoopBackOff"), idle.clone(), "", idle.clone(), "Pending"),
            ("Init:Error", ended(1, "Error"), idle.clone(), "", idle.clone(), "Failed"),
            ("Init:1/2", ended(0, "Completed"), running.clone(), r#","started":false"#, idle.clone(), "Pending"),
            ("PodInitializing", ended(0, "Completed"), running.clone(), r#","started":true"#, idle.clone(), "Pending"),
            ("Running", ended(0, "Completed"), running.clone(), r#","started":true"#, running.clone(), "Running"),
            (
                "CrashLoopBackOff",
                ended(0, "Completed"),
                running.clone(),
                r#","started":true"#,
                waiting("CrashLoopBackOff"),
                "Running",
            ),
            ("Completed", ended(0, "Completed"), ended(143, "Error"), "", ended(0, "Completed"), "Succeeded"),
            ("OOMKilled", ended(0, "Completed"), ended(0, "Completed"), "", ended(137, "OOMKilled"), "Failed"),
        ];
        for (want, init, sidecar, more, main, phase) in cases {
            let pod = with(&format!(
                r#"{{"phase":"{phase}","initContainerStatuses":[{},{}],"containerStatuses":[{}]}}"#,
                one("i", &init, ""),
                one("s", &sidecar, more),
                one("m", &main, "")
            ));
            assert_eq!(status(&pod), want);
        }
    }

    #[test]
    fn deletion_and_the_pods_own_reason_show() {
        let mut pod = with(r#"{"phase":"Running","containerStatuses":[]}"#);
        pod.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(status(&pod), "Terminating");
        assert_eq!(status(&with(r#"{"phase":"Failed","reason":"DeadlineExceeded"}"#)), "DeadlineExceeded");
    }

    #[test]
    fn spans_are_kubectls() {
        let now = jiff::Timestamp::from_second(100_000_000).unwrap();
        for (seconds, text) in [
            (5, "5s"),
            (119, "119s"),
            (125, "2m5s"),
            (600, "10m"),
            (11_000, "3h3m"),
            (90_000, "25h"),
            (200_000, "2d7h"),
        ] {
            assert_eq!(ago(now, jiff::Timestamp::from_second(100_000_000 - seconds).unwrap()), text);
        }
    }

    #[test]
    fn control_characters_never_reach_a_terminal() {
        assert_eq!(sanitize("a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
    }
}
