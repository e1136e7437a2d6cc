//! The texts that a command is given: manifests, and what is given beside them. Says what is wrong or odd about them.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1;

use super::args::{ChosenPods, RunArgs};
use super::error::CliError;
use super::terminal;
use crate::manifest::{self, Beside, Finding, Objects};
use crate::plan::{self, Difference};
use crate::report::grace;

/// The text of a file, or of standard input, and what it is called in messages.
pub(super) fn text_of(file: &Path) -> Result<(String, Vec<u8>), CliError> {
    let fail = |source| CliError::Read { path: file.to_owned(), source };
    // One byte more than is looked at: who reads it says what is too long, and /dev/zero has no end.
    let most = manifest::MOST_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes).map_err(fail)?;
        return Ok(("<stdin>".to_owned(), bytes));
    }
    std::fs::File::open(file).and_then(|open| open.take(most).read_to_end(&mut bytes)).map_err(fail)?;
    Ok((file.display().to_string(), bytes))
}

/// Reads and checks the manifest; prints what is accepted without effect. What it refers to is not looked for.
pub(super) fn read(file: &Path) -> Result<v1::Pod, CliError> {
    let (name, bytes) = text_of(file)?;
    let decoded = manifest::decode(&name, &bytes).map_err(refused)?;
    warn(&name, &bytes, &decoded.warnings, Detail::Some);
    Ok(decoded.pod)
}

/// The pod that a manifest describes, as `NAMESPACE/NAME`: for commands about a pod that it was run from with the same
/// `--namespace`.
pub(super) fn name_in(file: &Path, namespace: Option<&str>) -> Result<String, CliError> {
    named(file, namespace).map(|named| named.name)
}

/// A manifest, and the pod that it describes.
pub(super) struct Named {
    /// As `NAMESPACE/NAME`.
    pub(super) name: String,
    /// As written.
    pub(super) pod: v1::Pod,
    /// ConfigMaps and Secrets that its text has, too.
    pub(super) objects: Objects,
    /// What its text is called in messages.
    text_name: String,
    text: Vec<u8>,
}

impl Named {
    /// Says what else is wrong with it, each with its place.
    pub(super) fn refuse(&self, findings: &[Finding]) -> Result<(), CliError> {
        manifest::refuse(&self.text_name, &self.text, findings).map_err(refused)
    }
}

/// As [`name_in`], with the manifest itself.
pub(super) fn named(file: &Path, namespace: Option<&str>) -> Result<Named, CliError> {
    let (text_name, bytes) = text_of(file)?;
    let manifest::Manifest { mut pod, objects, .. } = manifest::decode(&text_name, &bytes).map_err(refused)?;
    in_namespace(&mut pod, namespace)?;
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    match pod.metadata.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => Ok(Named { name: format!("{namespace}/{name}"), pod, objects, text_name, text: bytes }),
        None => Err(CliError::Words(format!(
            "{text_name}: the manifest has no metadata.name, so that each run of it has another: name the pod itself"
        ))),
    }
}

/// What is different between a pod that runs and its manifest; both have the API server's defaults then, and nothing that
/// barepod notes in a pod.
pub(super) fn differences(running: &mut v1::Pod, wanted: &mut v1::Pod) -> Vec<Difference> {
    manifest::apply_defaults(wanted);
    for pod in [&mut *running, &mut *wanted] {
        if let Some(annotations) = &mut pod.metadata.annotations {
            annotations.remove(grace::ANNOTATION);
        }
    }
    plan::diff(running, wanted)
}

/// Adds the ConfigMaps and Secrets of files to those that there are.
pub(super) fn read_objects(files: &[PathBuf], into: &mut Objects) -> Result<(), CliError> {
    for file in files {
        let (name, bytes) = text_of(file)?;
        if let Some(warnings) = manifest::decode_objects(&name, &bytes, into).map_err(refused)? {
            terminal::show(&warnings.render(manifest_colour()));
        }
    }
    Ok(())
}

/// The pods that a command is given, by name and by manifest.
pub(super) fn names(pods: &ChosenPods) -> Result<Vec<String>, CliError> {
    let of_files = pods.filename.iter().map(|file| name_in(file, pods.namespace.as_deref()));
    pods.names.iter().cloned().map(Ok).chain(of_files).collect()
}

/// `--namespace`; as with kubectl it doesn't go over what the manifest says.
pub(super) fn in_namespace(pod: &mut v1::Pod, asked: Option<&str>) -> Result<(), CliError> {
    let Some(asked) = asked else { return Ok(()) };
    manifest::check_name(asked).map_err(|why| CliError::Manifest(format!("error: --namespace {asked:?}: {why}\n")))?;
    match &pod.metadata.namespace {
        Some(own) if own != asked => Err(CliError::Words(format!(
            "--namespace {asked} and the manifest's metadata.namespace {own} contradict each other"
        ))),
        _ => {
            pod.metadata.namespace = Some(asked.to_owned());
            Ok(())
        }
    }
}

