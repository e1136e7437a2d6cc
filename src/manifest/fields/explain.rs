//! What `barepod explain` tells of a field: its type and meaning, which are written down in `meanings.txt`, and its fate.

use super::super::words::{Shown, nearest};
use super::{Fate, TABLES, fate};

/// A block for each type: its name, then a line for each field: name, type (with `!` where it is required), meaning.
const MEANINGS: &str = include_str!("meanings.txt");

/// A field, or the Pod or Job itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What it is called; empty: the Pod.
    pub name: &'static str,
    /// As `kubectl explain` writes it: `[]Container`.
    pub of_type: &'static str,
    /// Whether it must be there.
    pub is_required: bool,
    /// In a line.
    pub meaning: &'static str,
    /// What becomes of it here.
    pub fate: String,
    /// How deep below what was asked for it is.
    pub depth: usize,
}

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The field itself.
    pub field: Explained,
    /// The fields that it has.
    pub fields: Vec<Explained>,
    /// A part of the path below a field whose fields all share its fate.
    pub below: Option<String>,
}

/// How many of the fields below are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Below {
    /// Its own.
    Next,
    /// Also theirs, to the end.
    All,
}

/// Explains `pod.spec.containers`, `spec.containers`, `pod` or `job.spec.completions`.
///
/// # Errors
/// What is wrong with the path.
pub fn explain(path: &str, below: Below) -> Result<Explanation, String> {
    let mut steps = path.split('.').map(|step| step.split_once('[').map_or(step, |(name, _)| name)).peekable();
    let is_job = steps.next_if(|first| matches!(first.to_lowercase().as_str(), "job" | "jobs")).is_some();
    if !is_job && steps.next_if(|first| matches!(first.to_lowercase().as_str(), "pod" | "pods" | "po")).is_none() {
        let first = steps.peek().copied().unwrap_or_default();
        if rows("Pod").all(|row| row.name != first) {
            let first = first.shown();
            return Err(format!("{first}: the fields of Pods and Jobs are explained here; begin with `pod.spec`"));
        }
    }
    let (of_type, meaning) = match is_job {
        true => ("Job", "pods that run until enough of them have succeeded"),
        false => ("Pod", "containers that run together, with one network and the same volumes"),
    };
    let mut field = Explained { name: "", of_type, is_required: false, meaning, fate: "honoured".to_owned(), depth: 0 };
    let mut is_shared = false;
    while let Some(step) = steps.next() {
        let type_name = bare(field.of_type);
        if is_shared && fields(type_name).is_none() && !is_scalar(type_name) {
            let rest: Vec<&str> = std::iter::once(step).chain(steps).collect();
            return Ok(Explanation { field, fields: Vec::new(), below: Some(rest.join(".")) });
        }
        field = rows(type_name).find(|row| row.name == step).ok_or_else(|| unknown(type_name, step))?;
        is_shared = !matches!(fate(type_name, step), Some(Fate::Honoured | Fate::Partly(_)));
    }
    let mut fields = Vec::new();
    add(bare(field.of_type), below, 0, &mut fields);
    Ok(Explanation { field, fields, below: None })
}

fn unknown(type_name: &str, step: &str) -> String {
    let names: Vec<&str> = rows(type_name).map(|row| row.name).collect();
    let hint = match nearest(step, &names) {
        Some(name) => format!("; did you mean {name}?"),
        None if names.is_empty() => format!("; a {type_name} has no fields"),
        None => format!("; a {type_name} has {}", names.join(", ")),
    };
    format!("field {} does not exist{hint}", step.shown())
}

fn add(type_name: &'static str, below: Below, depth: usize, all: &mut Vec<Explained>) {
    for row in rows(type_name) {
        let inner = bare(row.of_type);
        all.push(Explained { depth, ..row });
        if below == Below::All {
            add(inner, below, depth + 1, all);
        }
    }
}

/// Whether values of the type have no fields.
fn is_scalar(type_name: &str) -> bool {
    type_name.starts_with(char::is_lowercase) || matches!(type_name, "IntOrString" | "Quantity")
}

