//! Tables for people, with kubectl's columns and words (R8.9; kubernetes pkg/printers/internalversion printPod).

mod growing;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use barepod_engine::spec::Kind;
use comfy_table::{ContentArrangement, Table};
use k8s_openapi::api::core::v1;

use super::page::{Page, field, sanitize};
use crate::plan::Bytes;
use crate::plan::huge_pages;
use crate::plan::init_kind;
use crate::plan::resources::{self, Amounts};
use crate::store::events::EventLine;
use crate::store::read::{Life, has_ended};

pub use growing::Growing;
pub use shown::{Shown, Width};

/// One pod of a list.
#[derive(Clone, Debug)]
pub struct PodRow {
    /// With its status.
    pub pod: v1::Pod,
    /// Whether somebody looks after it.
    pub life: Life,
}

/// `kubectl get pods`. Where a line is longer than the `terminal` is wide, in columns, each pod is a block of lines.
pub fn pods(
    rows: &[PodRow],
    now: jiff::Timestamp,
    shown: &Shown,
    namespaces: Namespaces,
    terminal: Option<usize>,
) -> String {
    let header = header(shown, namespaces);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let lines: Vec<Vec<String>> = rows.iter().map(|row| cells(row, now, shown, namespaces)).collect();
    within(terminal, columns(&header, lines.iter().cloned()), || blocks(&header, &lines, terminal))
}

/// Whether the pods' namespaces are a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// The first.
    Shown,
    /// None.
    Left,
}

impl Namespaces {
    /// A column where there is more than one: kubectl never shows pods of several unasked.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a PodRow>) -> Self {
        let all: BTreeSet<&str> = rows.into_iter().map(|row| namespace(&row.pod)).collect();
        if all.len() > 1 { Self::Shown } else { Self::Left }
    }
}

/// The names of the columns of [`cells`].
pub fn header(shown: &Shown, namespaces: Namespaces) -> Vec<String> {
    let mut header = vec!["NAME", "READY", "STATUS", "RESTARTS", "AGE"];
    if namespaces == Namespaces::Shown {
        header.insert(0, "NAMESPACE");
    }
    if shown.width == Width::Wide {
        header.extend(["IP", "NODE", "REQUESTS", "LIMITS"]);
    }
    header.into_iter().map(str::to_owned).chain(shown.names_of_labels()).collect()
}

/// A pod's line.
pub fn cells(row: &PodRow, now: jiff::Timestamp, shown: &Shown, namespaces: Namespaces) -> Vec<String> {
    let mut line = vec![
        shown.name(row.pod.metadata.name.as_deref().unwrap_or_default()),
        ready(&row.pod),
        status_of(row),
        restarts(&row.pod, now),
        age(row.pod.metadata.creation_timestamp.as_ref(), now),
    ];
    if namespaces == Namespaces::Shown {
        line.insert(0, namespace(&row.pod).to_owned());
    }
    if shown.width == Width::Wide {
        let none = || "<none>".to_owned();
        line.push(row.pod.status.as_ref().and_then(|status| status.pod_ip.clone()).unwrap_or_else(none));
        line.push(row.pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_else(none));
        let whole = row.pod.spec.as_ref().map(resources::effective).unwrap_or_default();
        let huge = row.pod.spec.as_ref().map(huge_pages::effective).unwrap_or_default();
        line.extend([whole.requests, whole.limits].map(|amounts| amounts_of(amounts, &huge).unwrap_or_else(none)));
    }
    line.extend(shown.labels_of(&row.pod));
    line
}

/// A text, or another where it has lines that are longer than the terminal is wide.
pub(super) fn within(terminal: Option<usize>, text: String, other: impl FnOnce() -> String) -> String {
    let fits = |width: usize| text.lines().all(|line| line.chars().count() <= width);
    if terminal.is_none_or(fits) { text } else { other() }
}

