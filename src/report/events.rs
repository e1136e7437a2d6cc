//! A pod's or a Job's events as the v1 objects that clients of Kubernetes know (R8.8): what a kubelet would have sent.

use std::collections::BTreeSet;

use k8s_openapi::List;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::v1_time;
use crate::store::events::EventLine;

/// `source.component` and `reportingComponent`.
const COMPONENT: &str = "barepod";

/// What events are about.
#[derive(Clone, Debug)]
pub enum About {
    /// A pod, at least with its name, namespace and uid.
    Pod(Box<v1::Pod>),
    /// A Job's metadata.
    Job(Box<ObjectMeta>),
}

impl About {
    /// Its name and more.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Pod(pod) => &pod.metadata,
            Self::Job(metadata) => metadata,
        }
    }
}

/// An event on a line of its own: the v1 object, and what it has no room for.
#[derive(Debug, Serialize)]
pub struct EventObject<'a> {
    #[serde(flatten)]
    event: v1::Event,
    /// When it last happened, to the nanosecond; v1's times have seconds.
    time: jiff::Timestamp,
    /// The container's name; null: the pod.
    container: Option<&'a str>,
}

/// Each event of a pod or a Job.
pub fn objects<'a>(about: &About, lines: &'a [EventLine]) -> Vec<EventObject<'a>> {
    let events = v1_events(about, lines);
    let both = lines.iter().zip(events);
    both.map(|(line, event)| EventObject { event, time: line.time, container: line.container.as_deref() }).collect()
}

/// All events as an EventList.
pub fn list<'a>(pods: impl IntoIterator<Item = (&'a About, &'a [EventLine])>) -> List<v1::Event> {
    let items = pods.into_iter().flat_map(|(about, lines)| v1_events(about, lines)).collect();
    List { items, metadata: Default::default() }
}

fn v1_events(about: &About, lines: &[EventLine]) -> Vec<v1::Event> {
    let mut taken = BTreeSet::new();
    let numbered = lines.iter().map(|line| {
        // What happened at the same moment gets the moments after, as names are unique.
        let mut number = line.first().as_nanosecond();
        while !taken.insert(number) {
            number += 1;
        }
        v1_event(about, line, number)
    });
    numbered.collect()
}

fn v1_event(about: &About, line: &EventLine, number: i128) -> v1::Event {
    let meta = about.metadata();
    let (version, kind, pod) = match about {
        About::Pod(pod) => ("v1", "Pod", Some(&**pod)),
        About::Job(_) => ("batch/v1", "Job", None),
    };
    let host = pod.and_then(|pod| pod.spec.as_ref()?.node_name.clone());
    let (first, last) = (v1_time(line.first().as_second()), v1_time(line.time.as_second()));
    v1::Event {
        metadata: ObjectMeta {
            // As client-go makes it (tools/record/event.go `makeEvent`).
            name: Some(format!("{}.{number:x}", meta.name.as_deref().unwrap_or_default())),
            namespace: meta.namespace.clone(),
            creation_timestamp: Some(first.clone()),
            ..ObjectMeta::default()
        },
        involved_object: v1::ObjectReference {
            api_version: Some(version.to_owned()),
            kind: Some(kind.to_owned()),
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            field_path: pod.and_then(|pod| Some(field_path(pod, line.container.as_deref()?))),
            resource_version: None,
        },
        type_: Some(line.kind.clone()),
        reason: Some(line.reason.clone()),
        message: Some(line.message.clone()),
        count: Some(i32::try_from(line.count).unwrap_or(i32::MAX)),
        first_timestamp: Some(first),
        last_timestamp: Some(last),
        source: Some(v1::EventSource { component: Some(COMPONENT.to_owned()), host: host.clone() }),
        reporting_component: Some(COMPONENT.to_owned()),
        reporting_instance: host,
        ..v1::Event::default()
    }
}

/// As the kubelet names a container (pkg/kubelet/container/ref.go).
fn field_path(about: &v1::Pod, name: &str) -> String {
    let mut inits = about.spec.iter().flat_map(|spec| &spec.init_containers).flatten();
    let mut extra = about.spec.iter().flat_map(|spec| &spec.ephemeral_containers).flatten();
    let list = if inits.any(|one| one.name == name) {
        "initContainers"
    } else if extra.any(|one| one.name == name) {
        "ephemeralContainers"
    } else {
        "containers"
    };
    format!("spec.{list}{{{name}}}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pod() -> About {
        let text = r#"{"metadata": {"name": "web", "namespace": "shop", "uid": "u-1"}, "spec": {"nodeName": "box",
            "initContainers": [{"name": "proxy"}], "containers": [{"name": "main"}]}}"#;
        About::Pod(serde_json::from_str(text).unwrap())
    }

    fn lines() -> Vec<EventLine> {
        let line = |container: Option<&str>, first: Option<&str>, count| EventLine {
            time: "2026-11-23T12:00:00.123456789Z".parse().unwrap(),
            first: first.map(|first| first.parse().unwrap()),
            kind: "Warning".into(),
            reason: "Unhealthy".into(),
            container: container.map(str::to_owned),
            message: "Readiness probe failed: no".into(),
            count,
        };
        vec![line(Some("proxy"), Some("2026-11-23T11:00:00.5Z"), 12), line(Some("main"), None, 1), line(None, None, 1)]
    }

    #[test]
    fn events_are_an_event_list() {
        insta::assert_json_snapshot!(list([(&pod(), &lines()[..])]));
    }

    /// The keys that scripts have read from the first day, and v1's own, on one line.
    #[test]
    fn a_line_has_a_v1_event_and_the_exact_time_and_container() {
        let (pod, lines) = (pod(), lines());
        let text = serde_json::to_string(&objects(&pod, &lines)[0]).unwrap();
        insta::assert_snapshot!(text);
        let event: v1::Event = serde_json::from_str(&text).unwrap();
        assert_eq!(event, list([(&pod, &lines[..])]).items[0]);
    }

    #[test]
    fn events_of_a_job_are_about_it() {
        let metadata = ObjectMeta { name: Some("pi".into()), uid: Some("u-2".into()), ..ObjectMeta::default() };
        let about = list([(&About::Job(Box::new(metadata)), &lines()[2..])]).items.remove(0).involved_object;
        let words = [about.api_version, about.kind, about.name, about.uid].map(Option::unwrap);
        assert_eq!(words, ["batch/v1", "Job", "pi", "u-2"]);
    }

    #[test]
    fn what_happens_at_one_moment_has_names_of_its_own() {
        let names: BTreeSet<_> =
            list([(&pod(), &lines()[..])]).items.into_iter().map(|event| event.metadata.name).collect();
        assert_eq!(names.len(), 3);
    }
}
