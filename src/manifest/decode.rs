//! The way from bytes to a checked Pod: text, tree, types, rules. Each stage runs as far as the ones before let it, so
//! that a file's errors come in one go.

use std::cell::Cell;
use std::collections::BTreeSet;

use k8s_openapi::api::core::v1;

use super::diagnostic::{Diagnostic, MOST_DIAGNOSTICS, Severity};
use super::path::FieldPath;
use super::report::Report;
use super::tree::{Node, Value, place};
use super::validate::Known;
use super::wording::{self, Wording};
use super::words::printable;
use super::{Beside, Finding, Manifest, Objects, Wrong, de, exported, objects, parse, text, validate};

/// Decodes and checks a manifest: `bytes` is YAML or JSON, `name` what the text is called in messages. ConfigMaps and
/// Secrets may be further documents of it. What the Pod refers to outside is not looked for: see [`decode_beside`].
///
/// Nothing is defaulted: see [`super::apply_defaults`].
///
/// # Errors
/// Everything that is wrong with the text, in order of position, with the warnings between.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Manifest, Report> {
    decode_manifest(name, bytes, Objects::default(), None)
}

/// As [`decode`], and what the Pod refers to (ConfigMaps, Secrets, claims) must be in the text or in `beside`.
///
/// # Errors
/// As [`decode`], and `Not found` for each reference that leads nowhere and isn't optional.
pub fn decode_beside(name: &str, bytes: &[u8], beside: &Beside) -> Result<Manifest, Report> {
    decode_manifest(name, bytes, beside.objects.clone(), Some(&beside.claims))
}

/// Decodes a file of ConfigMaps and Secrets into `objects`; gives a report of what has no effect in it, if anything.
///
/// # Errors
/// Everything that is wrong with the text, an object that there is already included.
pub fn decode_objects(name: &str, bytes: &[u8], into: &mut Objects) -> Result<Option<Report>, Report> {
    let trees = |text: &str| match parse::parse_all(text, wording::CONFIG)? {
        trees if trees.is_empty() => Err(wording::empty(wording::CONFIG)),
        trees => Ok(trees),
    };
    let (text, diagnostics) = decode_documents(name, bytes, wording::CONFIG, trees, |text, trees| {
        let read = |tree: &Node| match objects::kind_of(tree) {
            Some(kind) => objects::read(kind, tree, into),
            None => wrong_kind(tree, &["ConfigMap", "Secret"]),
        };
        let found = trees.iter().map(read).collect();
        (objects::without_secrets(text, trees), found)
    })?;
    Ok((!diagnostics.is_empty()).then(|| Report { name: name.to_owned(), text, diagnostics }))
}

/// Says of a manifest that has been decoded what was found out about it later, as [`decode`] says what is wrong with it.
///
/// # Errors
/// All findings, in order of position; `Ok`: there are none.
pub fn refuse(name: &str, bytes: &[u8], findings: &[Finding]) -> Result<(), Report> {
    // Nothing is parsed once more for nothing.
    if findings.is_empty() {
        return Ok(());
    }
    let trees = |text: &str| Ok(trees_of(text)?.0);
    let (_, warnings) = decode_documents(name, bytes, wording::MANIFEST, trees, |_, trees| {
        let pod = trees.iter().position(|tree| objects::kind_of(tree).is_none()).unwrap_or(0);
        let mut found = vec![Vec::new(); pod];
        found.push(findings.iter().map(said).collect());
        ((), found)
    })?;
    debug_assert!(warnings.is_empty(), "there are errors or nothing: {warnings:?}");
    Ok(())
}

fn said(finding: &Finding) -> Diagnostic {
    let field = &finding.field;
    let diagnostic = match &finding.wrong {
        Wrong::Absent { value } => Diagnostic::not_found(field, value),
        Wrong::Unusable { value, why } => Diagnostic::invalid(field, value.as_str(), printable(why)),
        Wrong::Missing { why } => Diagnostic::required(field, &printable(why)),
    };
    match &finding.help {
        Some(help) => diagnostic.help(printable(help)),
        None => diagnostic,
    }
}

