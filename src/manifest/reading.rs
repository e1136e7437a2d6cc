//! Several texts at once, as `run FILE...` is given them: Pods, what they refer to, and what one box has no use for, in any order.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::diagnostic::Diagnostic;
use super::documents::{self, Document};
use super::kinds::{self, Use, use_of, wrong_kind};
use super::path::FieldPath;
use super::report::Report;
use super::settle::{has_errors, settled, without_secrets};
use super::tree::Node;
use super::validate::Known;
use super::words::escaped;
use super::{Objects, de, exported, job, objects, parse, text, validate, wording};

/// A text, with what it is called in messages.
#[derive(Clone, Debug)]
pub struct Text {
    /// The file's path, say.
    pub name: String,
    /// YAML or JSON.
    pub bytes: Vec<u8>,
}

/// What becomes of objects that mean nothing on one box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meaningless {
    /// They are left out, and named in [`Manifests::left_out`].
    #[default]
    LeftOut,
    /// They are errors.
    Refused,
}

/// What becomes of Jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jobs {
    /// They are errors: Pods are asked for.
    #[default]
    Refused,
    /// They are read.
    Taken,
}

/// What becomes of texts without a Pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutPods {
    /// They are errors.
    #[default]
    Refused,
    /// There is none then.
    Taken,
}

/// How texts are read.
#[derive(Clone, Copy, Default)]
pub struct Reading<'a> {
    /// ConfigMaps and Secrets from elsewhere.
    pub objects: Option<&'a Objects>,
    /// PersistentVolumeClaims that have a place on this box; `None`: what Pods refer to outside of themselves isn't looked for.
    pub claims: Option<&'a BTreeSet<String>>,
    /// Of which Pods that is looked for; `None`: of all. Each is asked about once.
    pub whose: Option<&'a dyn Fn(&v1::Pod) -> bool>,
    /// The namespace of Pods that name none; `None`: that of the only Namespace in the texts, if there is one.
    pub namespace: Option<&'a str>,
    /// What only a cluster has a use for.
    pub meaningless: Meaningless,
    /// Jobs.
    pub jobs: Jobs,
    /// Whether there must be a Pod.
    pub without_pods: WithoutPods,
}

/// All that texts describe.
#[derive(Clone, Debug)]
pub struct Manifests {
    /// At least one, or a Job, unless there may be none.
    pub pods: Vec<Described>,
    /// Where Jobs are taken.
    pub jobs: Vec<DescribedJob>,
    /// The ConfigMaps and Secrets of the texts, and those that were given beside them.
    pub objects: Objects,
    /// What means nothing on one box: kinds, with names where there are some.
    pub left_out: Vec<String>,
    /// What has no effect here, of each text in order of position.
    pub warnings: Vec<Vec<Diagnostic>>,
}

/// A Pod that passed every check, and where it stands.
#[derive(Clone, Debug)]
pub struct Described {
    /// As written, but for its namespace: nothing is defaulted.
    pub pod: v1::Pod,
    /// Which of the texts.
    pub text: usize,
    /// Which document of it.
    pub document: usize,
}

/// A Job that passed every check, and where it stands.
#[derive(Clone, Debug)]
pub struct DescribedJob {
    /// As written, but for its namespace.
    pub job: batch::Job,
    /// Which of the texts.
    pub text: usize,
    /// Which document of it.
    pub document: usize,
}

/// A text on its way.
struct Read<'t> {
    text: Cow<'t, str>,
    documents: Vec<Document>,
    /// Of each document, what is to be said about it.
    found: Vec<Vec<Diagnostic>>,
}

