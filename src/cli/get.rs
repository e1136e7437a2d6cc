//! `barepod get`: pods as a table, or as the v1 objects they are.

use k8s_openapi::api::core::v1;

use super::args::{GetArgs, GetOutput, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::print;
use super::{recover, terminal};
use crate::report::table::{self, PodRow, Width};
use crate::store::read::{self, Found, Life};

/// Shows one pod, or all.
pub fn get(args: &GetArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let rows = match &args.pod {
        Some(pod) => {
            let found = recover::look(&layout, pod)?;
            vec![PodRow { pod: recover::pod(&found)?, life: recover::life(&found)? }]
        }
        None => all(&layout, args.kubectl.namespace.as_deref())?,
    };
    match args.output {
        Some(GetOutput::Json) => print(&format!("{}\n", json(&rows, args.pod.is_some())?)),
        Some(GetOutput::Yaml) => print(&yaml(&rows, args.pod.is_some())?),
        None if rows.is_empty() => {
            tell!("no pods found");
            Ok(Exit::Success)
        }
        None => print(&table::pods(&rows, jiff::Timestamp::now(), Width::Normal, terminal::width())),
        Some(GetOutput::Wide) => print(&table::pods(&rows, jiff::Timestamp::now(), Width::Wide, terminal::width())),
    }
}

/// All pods; one that can't be read doesn't hide the others, and is shown as far as it is known.
fn all(layout: &crate::store::layout::Layout, namespace: Option<&str>) -> Result<Vec<PodRow>, CliError> {
    let mut rows = Vec::new();
    for found in read::list(layout)? {
        if namespace.is_some_and(|namespace| namespace != found.namespace) {
            continue;
        }
        match look_at(&found) {
            Ok(row) => rows.extend(row),
            Err(cause) => {
                tell!("warning: {}", recover::unreadable(&found, cause));
                rows.push(PodRow { pod: nameless(&found), life: Life::Lost });
            }
        }
    }
    Ok(rows)
}

/// One of all pods: as it is. `None`: it has made nothing, or is gone since we looked.
fn look_at(found: &Found) -> Result<Option<PodRow>, crate::store::Error> {
    let life = found.life()?;
    let Some(pod) = found.pod()? else { return without_status(found, life) };
    let (pod, note) = recover::as_it_is(found, life, pod)?;
    if let Some(note) = note {
        tell!("note: {note}");
    }
    Ok(Some(PodRow { pod, life }))
}

/// A pod that has no status: of one whose run was cut off at its very beginning, or on a full disk, its name is known, and
/// that is to be seen.
fn without_status(found: &Found, life: Life) -> Result<Option<PodRow>, crate::store::Error> {
    if found.ledger()?.is_none() {
        return Ok(None);
    }
    let name = recover::full_name(found);
    match life {
        Life::Running => {}
        Life::Ended => tell!("note: pod {name} never came to have a status; `barepod rm {name}` forgets it"),
        Life::Lost | Life::Left => {
            tell!(
                "note: the run of pod {name} was cut off at its very beginning; `barepod rm {name}` ends what is left of it"
            );
        }
    }
    Ok(Some(PodRow { pod: nameless(found), life }))
}

/// What a folder's name says of its pod.
fn nameless(found: &Found) -> v1::Pod {
    let mut pod = v1::Pod::default();
    pod.metadata.namespace = Some(found.namespace.clone());
    pod.metadata.name = Some(found.name.clone());
    pod
}

fn value(rows: &[PodRow], single: bool) -> Result<serde_json::Value, serde_json::Error> {
    let pods: Vec<&v1::Pod> = rows.iter().map(|row| &row.pod).collect();
    match (single, pods.first()) {
        (true, Some(pod)) => serde_json::to_value(pod),
        (true, None) | (false, _) => Ok(serde_json::json!({
            "apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": serde_json::to_value(pods)?
        })),
    }
}

fn json(rows: &[PodRow], single: bool) -> Result<String, CliError> {
    let text = value(rows, single).and_then(|value| serde_json::to_string_pretty(&value));
    text.map_err(|error| CliError::Format { format: "json", cause: error.to_string() })
}

fn yaml(rows: &[PodRow], single: bool) -> Result<String, CliError> {
    let fail = |cause: String| CliError::Format { format: "yaml", cause };
    let value = value(rows, single).map_err(|error| fail(error.to_string()))?;
    serde_saphyr::to_string(&value).map_err(|error| fail(error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::PodStore;
    use crate::store::identity::Identity;
    use crate::store::layout::Layout;
    use crate::store::ledger::Ledger;

    fn rows(count: usize) -> Vec<PodRow> {
        let text = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"a"}]}}"#;
        vec![PodRow { pod: serde_json::from_str(text).unwrap(), life: Life::Running }; count]
    }

    /// Its supervisor holds the lock, and so it lives, whatever the ledger says.
    #[test]
    fn a_pod_without_a_status_whose_ledger_is_damaged_is_listed() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout::at(tmp.path());
        let pod = Identity::new(&layout, "default", "web", "u");
        let store = PodStore::create(&layout, Ledger::new(&pod, "/barepod-get-test".into())).unwrap();
        let names = || {
            let rows = all(&layout, None).unwrap();
            rows.into_iter().filter_map(|row| row.pod.metadata.name).collect::<Vec<_>>()
        };
        assert_eq!(names(), ["web"]);
        std::fs::write(store.dir().join("ledger.json"), "{").unwrap();
        assert_eq!(read::list(&layout).unwrap()[0].life().unwrap(), Life::Running);
        assert_eq!(names(), ["web"]);
    }

    #[test]
    fn one_pod_is_a_pod_and_all_are_a_list() {
        insta::assert_snapshot!(json(&rows(1), true).unwrap());
        insta::assert_snapshot!(yaml(&rows(1), true).unwrap());
        insta::assert_snapshot!(yaml(&rows(2), false).unwrap());
        let none: serde_json::Value = serde_json::from_str(&json(&[], false).unwrap()).unwrap();
        assert_eq!((&none["kind"], &none["items"]), (&"List".into(), &serde_json::json!([])));
    }
}
