//! The texts that a command is given: manifests, and what is given beside them. Says what is wrong or odd about them.

use std::path::PathBuf;
use std::rc::Rc;

use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1;

use super::args::ChosenPods;
use super::error::CliError;
use super::files::{self, Depth, Files, is_stdin};
use super::terminal;
use crate::manifest::{self, FieldPath, Finding, Manifests, Objects, Reading, Text};
use crate::plan::{self, Difference};
use crate::report::grace;

/// All that texts hold.
pub(super) struct Set {
    /// At least one, or a Job, unless there may be none.
    pub(super) pods: Vec<Given>,
    pub(super) jobs: Vec<GivenJob>,
    /// Their names, with what is odd about each, and what means nothing here.
    texts: Vec<(Rc<Text>, Vec<manifest::Diagnostic>)>,
    left_out: Vec<String>,
}

/// A Pod, what was given beside it, and its text.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) pod: v1::Pod,
    /// Those of the whole set.
    pub(super) objects: Rc<Objects>,
    /// Where its text came from.
    pub(super) file: PathBuf,
    /// The folder in which `apply` has found that.
    pub(super) applied_from: Option<PathBuf>,
    text: Rc<Text>,
    document: usize,
    /// The field that holds it; the root of a Pod that stands for itself.
    at: FieldPath,
}

/// A Job, and the Pod of its template.
#[derive(Clone)]
pub(super) struct GivenJob {
    pub(super) job: batch::Job,
    pub(super) template: Given,
}

impl Given {
    /// Says what else is wrong with it, each with its place.
    pub(super) fn refuse(&self, findings: &[Finding]) -> Result<(), CliError> {
        let placed = |one: &Finding| Finding { field: self.at.join(&one.field), ..one.clone() };
        let findings: Vec<Finding> = findings.iter().map(placed).collect();
        manifest::refuse(&self.text, self.document, &findings).map_err(refused)
    }

    /// What is still needed of it when all is checked, with the folder of `apply`: the text is let go of.
    pub(super) fn into_parts(self) -> (v1::Pod, PathBuf, Option<PathBuf>) {
        (self.pod, self.file, self.applied_from)
    }

    /// As `NAMESPACE/NAME`.
    pub(super) fn name(&self) -> Result<String, CliError> {
        name_of(&self.pod).ok_or_else(|| {
            CliError::Words(format!(
                "{}: the manifest has no metadata.name, so that each run of it has another: name the pod itself",
                self.text.name
            ))
        })
    }
}

impl GivenJob {
    /// As `NAMESPACE/NAME`, for messages.
    pub(super) fn shown_name(&self) -> String {
        let meta = &self.job.metadata;
        let generated = || meta.generate_name.clone().map(|name| format!("{name}..."));
        let name = meta.name.clone().or_else(generated).unwrap_or_default();
        format!("{}/{name}", meta.namespace.as_deref().unwrap_or("default"))
    }
}

/// As `NAMESPACE/NAME`; `None`: it has no name.
pub(super) fn name_of(pod: &v1::Pod) -> Option<String> {
    let [namespace, name] =
        [&pod.metadata.namespace, &pod.metadata.name].map(|name| name.as_deref().filter(|name| !name.is_empty()));
    Some(format!("{}/{}", namespace.unwrap_or("default"), name?))
}

/// The texts of FILE and `--config`, of which one may be standard input.
pub(super) fn texts(given: &[PathBuf], config: &[PathBuf], depth: Depth) -> Result<Files, CliError> {
    check_stdin(given, config)?;
    files::read(given, depth)
}

/// Standard input can be read once.
pub(super) fn check_stdin(given: &[PathBuf], config: &[PathBuf]) -> Result<(), CliError> {
    if given.iter().chain(config).filter(|file| is_stdin(file)).count() > 1 {
        return Err(CliError::Usage("only one of the files and --config can be standard input"));
    }
    Ok(())
}

/// Decodes and checks texts; nothing is printed.
pub(super) fn decode(files: Files, reading: &Reading<'_>) -> Result<Set, CliError> {
    check_namespace(reading.namespace)?;
    decode_texts(files, reading).map_err(all_refused)
}