/// `Container` of `[]Container`.
fn bare(of_type: &'static str) -> &'static str {
    let item = of_type.strip_prefix("[]").unwrap_or(of_type);
    item.strip_prefix("map[string]").unwrap_or(item)
}

/// The lines about a type; `None`: it has no table.
fn fields(type_name: &str) -> Option<&'static str> {
    let is_it = |block: &&str| block.split_once('\n').is_some_and(|(name, _)| name == type_name);
    TABLES.iter().copied().flatten().find(|(name, _)| *name == type_name)?;
    MEANINGS.split("\n\n").find(is_it).and_then(|block| Some(block.split_once('\n')?.1))
}

/// A type's fields, in the order of the API.
fn rows(type_name: &str) -> impl Iterator<Item = Explained> {
    let lines = fields(type_name).unwrap_or_default().lines();
    lines.filter_map(move |line| {
        let (name, rest) = line.split_once(' ')?;
        let (of_type, meaning) = rest.split_once(' ')?;
        let (of_type, is_required) = of_type.strip_suffix('!').map_or((of_type, false), |bare| (bare, true));
        let fate = match fate(type_name, name)?.words() {
            (word, why) if why.is_empty() => word.to_owned(),
            (word, why) => format!("{word}: {why}"),
        };
        Some(Explained { name, of_type, is_required, meaning, fate, depth: 0 })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_people_write() {
        for (path, name, of_type, fate) in [
            ("pod", "", "Pod", "honoured"),
            ("pods.spec", "spec", "PodSpec", "honoured"),
            ("job", "", "Job", "honoured"),
            ("job.spec.template.spec.containers", "containers", "[]Container", "honoured"),
            ("jobs.spec.manualSelector", "manualSelector", "boolean", "refused: "),
            ("spec.containers", "containers", "[]Container", "honoured"),
            ("pod.spec.containers[0].env[1].valueFrom.fieldRef.fieldPath", "fieldPath", "string", "honoured"),
            ("pod.spec.containers.resources.limits", "limits", "map[string]Quantity", "in part: cpu, memory"),
            ("pod.spec.affinity", "affinity", "Affinity", "warning: there is one box and no scheduler"),
            ("pod.spec.volumes.csi", "csi", "CSIVolumeSource", "refused: "),
        ] {
            let found = explain(path, Below::Next).unwrap();
            assert_eq!((found.field.name, found.field.of_type), (name, of_type), "{path}");
            assert!(found.field.fate.starts_with(fate), "{path}: {}", found.field.fate);
            assert_eq!(found.below, None, "{path}");
        }
        let below = explain("pod.spec.affinity.nodeAffinity.x", Below::Next).unwrap();
        assert_eq!((below.field.name, below.below.as_deref()), ("affinity", Some("nodeAffinity.x")));
        for (path, said) in [
            ("deployment.spec", "\"deployment\": the fields of Pods and Jobs are explained here"),
            ("pod.spec.contaners", "field \"contaners\" does not exist; did you mean containers?"),
            ("pod.spec.os.release", "field \"release\" does not exist; a PodOS has name"),
            ("pod.spec.hostname.x", "field \"x\" does not exist; a string has no fields"),
            // Scalars, honoured and not.
            (
                "pod.spec.containers.livenessProbe.httpGet.port.foo",
                "\"foo\" does not exist; a IntOrString has no fields",
            ),
            ("pod.spec.containers.resources.limits.cpu", "\"cpu\" does not exist; a Quantity has no fields"),
            ("pod.spec.overhead.cpu", "\"cpu\" does not exist; a Quantity has no fields"),
            ("x\u{1b}y\"", "\"x\\u{1b}y\\\"\": the fields of Pods and Jobs are explained here"),
            ("pod.a\\b", "field \"a\\\\b\" does not exist"),
            ("", "begin with `pod.spec`"),
        ] {
            let why = explain(path, Below::Next).unwrap_err();
            assert!(why.contains(said), "{path}: {why}");
        }
    }

    #[test]
    fn all_below() {
        let names = |path, below| {
            let all = explain(path, below).unwrap().fields;
            all.iter().map(|one| format!("{}{}", "-".repeat(one.depth), one.name)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("pod.spec.dnsConfig", Below::Next), "nameservers options searches");
        assert_eq!(names("pod.spec.dnsConfig", Below::All), "nameservers options -name -value searches");
        assert!(explain("pod", Below::All).unwrap().fields.len() > 300);
    }
}