fn decode_manifest(
    name: &str,
    bytes: &[u8],
    mut objects: Objects,
    claims: Option<&BTreeSet<String>>,
) -> Result<Manifest, Report> {
    let left_out = Cell::new(Vec::new());
    let trees = |text: &str| {
        let (trees, said) = trees_of(text)?;
        left_out.set(said);
        if trees.is_empty() { Err(wording::empty(wording::MANIFEST)) } else { Ok(trees) }
    };
    let (pod, warnings) = decode_documents(name, bytes, wording::MANIFEST, trees, |text, trees| {
        // Objects first: the Pod may stand before what it refers to.
        let kinds: Vec<_> = trees.iter().map(objects::kind_of).collect();
        let is_alone = trees.len() == 1;
        let mut found: Vec<Vec<Diagnostic>> = trees
            .iter()
            .zip(&kinds)
            .map(|(tree, kind)| match kind {
                Some(kind) if !is_alone => objects::read(*kind, tree, &mut objects),
                _ => Vec::new(),
            })
            .collect();
        let mut pods = (0..trees.len()).filter(|at| is_alone || kinds[*at].is_none());
        let Some(at) = pods.next() else {
            let missing = Diagnostic::error(&FieldPath::root(), "no Pod: a manifest holds exactly one");
            found[0].push(missing.help("name the files of ConfigMaps and Secrets with --config"));
            return (v1::Pod::default(), found);
        };
        found.extend(pods.map(|more| vec![wording::second_document(text, &trees[more], wording::MANIFEST)]));
        let tree = &trees[at];
        let (pod, mut said) = match wrong_kind(tree, &["Pod"]) {
            wrong if wrong.is_empty() => checked(tree, claims.map(|claims| Known { objects: &objects, claims })),
            wrong => (v1::Pod::default(), wrong),
        };
        said.append(&mut left_out.take());
        found[at] = said;
        (pod, found)
    })?;
    Ok(Manifest { pod, objects, warnings })
}

/// A manifest's documents without what a cluster put into a Pod and nobody here can serve, and what is said about that.
fn trees_of(text: &str) -> Result<(Vec<Node>, Vec<Diagnostic>), Diagnostic> {
    let mut trees = parse::parse_all(text, wording::MANIFEST)?;
    let mut said = Vec::new();
    if let Some(pod) = trees.iter_mut().find(|tree| objects::kind_of(tree).is_none()) {
        said = exported::leave_tokens_out(pod, text);
    }
    Ok((trees, said))
}

/// Text to a value by way of a tree; what `read` finds gets its place, and duplicate keys are found here.
pub(super) fn decode_text<T>(
    name: &str,
    bytes: &[u8],
    wording: Wording,
    read: impl FnOnce(&Node) -> (T, Vec<Diagnostic>),
) -> Result<(T, Vec<Diagnostic>), Report> {
    let trees = |text: &str| Ok(vec![parse::parse(text, wording)?]);
    decode_documents(name, bytes, wording, trees, |_, trees| {
        let (value, found) = read(&trees[0]);
        (value, vec![found])
    })
}

/// As [`decode_text`], of several documents: `read` gives what it finds for each of the trees, then what has its place
/// already.
fn decode_documents<T>(
    name: &str,
    bytes: &[u8],
    wording: Wording,
    parse: impl FnOnce(&str) -> Result<Vec<Node>, Diagnostic>,
    read: impl FnOnce(&str, &[Node]) -> (T, Vec<Vec<Diagnostic>>),
) -> Result<(T, Vec<Diagnostic>), Report> {
    let report = |text: &str, diagnostics| Report { name: name.to_owned(), text: text.to_owned(), diagnostics };
    let text = text::text_of(bytes, wording).map_err(|failed| report(&failed.0, vec![failed.1]))?;
    let text = &*text;
    let trees = parse(text).map_err(|diagnostic| report(text, vec![diagnostic]))?;
    let (value, found) = read(text, &trees);
    let mut diagnostics = Vec::new();
    for (at, mut found) in found.into_iter().enumerate() {
        for diagnostic in &mut found {
            if let Some(tree) = trees.get(at).filter(|_| diagnostic.location.is_none()) {
                diagnostic.location = Some(place(text, &tree.locate(&diagnostic.field, diagnostic.aim)));
            }
        }
        diagnostics.append(&mut found);
    }
    for tree in &trees {
        tree.duplicates(&mut FieldPath::root(), text, &mut diagnostics);
    }
    diagnostics.sort_by_key(|d| d.location.as_ref().map_or(0, |location| location.span.start));
    if diagnostics.len() > MOST_DIAGNOSTICS {
        let rest = diagnostics.split_off(MOST_DIAGNOSTICS);
        if rest.iter().all(|diagnostic| diagnostic.severity != Severity::Error) {
            diagnostics.push(Diagnostic::warning(&FieldPath::root(), "too many warnings: the rest is not shown"));
        } else {
            diagnostics.push(Diagnostic::error(&FieldPath::root(), "too many errors: the rest is not shown"));
        }
    }
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(report(&objects::without_secrets(text, &trees), diagnostics));
    }
    Ok((value, diagnostics))
}