/// Whether `--namespace` can be one.
pub(super) fn check_namespace(asked: Option<&str>) -> Result<(), CliError> {
    let Some(asked) = asked else { return Ok(()) };
    manifest::check_name(asked).map_err(|why| CliError::Manifest(format!("error: --namespace {asked:?}: {why}\n")))
}

/// As [`decode`], or what is wrong with each text.
pub(super) fn decode_texts(files: Files, reading: &Reading<'_>) -> Result<Set, Vec<manifest::Report>> {
    let all = manifest::read_all(&files.texts, reading)?;
    let Manifests { pods, jobs, objects, left_out, warnings } = all;
    let objects = Rc::new(objects);
    let texts: Vec<_> = files.texts.into_iter().map(Rc::new).zip(warnings).collect();
    let given = |pod, text: usize, document, at| Given {
        pod,
        objects: objects.clone(),
        file: files.paths[text].clone(),
        applied_from: None,
        text: texts[text].0.clone(),
        document,
        at,
    };
    let pods = pods.into_iter().map(|one| given(one.pod, one.text, one.document, FieldPath::root())).collect();
    let of_job = |one: manifest::DescribedJob| GivenJob {
        template: given(manifest::pod_of(&one.job, "template"), one.text, one.document, manifest::template()),
        job: one.job,
    };
    let jobs = jobs.into_iter().map(of_job).collect();
    Ok(Set { pods, jobs, texts, left_out })
}

impl Set {
    /// Prints what is odd about the texts.
    pub(super) fn tell(&self, detail: Detail) {
        if detail == Detail::None {
            return;
        }
        for (text, warnings) in self.texts.iter().filter(|_| detail != Detail::LeftOut) {
            warn(text, warnings, detail);
        }
        if !self.left_out.is_empty() {
            let all = self.left_out.join(", ");
            terminal::warn(&format!("left out, as one box has no use for it: {all}"));
        }
    }

    /// The only one; `what` can't do with several.
    pub(super) fn only(mut self, what: &str) -> Result<Given, CliError> {
        let names: Vec<String> = self.pods.iter().map(shown_name).collect();
        match self.pods.pop() {
            Some(given) if self.pods.is_empty() => Ok(given),
            _ => Err(CliError::Words(format!(
                "{what} takes one Pod, and there are {}: {}",
                names.len(),
                names.join(", ")
            ))),
        }
    }
}

/// For messages, of a Pod that may have no name of its own yet.
pub(super) fn shown_name(given: &Given) -> String {
    let generated = || given.pod.metadata.generate_name.clone().map(|name| format!("{name}..."));
    given.name().unwrap_or_else(|_| generated().unwrap_or_else(|| "without a name".to_owned()))
}

/// The pods that texts describe and that run from them with the same `--namespace`, with what is different from them left
/// alone.
pub(super) fn named(
    given: &[PathBuf],
    depth: Depth,
    namespace: Option<&str>,
) -> Result<Vec<(String, Given)>, CliError> {
    let set = decode(texts(given, &[], depth)?, &Reading { namespace, ..Reading::default() })?;
    set.pods.into_iter().map(|given| Ok((given.name()?, given))).collect()
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
pub(super) fn read_objects(files: &[PathBuf], detail: Detail, into: &mut Objects) -> Result<(), CliError> {
    for file in files {
        let (name, bytes) = files::text_of(file)?;
        let warnings = manifest::decode_objects(&name, &bytes, into).map_err(refused)?;
        if let Some(warnings) = warnings.filter(|_| detail != Detail::None) {
            terminal::show(&warnings.render(manifest_colour()));
        }
    }
    Ok(())
}

/// The pods that a command is given, by name and by manifest.
pub(super) fn names(pods: &ChosenPods) -> Result<Vec<String>, CliError> {
    let mut names = pods.names.clone();
    if !pods.filename.is_empty() {
        let of_files = named(&pods.filename, Depth::of(pods.recursive), pods.namespace.as_deref())?;
        names.extend(of_files.into_iter().map(|(name, _)| name));
    }
    Ok(names)
}

pub(super) fn refused(report: manifest::Report) -> CliError {
    all_refused(vec![report])
}

pub(super) fn all_refused(reports: Vec<manifest::Report>) -> CliError {
    let rendered: Vec<String> = reports.iter().map(|report| report.render(manifest_colour())).collect();
    CliError::Manifest(rendered.join("\n"))
}

/// Prints warnings: of all fields that mean nothing here one line, unless each is asked for.
fn warn(text: &Text, warnings: &[manifest::Diagnostic], detail: Detail) {
    let each = |diagnostic: &&manifest::Diagnostic| {
        detail == Detail::Each || diagnostic.severity != manifest::Severity::NoEffect
    };
    let shown: Vec<manifest::Diagnostic> = warnings.iter().filter(each).cloned().collect();
    if !shown.is_empty() {
        let lines = manifest::shown_text(&text.bytes);
        terminal::show(&manifest::render(&text.name, &lines, &shown, manifest_colour()));
    }
    if let Some(line) = manifest::without_effect(&text.name, warnings).filter(|_| detail == Detail::Some) {
        terminal::warn(&line);
    }
}

/// How much is said of what has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Nothing.
    None,
    /// Which objects are left out.
    LeftOut,
    /// A line.
    Some,
    /// A word about each field.
    Each,
}

