//! `describe`: one pod for people, section by section as kubectl has them, and what its containers need together at
//! each moment (R9.1), from the very function that sets the pod's cgroup.

mod containers;
mod handlers;
pub mod job;
mod volumes;

use std::path::Path;

use barepod_engine::spec::Kind;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::page::{Field, Page, field};
use super::{grace, table};
use crate::plan::Bytes;
use crate::plan::huge_pages;
use crate::plan::init_kind;
use crate::plan::resources::{self, Amounts};
use crate::store::events::EventLine;
use crate::store::read::has_ended;

/// What a pod is shown by.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// With its status.
    pub pod: &'a v1::Pod,
    /// What happened to it, equal ones merged; `None`: that isn't asked for.
    pub events: Option<&'a [EventLine]>,
    /// To tell how long ago that was.
    pub now: jiff::Timestamp,
    /// What its supervisor was asked to do about memory.
    pub memory_qos: Option<&'a str>,
    /// What could not be removed when it had ended, and why.
    pub left: &'a [String],
    /// Of a pod that was detached: where its supervisor says what it has to say, and the last lines of that.
    pub supervisor: Option<(&'a Path, &'a [String])>,
    /// Columns of the terminal; `None`: lines are as long as they are.
    pub width: Option<usize>,
}

const NONE: &str = "<none>";

/// The whole page.
pub fn describe(described: &Described<'_>) -> String {
    let &Described { pod, events, now, memory_qos, left, supervisor, width } = described;
    let mut page = Page::new(width);
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    page.fields(&head(pod, &spec, &status, now));
    let inits = spec.init_containers.as_deref().unwrap_or_default();
    if !inits.is_empty() {
        page.fields(&[field(0, "Init Containers", NOTHING)]);
        for container in inits {
            let status = status_of(&status.init_container_statuses, &container.name);
            containers::describe(&mut page, pod, container, init_kind(container), &status);
        }
    }
    page.fields(&[field(0, "Containers", NOTHING)]);
    for container in &spec.containers {
        let status = status_of(&status.container_statuses, &container.name);
        containers::describe(&mut page, pod, container, Kind::Main, &status);
    }
    let extra = spec.ephemeral_containers.as_deref().unwrap_or_default();
    if !extra.is_empty() {
        page.fields(&[field(0, "Ephemeral Containers", NOTHING)]);
    }
    for container in extra {
        let status = status_of(&status.ephemeral_container_statuses, &container.name);
        containers::describe_ephemeral(&mut page, pod, container, &status);
    }
    effective(&mut page, &spec);
    conditions(&mut page, &status);
    volumes::describe(&mut page, &spec);
    page.fields(&[field(0, "QoS Class", [status.qos_class.as_deref().unwrap_or(resources::qos_class(pod))])]);
    if let Some(qos) = memory_qos {
        page.fields(&[field(0, "Memory QoS", [qos])]);
    }
    left_behind(&mut page, pod, left);
    if let Some((log, lines)) = supervisor {
        let log = log.display().to_string();
        page.fields(&[field(0, "Supervisor", NOTHING), field(1, "Log", [log])]);
        if !lines.is_empty() {
            page.fields(&[field(1, "Last Lines", lines)]);
        }
    }
    if let Some(events) = events {
        happened(&mut page, events, now);
    }
    page.into_text()
}

/// What is still there of a pod that has ended, why, and what to do about it.
fn left_behind(page: &mut Page, pod: &v1::Pod, left: &[String]) {
    if left.is_empty() {
        return;
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let name = format!("{}/{}", text(&pod.metadata.namespace), text(&pod.metadata.name));
    let advice =
        format!("mend what keeps it from being removed, then `barepod rm {name}` removes the rest and forgets the pod");
    page.fields(&[field(0, "Left Behind", NOTHING), field(1, "Not removed", left), field(1, "What to do", [advice])]);
}

/// Of a field that is only a head.
const NOTHING: [&str; 0] = [];

fn status_of(list: &Option<Vec<v1::ContainerStatus>>, name: &str) -> v1::ContainerStatus {
    list.iter().flatten().find(|one| one.name == name).cloned().unwrap_or_default()
}

fn head(pod: &v1::Pod, spec: &v1::PodSpec, status: &v1::PodStatus, now: jiff::Timestamp) -> Vec<Field> {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut fields = vec![
        field(0, "Name", [pod.metadata.name.as_deref().unwrap_or(NONE)]),
        field(0, "Namespace", [pod.metadata.namespace.as_deref().unwrap_or("default")]),
        field(0, "UID", [pod.metadata.uid.as_deref().unwrap_or(NONE)]),
    ];
    let node = text(&spec.node_name).unwrap_or_else(|| NONE.to_owned());
    let node = text(&status.host_ip).map_or(node.clone(), |ip| format!("{node}/{ip}"));
    fields.push(field(0, "Node", [node]));
    fields.push(field(0, "Start Time", [status.start_time.as_ref().map_or(NONE.to_owned(), time)]));
    fields.push(field(0, "Labels", map(pod.metadata.labels.iter().flatten(), "=")));
    // What describe shows in its own words isn't shown as JSON too.
    let annotations = pod.metadata.annotations.iter().flatten().filter(|(key, _)| *key != grace::ANNOTATION);
    fields.push(field(0, "Annotations", map(annotations, ": ")));
    let phase = text(&status.phase).unwrap_or_else(|| "Pending".to_owned());
    match &pod.metadata.deletion_timestamp {
        Some(deletion) if !has_ended(pod) => {
            let until = deletion.0.as_second() - now.as_second();
            let lasts = if until > 0 { format!("{until}s left") } else { "its grace period is over".to_owned() };
            fields.push(field(0, "Status", [format!("Terminating ({lasts})")]));
        }
        Some(_) | None => fields.push(field(0, "Status", [phase])),
    }
    if let Some(seconds) = pod.metadata.deletion_grace_period_seconds {
        fields.push(field(0, "Termination Grace Period", [format!("{seconds}s")]));
    }
    fields.extend(text(&status.reason).map(|reason| field(0, "Reason", [reason])));
    fields.extend(text(&status.message).map(|message| field(0, "Message", message.lines())));
    let ips: Vec<&str> = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str()).collect();
    let alone = !ips.is_empty() && ips.iter().all(|ip| matches!(*ip, "127.0.0.1" | "::1"));
    fields.push(field(0, "IPs", if ips.is_empty() { vec![NONE] } else { ips }));
    if alone && spec.host_network != Some(true) {
        fields.push(field(
            0,
            "Network",
            ["loopback only: nothing comes in from outside the pod, and nothing goes out"],
        ));
    }
    fields
}

