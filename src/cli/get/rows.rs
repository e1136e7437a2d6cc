//! The pods that `barepod get` is asked for.

use k8s_openapi::api::core::v1;

use super::super::args::GetArgs;
use super::super::error::CliError;
use super::super::recover;
use crate::manifest::Selector;
use crate::report::table::{Namespaces, PodRow};
use crate::store::layout::Layout;
use crate::store::read::{self, Found, Life};

/// The pods of these names, and what is wrong with those that can't be shown.
pub(super) fn named(layout: &Layout, names: &[String]) -> (Vec<PodRow>, Vec<CliError>) {
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let row = recover::look(layout, name)
            .and_then(|found| Ok(PodRow { pod: recover::pod(&found)?, life: recover::life(&found)? }));
        match row {
            Ok(row) => rows.push(row),
            Err(error) => failures.push(error),
        }
    }
    (rows, failures)
}

/// All pods, or those that labels choose.
pub(super) fn all(
    layout: &Layout,
    namespace: Option<&str>,
    selector: Option<&Selector>,
) -> Result<Vec<PodRow>, CliError> {
    let mut rows = Vec::new();
    for found in read::list(layout)? {
        if namespace.is_some_and(|namespace| namespace != found.namespace) {
            continue;
        }
        let looked = look_at(&found, selector);
        if let Some(note) = looked.note {
            tell!("{note}");
        }
        rows.extend(looked.row);
    }
    Ok(rows)
}

/// What there is to be shown of a pod, and to be said.
#[derive(Clone, Debug, Default)]
pub(super) struct Looked {
    /// `None`: it isn't chosen, has made nothing, or is gone since we looked.
    pub(super) row: Option<PodRow>,
    pub(super) note: Option<String>,
}

/// One of all pods: as it is. One that can't be read doesn't hide the others, and is shown as far as it is known. Where labels
/// choose, it is left out behind its warning: nobody knows its labels.
pub(super) fn look_at(found: &Found, selector: Option<&Selector>) -> Looked {
    read_pod(found, selector).unwrap_or_else(|cause| Looked {
        row: selector.is_none().then(|| PodRow { pod: nameless(found), life: Life::Lost }),
        note: Some(format!("warning: {}", recover::unreadable(found, cause))),
    })
}

fn read_pod(found: &Found, selector: Option<&Selector>) -> Result<Looked, crate::store::Error> {
    let life = found.life()?;
    let Some(pod) = found.pod()? else {
        let looked = without_status(found, life)?;
        return Ok(Looked { row: looked.row.filter(|_| selector.is_none()), ..looked });
    };
    if selector.is_some_and(|selector| !selector.chooses(&pod)) {
        return Ok(Looked::default());
    }
    let (pod, note) = recover::as_it_is(found, life, pod)?;
    Ok(Looked { row: Some(PodRow { pod, life }), note: note.map(|note| format!("note: {note}")) })
}

/// A pod that has no status: of one whose run was cut off at its very beginning, or on a full disk, its name is known, and
/// that is to be seen.
fn without_status(found: &Found, life: Life) -> Result<Looked, crate::store::Error> {
    if found.ledger()?.is_none() {
        return Ok(Looked::default());
    }
    let name = recover::full_name(found);
    let note = match life {
        Life::Running => None,
        Life::Ended => Some(format!("note: pod {name} never came to have a status; `barepod rm {name}` forgets it")),
        Life::Lost | Life::Left => Some(format!(
            "note: the run of pod {name} was cut off at its very beginning; `barepod rm {name}` ends what is left of it"
        )),
    };
    Ok(Looked { row: Some(PodRow { pod: nameless(found), life }), note })
}

/// What a folder's name says of its pod.
fn nameless(found: &Found) -> v1::Pod {
    let mut pod = v1::Pod::default();
    pod.metadata.namespace = Some(found.namespace.clone());
    pod.metadata.name = Some(found.name.clone());
    pod
}