impl Detail {
    /// `--quiet`, `--verbose`.
    pub(super) fn of(quiet: bool, verbose: bool) -> Self {
        match (quiet, verbose) {
            (true, _) => Self::None,
            (false, true) => Self::Each,
            (false, false) => Self::Some,
        }
    }
}

/// Of what is said about a text on standard error.
pub(super) fn manifest_colour() -> manifest::Colour {
    if terminal::has_colours(&std::io::stderr()) { manifest::Colour::Ansi } else { manifest::Colour::Plain }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The pods that `run -n NAMESPACE` of the same file makes.
    #[test]
    fn which_pods_a_manifest_means() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pod.yaml");
        let pod = |metadata: &str| {
            let spec = "{containers: [{name: a, image: \"rootfs:/x\"}]}";
            format!("apiVersion: v1\nkind: Pod\nmetadata: {metadata}\nspec: {spec}\n")
        };
        let space = |name: &str| format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n");
        let names = |text: &str, asked| {
            std::fs::write(&file, text).unwrap();
            let named = named(std::slice::from_ref(&file), Depth::Folder, asked).map_err(|error| error.to_string())?;
            Ok::<_, String>(named.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" "))
        };
        let (web, own) = (pod("{name: web}"), pod("{name: web, namespace: ops}"));
        for (text, asked, expected) in [
            (web.clone(), None, "default/web"),
            (web.clone(), Some("ops"), "ops/web"),
            (own.clone(), None, "ops/web"),
            (own.clone(), Some("ops"), "ops/web"),
            (web.clone() + "---\n" + &own, None, "default/web ops/web"),
            // A Namespace beside it is meant, but for one who says another; of two neither is.
            (web.clone() + &space("dev"), None, "dev/web"),
            (own.clone() + &space("dev"), None, "ops/web"),
            (web.clone() + &space("dev"), Some("ops"), "ops/web"),
            (web.clone() + &space("dev") + &space("test"), None, "default/web"),
        ] {
            assert_eq!(names(&text, asked).as_deref(), Ok(expected), "{text} {asked:?}");
        }
        for (text, asked, said) in [
            (own, Some("dev"), "--namespace dev and the manifest's metadata.namespace ops contradict"),
            (web.clone(), Some("No!"), "--namespace \"No!\": "),
            (pod("{generateName: web-}"), Some("ops"), "the manifest has no metadata.name"),
            (web.clone() + "---\n" + &web, None, "Duplicate value: \"web\""),
        ] {
            let why = names(&text, asked).unwrap_err();
            assert!(why.contains(said), "{text} {asked:?}: {why}");
        }
    }

    #[test]
    fn standard_input_is_read_once() {
        let dash = [PathBuf::from("-")];
        let both = texts(&dash, &dash, Depth::Folder).unwrap_err().to_string();
        assert!(both.contains("only one of the files and --config can be standard input"), "{both}");
    }
}