/// One line for each, `<none>` where there is none.
fn map<'a>(entries: impl Iterator<Item = (&'a String, &'a String)>, between: &str) -> Vec<String> {
    let mut lines: Vec<String> = entries.map(|(key, value)| format!("{key}{between}{value}")).collect();
    if lines.is_empty() {
        lines.push(NONE.to_owned());
    }
    lines
}

/// As kubectl writes times; UTC, as a static binary knows no other zone.
fn time(time: &Time) -> String {
    jiff::Timestamp::from_second(time.0.as_second()).map_or_else(|_| "<unknown>".to_owned(), clock)
}

fn clock(time: jiff::Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// What is needed at each index of the init phase and with the mains, and what the pod gets for it.
fn effective(page: &mut Page, spec: &v1::PodSpec) {
    page.fields(&[field(0, "Effective Resources", NOTHING)]);
    let cells = |requests: Amounts, limits: Amounts| {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        [
            text(requests.cpu.map(|cpu| cpu.to_string())),
            text(limits.cpu.map(|cpu| cpu.to_string())),
            text(requests.memory.map(|memory| memory.to_string())),
            text(limits.memory.map(|memory| memory.to_string())),
        ]
    };
    let row = |name: String, requests, limits| {
        let mut row = vec![name];
        row.extend(cells(requests, limits));
        row
    };
    // Requests of huge pages are their limits, so a column for both.
    let huge = huge_pages::effective(spec);
    let at_moments: Vec<_> = huge.keys().map(|name| huge_pages::moments(spec, name)).collect();
    let with = |mut row: Vec<String>, amounts: &mut dyn Iterator<Item = Option<Bytes>>| {
        row.extend(amounts.map(|amount| amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string())));
        row
    };
    let whole = resources::effective(spec);
    let pod = row("Pod".to_owned(), whole.requests, whole.limits);
    let mut rows = vec![with(pod, &mut huge.values().copied().map(Some))];
    for (at, moment) in resources::moments(spec).into_iter().enumerate() {
        let name = match moment.init {
            Some(one) if init_kind(one) == Kind::Sidecar => format!("  from {} on", one.name),
            Some(one) => format!("  while {} runs", one.name),
            None => "  with the containers".to_owned(),
        };
        let row = row(name, moment.sum.requests, moment.sum.limits);
        rows.push(with(row, &mut at_moments.iter().map(|sums| sums.get(at).copied().flatten())));
    }
    if let Some(own) = &spec.resources {
        let (requests, limits) = resources::listed(own);
        let row = row("  set for the pod".to_owned(), requests, limits);
        rows.push(with(row, &mut huge.keys().map(|name| huge_pages::listed(own, name))));
    }
    if let Some(overhead) = &spec.overhead {
        let overhead = v1::ResourceRequirements { requests: Some(overhead.clone()), ..Default::default() };
        let row = row("  overhead, added".to_owned(), resources::listed(&overhead).0, Amounts::default());
        rows.push(with(row, &mut huge.keys().map(|name| huge_pages::listed(&overhead, name))));
    }
    let header = ["", "CPU Request", "CPU Limit", "Memory Request", "Memory Limit"];
    let header: Vec<&str> = header.into_iter().chain(huge.keys().map(String::as_str)).collect();
    page.table(1, &header, &rows);
}

fn conditions(page: &mut Page, status: &v1::PodStatus) {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    if conditions.is_empty() {
        return page.fields(&[field(0, "Conditions", [NONE])]);
    }
    page.fields(&[field(0, "Conditions", NOTHING)]);
    let rows: Vec<Vec<String>> = conditions
        .iter()
        .map(|one| {
            let why = [&one.reason, &one.message].into_iter().flatten().map(String::as_str).collect::<Vec<_>>();
            vec![one.type_.clone(), one.status.clone(), why.join(": ")]
        })
        .collect();
    page.table(1, &["Type", "Status", "Reason"], &rows);
}

fn happened(page: &mut Page, events: &[EventLine], now: jiff::Timestamp) {
    if events.is_empty() {
        return page.fields(&[field(0, "Events", [NONE])]);
    }
    page.fields(&[field(0, "Events", NOTHING)]);
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            let object = event.container.clone().unwrap_or_else(|| "pod".to_owned());
            vec![event.kind.clone(), event.reason.clone(), table::last_seen(event, now), object, event.message.clone()]
        })
        .collect();
    page.table(1, &["Type", "Reason", "Age", "Container", "Message"], &rows);
}

#[cfg(test)]
mod tests;