/// Decodes and checks all texts together.
///
/// # Errors
/// Everything that is wrong with the texts: a report for each that something is wrong with.
pub fn read_all(texts: &[Text], reading: &Reading<'_>) -> Result<Manifests, Vec<Report>> {
    let mut reports = Vec::new();
    let mut all: Vec<Option<Read<'_>>> = Vec::new();
    for text in texts {
        match read(text) {
            Ok(read) => all.push(Some(read)),
            Err(report) => {
                reports.push(*report);
                all.push(None);
            }
        }
    }
    let is_one = reading.without_pods == WithoutPods::Refused
        && all.iter().flatten().map(|read| read.documents.len()).sum::<usize>() == 1;
    // Objects first: a Pod may stand before what it refers to.
    let mut beside = Surroundings::of(&all, reading);
    let uses: Vec<Vec<Use>> = all
        .iter_mut()
        .map(|read| read.iter_mut().flat_map(|read| beside.add(read, reading, is_one)).collect())
        .collect();
    let namespace = reading.namespace.or(beside.namespace.as_deref());
    let known = reading.claims.map(|claims| Known { objects: &beside.objects, claims });
    let (found, jobs, names) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut pods = Pods { texts, reading, namespace, known, found, jobs, names };
    for (at, (read, uses)) in all.iter_mut().zip(&uses).enumerate() {
        if let Some(read) = read {
            pods.add(at, read, uses);
        }
    }
    let Pods { found: pods, jobs, .. } = pods;
    let has_none = pods.is_empty() && jobs.is_empty();
    if has_none && reports.is_empty() && reading.without_pods == WithoutPods::Refused {
        missing(&mut all, texts, &beside.left_out, &mut reports);
    }
    let mut warnings = Vec::new();
    for (text, read) in texts.iter().zip(all) {
        let Some(Read { text: shown, documents, found }) = read else { continue };
        let diagnostics = settled(&shown, &documents, found);
        if has_errors(&diagnostics) {
            let text_shown = without_secrets(&shown, &documents);
            reports.push(Report { name: text.name.clone(), text: text_shown, diagnostics });
        } else {
            warnings.push(diagnostics);
        }
    }
    // In the order of the texts, whichever stage found something.
    reports.sort_by_key(|report| texts.iter().position(|text| text.name == report.name));
    if reports.is_empty() {
        let Surroundings { objects, left_out, .. } = beside;
        Ok(Manifests { pods, jobs, objects, left_out, warnings })
    } else {
        Err(reports)
    }
}

/// The documents of a text.
fn read(text: &Text) -> Result<Read<'_>, Box<Report>> {
    let report = |shown: &str, found| {
        Box::new(Report { name: text.name.clone(), text: shown.to_owned(), diagnostics: vec![found] })
    };
    let shown = text::text_of(&text.bytes, wording::MANIFEST).map_err(|failed| report(&failed.0, failed.1))?;
    let trees = parse::parse_all(&shown, wording::MANIFEST).map_err(|found| report(&shown, found))?;
    let documents = documents::of(trees);
    Ok(Read { found: vec![Vec::new(); documents.len()], text: shown, documents })
}

/// What isn't a Pod.
struct Surroundings {
    objects: Objects,
    left_out: Vec<String>,
    /// That of Pods that name none: the only Namespace's, where nobody asks for another.
    namespace: Option<String>,
}

impl Surroundings {
    /// Of these texts.
    fn of(all: &[Option<Read<'_>>], reading: &Reading<'_>) -> Self {
        let documents = all.iter().flatten().flat_map(|read| &read.documents);
        let names: BTreeSet<&str> = documents.filter_map(|one| kinds::name_of_namespace(&one.tree)).collect();
        let only =
            names.first().filter(|only| names.len() == 1 && reading.namespace.is_none_or(|asked| asked == **only));
        let (objects, namespace) = (reading.objects.cloned().unwrap_or_default(), only.map(|only| (*only).to_owned()));
        Self { objects, namespace, left_out: Vec::new() }
    }

    /// Takes all of a text's but its Pods; which is which.
    fn add(&mut self, read: &mut Read<'_>, reading: &Reading<'_>, is_one: bool) -> Vec<Use> {
        let mut uses = Vec::new();
        for (document, found) in read.documents.iter_mut().zip(&mut read.found) {
            let tree = &mut document.tree;
            // A text of one object is meant to be a Pod, unless it is a Job.
            let what = match reading.jobs {
                Jobs::Taken if job::is_job(tree) => Use::Job,
                Jobs::Taken | Jobs::Refused if is_one => Use::Pod,
                Jobs::Taken | Jobs::Refused => use_of(tree),
            };
            match &what {
                Use::Pod | Use::Job => {}
                Use::Object(kind) => found.extend(objects::read(*kind, tree, &mut self.objects)),
                Use::Nothing(name) => {
                    let namespace = kinds::name_of_namespace(tree);
                    if namespace.is_none() || namespace != self.namespace.as_deref() {
                        match reading.meaningless {
                            Meaningless::LeftOut => found.extend(kinds::said_of_pods(tree)),
                            Meaningless::Refused => found.push(kinds::refused(tree)),
                        }
                        self.left_out.push(name.clone());
                    }
                    // What nobody reads can't be misread.
                    tree.forget_duplicates();
                }
            }
            uses.push(what);
        }
        uses
    }
}

/// The Pods and Jobs so far.
struct Pods<'a> {
    texts: &'a [Text],
    reading: &'a Reading<'a>,
    /// Of those that name none.
    namespace: Option<&'a str>,
    known: Option<Known<'a>>,
    found: Vec<Described>,
    jobs: Vec<DescribedJob>,
    /// Kinds, namespaces and names, with where they stand.
    names: BTreeMap<(&'static str, String, String), String>,
}

impl Pods<'_> {
    /// Takes those of a text.
    fn add(&mut self, text: usize, read: &mut Read<'_>, uses: &[Use]) {
        let at = (0..uses.len()).filter(|at| matches!(uses[*at], Use::Pod | Use::Job));
        for at in at {
            let Document { tree, part } = &mut read.documents[at];
            let file = escaped(&self.texts[text].name);
            let place = if part.is_all() { file } else { format!("{part} of {file}") };
            if uses[at] == Use::Job {
                let (job, found) = job::read(tree, self.known, |own| self.in_namespace(own));
                read.found[at].extend(found);
                read.found[at].extend(self.duplicate("Job", &job.metadata, place));
                self.jobs.push(DescribedJob { job, text, document: at });
                continue;
            }
            // What a cluster put into a Pod and nobody here can serve.
            let mut said = exported::leave_tokens_out(tree, &read.text);
            let (pod, found) = match wrong_kind(tree, &["Pod"]) {
                wrong if wrong.is_empty() => self.checked(tree),
                wrong => (v1::Pod::default(), wrong),
            };
            said.splice(0..0, found);
            said.extend(self.duplicate("Pod", &pod.metadata, place));
            read.found[at].append(&mut said);
            self.found.push(Described { pod, text, document: at });
        }
    }