/// Errors of a text that is of none of these kinds at all: then there is no use in naming all fields that they don't have.
fn wrong_kind(tree: &Node, kinds: &[&str]) -> Vec<Diagnostic> {
    let root = FieldPath::root();
    if !matches!(tree.value, Value::Mapping(_)) {
        return vec![
            Diagnostic::error(&root, "a manifest is a map")
                .help(format!("it starts with apiVersion: v1 and kind: {}", kinds[0])),
        ];
    }
    if let Some(entry) = tree.get("kind")
        && let Value::Scalar(scalar) = &entry.value.value
        && let Some(help) = way_out(&scalar.text)
    {
        return vec![Diagnostic::unsupported(&root.child("kind"), &scalar.text, kinds).help(help)];
    }
    [("apiVersion", &["v1"][..]), ("kind", kinds)]
        .into_iter()
        .filter_map(|(key, wanted)| {
            let field = root.child(key);
            let help = format!("write {key}: {}", wanted.join(" or "));
            match tree.get(key).map(|entry| &entry.value.value) {
                Some(Value::Scalar(scalar)) if wanted.contains(&scalar.text.as_str()) => None,
                Some(Value::Scalar(scalar)) if !scalar.is_null() => {
                    Some(Diagnostic::unsupported(&field, &scalar.text, wanted).help(help))
                }
                Some(Value::Sequence(_) | Value::Mapping(_)) => {
                    Some(Diagnostic::error(&field, "Invalid type: must be a string").at_key().help(help))
                }
                Some(Value::Scalar(_)) | None => Some(Diagnostic::required(&field, "").help(help)),
            }
        })
        .collect()
}

/// Of a kind that is another one of Kubernetes': what to do instead. Then its apiVersion is no fault of its own.
fn way_out(kind: &str) -> Option<String> {
    let article = if kind.starts_with(['A', 'E', 'I', 'O']) { "an" } else { "a" };
    let template = match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" => "spec.template",
        "CronJob" => "spec.jobTemplate.spec.template",
        "PodTemplate" => "template",
        "List" | "PodList" => return Some("this is a list: give one of its items, a Pod".to_owned()),
        "Service"
        | "Ingress"
        | "Namespace"
        | "ServiceAccount"
        | "PersistentVolume"
        | "PersistentVolumeClaim"
        | "HorizontalPodAutoscaler"
        | "NetworkPolicy"
        | "PodDisruptionBudget"
        | "Role"
        | "RoleBinding"
        | "ClusterRole"
        | "ClusterRoleBinding"
        | "CustomResourceDefinition"
        | "Node" => {
            return Some(format!(
                "this is {article} {kind}, which only a cluster has a use for; barepod runs single Pods"
            ));
        }
        _ => return None,
    };
    Some(format!(
        "this is {article} {kind}: barepod runs the Pod it would make; take what is below its {template}, and write \
         apiVersion: v1, kind: Pod and a metadata.name to it"
    ))
}

/// The Pod, and what is wrong with it. Rules say nothing about what could not be read.
fn checked(tree: &Node, known: Option<Known<'_>>) -> (v1::Pod, Vec<Diagnostic>) {
    let read = de::from_tree::<v1::Pod>(tree);
    let mut diagnostics = read.found;
    diagnostics.extend(validate::validate(&read.value, &read.broken, known));
    (read.value, diagnostics)
}