/// A manifest with what was given beside it, and its text.
pub(super) struct Given {
    pub(super) pod: v1::Pod,
    pub(super) objects: Objects,
    pub(super) name: String,
    pub(super) text: Vec<u8>,
}

/// As [`read`], with the ConfigMaps and Secrets of `--config`; the manifest must find in them what it refers to.
pub(super) fn read_beside(args: &RunArgs, claims: &BTreeMap<String, PathBuf>) -> Result<Given, CliError> {
    let dash = Path::new("-");
    if std::iter::once(&args.file).chain(&args.config).filter(|file| file.as_path() == dash).count() > 1 {
        return Err(CliError::Usage("only one of FILE and --config can be standard input"));
    }
    let mut beside = Beside { objects: Objects::default(), claims: claims.keys().cloned().collect() };
    for file in &args.config {
        let (name, bytes) = text_of(file)?;
        let warnings = manifest::decode_objects(&name, &bytes, &mut beside.objects).map_err(refused)?;
        if let Some(warnings) = warnings.filter(|_| !args.quiet) {
            terminal::show(&warnings.render(manifest_colour()));
        }
    }
    let (name, bytes) = text_of(&args.file)?;
    let decoded = manifest::decode_beside(&name, &bytes, &beside).map_err(refused)?;
    let detail = match (args.quiet, args.verbose) {
        (true, _) => Detail::None,
        (false, true) => Detail::Each,
        (false, false) => Detail::Some,
    };
    warn(&name, &bytes, &decoded.warnings, detail);
    Ok(Given { pod: decoded.pod, objects: decoded.objects, name, text: bytes })
}

pub(super) fn refused(report: manifest::Report) -> CliError {
    CliError::Manifest(report.render(manifest_colour()))
}

/// Prints warnings: of all fields that mean nothing here one line, unless each is asked for.
fn warn(name: &str, bytes: &[u8], warnings: &[manifest::Diagnostic], detail: Detail) {
    if detail == Detail::None {
        return;
    }
    let each = |diagnostic: &&manifest::Diagnostic| {
        detail == Detail::Each || diagnostic.severity != manifest::Severity::NoEffect
    };
    let shown: Vec<manifest::Diagnostic> = warnings.iter().filter(each).cloned().collect();
    if !shown.is_empty() {
        terminal::show(&manifest::render(name, &manifest::shown_text(bytes), &shown, manifest_colour()));
    }
    if let Some(line) = manifest::without_effect(name, warnings).filter(|_| detail == Detail::Some) {
        terminal::warn(&line);
    }
}

/// How much is said of what has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// Nothing.
    None,
    /// A line.
    Some,
    /// A word about each field.
    Each,
}

/// Of what is said about a text on standard error.
pub(super) fn manifest_colour() -> manifest::Colour {
    if terminal::has_colours(&std::io::stderr()) { manifest::Colour::Ansi } else { manifest::Colour::Plain }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The pod that `run -n NAMESPACE` of the same file makes.
    #[test]
    fn which_pod_a_manifest_means() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pod.yaml");
        let name = |metadata: &str, asked| {
            let spec = "{containers: [{name: a, image: \"rootfs:/x\"}]}";
            let text = format!("apiVersion: v1\nkind: Pod\nmetadata: {metadata}\nspec: {spec}\n");
            std::fs::write(&file, text).unwrap();
            name_in(&file, asked).map_err(|error| error.to_string())
        };
        for (metadata, asked, expected) in [
            ("{name: web}", None, "default/web"),
            ("{name: web}", Some("ops"), "ops/web"),
            ("{name: web, namespace: ops}", None, "ops/web"),
            ("{name: web, namespace: ops}", Some("ops"), "ops/web"),
        ] {
            assert_eq!(name(metadata, asked).as_deref(), Ok(expected), "{metadata} {asked:?}");
        }
        for (metadata, asked, said) in [
            (
                "{name: web, namespace: ops}",
                "dev",
                "--namespace dev and the manifest's metadata.namespace ops contradict",
            ),
            ("{name: web}", "No!", "--namespace \"No!\": "),
            ("{generateName: web-}", "ops", "the manifest has no metadata.name"),
        ] {
            let why = name(metadata, Some(asked)).unwrap_err();
            assert!(why.contains(said), "{metadata} {asked}: {why}");
        }
    }
}