    /// The Pod, and what is wrong with it. Rules say nothing about what could not be read.
    fn checked(&self, tree: &Node) -> (v1::Pod, Vec<Diagnostic>) {
        let read = de::from_tree::<v1::Pod>(tree);
        let (mut pod, mut diagnostics) = (read.value, read.found);
        diagnostics.extend(self.in_namespace(&mut pod.metadata.namespace));
        let known = self.known.filter(|_| self.reading.whose.is_none_or(|is_one| is_one(&pod)));
        diagnostics.extend(validate::validate(&pod, &read.broken, known));
        (pod, diagnostics)
    }

    /// The namespace of an object that names none, or what is wrong with the one that it names.
    fn in_namespace(&self, own: &mut Option<String>) -> Option<Diagnostic> {
        match (own.as_deref().filter(|own| !own.is_empty()), self.reading.namespace) {
            (Some(own), Some(asked)) if own != asked => {
                let field = FieldPath::root().child("metadata.namespace");
                let said =
                    format!("--namespace {asked} and the manifest's metadata.namespace {own} contradict each other");
                return Some(Diagnostic::error(&field, said));
            }
            (Some(_), _) => {}
            (None, _) => {
                if let Some(namespace) = self.namespace {
                    *own = Some(namespace.to_owned());
                }
            }
        }
        None
    }

    /// Of an object whose name another one of its kind has.
    fn duplicate(&mut self, kind: &'static str, meta: &ObjectMeta, place: String) -> Option<Diagnostic> {
        let name = meta.name.clone().filter(|name| !name.is_empty())?;
        let namespace = meta.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let field = FieldPath::root().child("metadata.name");
        let said = Diagnostic::duplicate(&field, name.as_str());
        let first = self.names.insert((kind, namespace, name), place)?;
        Some(said.help(format!("there is a {kind} of that name already, in {first}")))
    }
}

/// Says that there is no Pod, and what there is instead.
fn missing(all: &mut [Option<Read<'_>>], texts: &[Text], left_out: &[String], reports: &mut Vec<Report>) {
    let root = FieldPath::root();
    let first = all.iter_mut().flatten().find(|read| !read.documents.is_empty());
    let Some(read) = first else {
        let names: Vec<&str> = texts.iter().map(|text| text.name.as_str()).collect();
        let diagnostics = vec![wording::empty(wording::MANIFEST)];
        reports.push(Report { name: names.join(", "), text: String::new(), diagnostics });
        return;
    };
    let help = match left_out {
        [] => "give the Pod's manifest too; files that have ConfigMaps and Secrets alone go with --config".to_owned(),
        all => format!("these mean nothing on one box: {}", all.join(", ")),
    };
    read.found[0].push(Diagnostic::error(&root, "no Pod: a manifest holds at least one").help(help));
}

#[cfg(test)]
mod tests;