/// Each row as lines of `HEAD: cell`, with an empty line between two.
pub(super) fn blocks(header: &[&str], rows: &[Vec<String>], terminal: Option<usize>) -> String {
    let block = |row: &Vec<String>| {
        let mut page = Page::new(terminal);
        let fields: Vec<_> = header.iter().zip(row).map(|(head, cell)| field(0, head, [cell.as_str()])).collect();
        page.fields(&fields);
        page.into_text()
    };
    rows.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// How long ago something happened last, how often it did and since when (kubectl pkg/cmd/events `getInterval`).
pub(super) fn last_seen(event: &EventLine, now: jiff::Timestamp) -> String {
    let seen = ago(now, event.time);
    match event.count {
        0..=1 => seen,
        count => format!("{seen} (x{count} over {})", ago(now, event.first())),
    }
}

/// Columns for a terminal: whatever is in a cell, it stays one line and speaks to nobody but the reader.
pub fn columns(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
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

/// What the pod as a whole requests or may use (R9.1): `cpu=500m,memory=64Mi`.
fn amounts_of(amounts: Amounts, huge_pages: &BTreeMap<String, Bytes>) -> Option<String> {
    let cpu = amounts.cpu.map(|cpu| format!("cpu={cpu}"));
    let memory = amounts.memory.map(|memory| format!("memory={memory}"));
    let huge = huge_pages.iter().map(|(name, amount)| format!("{name}={amount}"));
    let all: Vec<String> = cpu.into_iter().chain(memory).chain(huge).collect();
    (!all.is_empty()).then(|| all.join(","))
}

/// The namespace of a pod, which may be left out in its manifest.
pub fn namespace(pod: &v1::Pod) -> &str {
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
    inits.into_iter().flatten().any(|one| one.name == name && init_kind(one) == Kind::Sidecar)
}

/// Ready mains and sidecars over all of them.
fn ready(pod: &v1::Pod) -> String {
    let sidecars = inits(pod).iter().filter(|one| is_sidecar(pod, &one.name));
    let ready = sidecars.chain(mains(pod)).filter(|one| one.ready).count();
    let spec = pod.spec.as_ref();
    let declared = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    let all = declared.filter(|one| is_sidecar(pod, &one.name)).count() + spec.map_or(0, |spec| spec.containers.len());
    format!("{ready}/{all}")
}

/// The STATUS column, of a pod that nobody may look after.
fn status_of(row: &PodRow) -> String {
    let phase = row.pod.status.as_ref().and_then(|status| status.phase.as_deref());
    match row.life {
        Life::Lost if !has_ended(&row.pod) => "Unknown".to_owned(),
        // It has ended, and that is not all that is to be known of it.
        Life::Left => "CleanupFailed".to_owned(),
        // How, nobody saw.
        Life::Ended if phase.is_none() => "Unknown".to_owned(),
        Life::Running | Life::Ended | Life::Lost => status(&row.pod),
    }
}

/// The phase, with the STATUS column where that says more, and how many containers are ready: for one line.
pub fn summary(pod: &v1::Pod) -> String {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    let shown = status(pod);
    let more = if shown == phase { String::new() } else { format!(" ({shown})") };
    let ready = if has_ended(pod) { String::new() } else { format!(", {} ready", ready(pod)) };
    sanitize(&format!("{phase}{more}{ready}"))
}

/// The STATUS column.
pub fn status(pod: &v1::Pod) -> String {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.clone()).unwrap_or_else(|| "Pending".to_owned());
    let reason = status.and_then(|status| status.reason.clone());
    let ended = has_ended(pod);
    let shown = match initializing(pod) {
        // An ended pod that has a reason of its own shows that.
        Some(text) if !(ended && reason.is_some()) => text,
        _ => main_status(pod, reason.unwrap_or(phase)),
    };
    if pod.metadata.deletion_timestamp.is_some() && !ended { "Terminating".to_owned() } else { shown }
}

fn has_condition(pod: &v1::Pod, kind: &str) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|one| one.type_ == kind && one.status == "True")
}

/// What the first entry of initContainers that isn't done is at; `None` in a pod that was initialized once.
fn initializing(pod: &v1::Pod) -> Option<String> {
    if has_condition(pod, "Initialized") {
        return None;
    }
    let statuses = inits(pod);
    for (index, one) in statuses.iter().enumerate() {
        let state = one.state.clone().unwrap_or_default();
        if is_sidecar(pod, &one.name) && one.started == Some(true) {
            continue;
        }
        if let Some(ended) = &state.terminated {
            if ended.exit_code == 0 {
                continue;
            }
            return Some(format!("Init:{}", end_of(ended)));
        }
        // Nothing waits in a pod that has ended: it never began.
        if has_ended(pod) {
            return None;
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

fn end_of(ended: &v1::ContainerStateTerminated) -> String {
    match (&ended.reason, ended.signal) {
        (Some(reason), _) if !reason.is_empty() => reason.clone(),
        (_, Some(signal)) if signal != 0 => format!("Signal:{signal}"),
        (_, Some(_) | None) => format!("ExitCode:{}", ended.exit_code),
    }
}

/// The worst reason of the mains (R8.9): the first in the spec's order that isn't `Completed`, where there is one.
fn main_status(pod: &v1::Pod, fallback: String) -> String {
    let status = pod.status.as_ref();
    // Reasons of the pod itself go before those of its containers.
    if let Some(reason) = status.and_then(|status| status.reason.clone())
        && status.and_then(|status| status.phase.as_deref()) == Some("Failed")
    {
        return reason;
    }
    let has_begun = |one: &&v1::ContainerStatus| one.state.as_ref().is_some_and(|state| state.waiting.is_none());
    let ended = has_ended(pod);
    let reasons: Vec<String> = mains(pod).iter().filter(|one| !ended || has_begun(one)).filter_map(reason_of).collect();
    if let Some(worst) = reasons.iter().find(|reason| *reason != COMPLETED) {
        return worst.clone();
    }
    let running = mains(pod).iter().any(|main| main.ready && main.state.as_ref().is_some_and(|s| s.running.is_some()));
    match (reasons.is_empty(), running) {
        (true, _) => fallback,
        // A main that never began is no success, whatever the others are.
        (false, false) if fallback == "Failed" => fallback,
        (false, false) => COMPLETED.to_owned(),
        // One main that is done doesn't make the pod look done.
        (false, true) => if has_condition(pod, "Ready") { "Running" } else { "NotReady" }.to_owned(),
    }
}

const COMPLETED: &str = "Completed";

/// Why a container doesn't run.
fn reason_of(container: &v1::ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone()).filter(|reason| !reason.is_empty());
    waiting.or_else(|| state.terminated.as_ref().map(end_of))
}

/// While the pod initializes those of its initContainers, from then on those of sidecars and mains (as kubectl).
fn restarts(pod: &v1::Pod, now: jiff::Timestamp) -> String {
    let counted: Vec<&v1::ContainerStatus> = if initializing(pod).is_some() {
        inits(pod).iter().collect()
    } else {
        inits(pod).iter().filter(|one| is_sidecar(pod, &one.name)).chain(mains(pod)).collect()
    };
    let count: i32 = counted.iter().map(|one| one.restart_count).sum();
    let last = counted
        .iter()
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
pub fn ago(now: jiff::Timestamp, then: jiff::Timestamp) -> String {
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
        63_072_000..252_288_000 => two(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests;