/// `pod/NAME` as kubectl writes it. Other commands take that as well, and find the pod where `known`, the names of all pods, has
/// the name once: else the namespace is in it, but for one that was given.
pub(super) fn names(rows: &[PodRow], namespace: Option<&str>, known: &[String]) -> String {
    let line = |row: &PodRow| {
        let name = row.pod.metadata.name.as_deref().unwrap_or_default();
        let is_plain = namespace.is_some() || known.iter().filter(|one| *one == name).count() < 2;
        match row.pod.metadata.namespace.as_deref().filter(|_| !is_plain) {
            Some(namespace) => format!("pod/{namespace}/{name}\n"),
            None => format!("pod/{name}\n"),
        }
    };
    rows.iter().map(line).collect()
}

/// Whether the namespace is a column: with `-A` always, as kubectl has it.
pub(super) fn namespaces<'r>(args: &GetArgs, rows: impl IntoIterator<Item = &'r PodRow>) -> Namespaces {
    if args.pods.all_namespaces { Namespaces::Shown } else { Namespaces::of(rows) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::PodStore;
    use crate::store::identity::Identity;
    use crate::store::ledger::Ledger;

    /// Its supervisor holds the lock, and so it lives, whatever the ledger says.
    #[test]
    fn a_pod_without_a_status_whose_ledger_is_damaged_is_listed() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout::at(tmp.path());
        let pod = Identity::new(&layout, "default", "web", "u");
        let store = PodStore::create(&layout, Ledger::new(&pod, "/barepod-get-test".into())).unwrap();
        let names = || {
            let rows = all(&layout, None, None).unwrap();
            rows.into_iter().filter_map(|row| row.pod.metadata.name).collect::<Vec<_>>()
        };
        assert_eq!(names(), ["web"]);
        std::fs::write(store.dir().join("ledger.json"), "{").unwrap();
        assert_eq!(read::list(&layout).unwrap()[0].life().unwrap(), Life::Running);
        assert_eq!(names(), ["web"]);
        // Nobody knows its labels.
        assert!(all(&layout, None, Some(&Selector::parse("!app").unwrap())).unwrap().is_empty());
    }

    #[test]
    fn pods_are_chosen_by_their_labels_and_called_by_their_names() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout::at(tmp.path());
        let mut stores = Vec::new();
        for (namespace, name, labels) in [
            ("default", "web", serde_json::json!({"app": "web"})),
            ("ops", "web", serde_json::json!({"app": "web", "tier": "ops"})),
            ("ops", "db", serde_json::json!({})),
        ] {
            let pod = Identity::new(&layout, namespace, name, "u");
            let ledger = Ledger::new(&pod, format!("/barepod-get-{namespace}-{name}").into());
            let store = PodStore::create(&layout, ledger).unwrap();
            let metadata = serde_json::json!({"namespace": namespace, "name": name, "labels": labels});
            let spec = serde_json::json!({"containers": [{"name": "a"}]});
            let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
            store.write_pod(&serde_json::from_value(pod).unwrap()).unwrap();
            stores.push(store);
        }
        let known = ["web", "db", "web"].map(str::to_owned);
        let chosen = |namespace, selector: &str| {
            let rows = all(&layout, namespace, Some(&Selector::parse(selector).unwrap())).unwrap();
            names(&rows, namespace, &known)
        };
        assert_eq!(chosen(None, "app=web"), "pod/default/web\npod/ops/web\n");
        assert_eq!(chosen(None, "app!=web"), "pod/db\n");
        assert_eq!(chosen(Some("ops"), "app"), "pod/web\n");
        assert_eq!(chosen(None, "app=none"), "");
        let asked = ["ops/web", "none", "db"].map(str::to_owned);
        let (rows, failures) = named(&layout, &asked);
        assert_eq!(names(&rows, None, &known), "pod/ops/web\npod/db\n");
        assert_eq!(failures.len(), 1);
    }
}
