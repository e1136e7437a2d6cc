//! What manifests say that there should be.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1;

use super::super::args::{ApplyArgs, Global};
use super::super::error::CliError;
use super::super::files::{self, Depth, Files};
use super::super::given::{self, Detail, Given, GivenJob, Set};
use super::super::{logins, pinned, recover};
use super::prune;
use super::said::Said;
use crate::manifest::{Jobs, Meaningless, Objects, Reading, WithoutPods};
use crate::runtime::image;
use crate::store::Error;
use crate::store::layout::Layout;
use crate::store::read::Found;

/// What there should be.
#[derive(Default)]
pub(super) struct Wanted {
    /// Each pod that can be applied, with what there is of it, which is looked for once.
    pub(super) pods: Vec<(Given, Option<Found>)>,
    pub(super) jobs: Vec<GivenJob>,
    /// The names of all Pods, with the folders in which they were found.
    pub(super) names: Vec<(String, Option<PathBuf>)>,
    /// Nothing is wrong with any of the manifests.
    pub(super) is_whole: bool,
}

/// Says what is wrong with any of the files. Where something is, only `--watch` can go on, with the others.
///
/// # Errors
/// Where files of `--config` are no good, or something can't be found out.
pub(super) fn read(args: &ApplyArgs, global: &Global, layout: &Layout, said: &mut Said) -> Result<Wanted, CliError> {
    let mut wanted = Wanted { is_whole: true, ..Wanted::default() };
    let files = texts(args, said, &mut wanted.is_whole)?;
    let mut objects = Objects::default();
    given::read_objects(&args.config, Detail::Some, &mut objects)?;
    let meaningless = if args.strict { Meaningless::Refused } else { Meaningless::LeftOut };
    let without_pods = if args.prune || args.watch { WithoutPods::Taken } else { WithoutPods::Refused };
    let looked = RefCell::new(BTreeMap::new());
    // A pod that is there may have what it refers to from elsewhere.
    let is_new = |pod: &v1::Pod| {
        let Some(name) = given::name_of(pod) else { return false };
        let found = match recover::look(layout, &name) {
            Err(CliError::Store(Error::NotFound(_))) => Ok(None),
            found => found.map(Some),
        };
        let is_new = matches!(found, Ok(None));
        looked.borrow_mut().insert(name, found);
        is_new
    };
    let (namespace, objects, claims) = (args.namespace.as_deref(), Some(&objects), Some(&BTreeSet::new()));
    given::check_namespace(namespace)?;
    let whose: Option<&dyn Fn(&v1::Pod) -> bool> = Some(&is_new);
    let reading = Reading { namespace, objects, claims, whose, meaningless, without_pods, jobs: Jobs::Taken };
    let Some(set) = decode(args, files, &reading, said, &mut wanted.is_whole) else { return Ok(wanted) };
    let mut looked = looked.take();
    let images = args.require_digest.then(|| global.images(layout)).transpose()?;
    let (mut rest, mut is_some_new) = (set, false);
    for mut given in std::mem::take(&mut rest.pods) {
        let found = given.name().and_then(|name| {
            given.applied_from = prune::origin(args, &given.file);
            wanted.names.push((name.clone(), given.applied_from.clone()));
            refuse(&given, images.as_ref())?;
            looked.remove(&name).transpose().map(Option::flatten)
        });
        match found {
            Ok(found) => {
                is_some_new |= found.is_none();
                wanted.pods.push((given, found));
            }
            Err(error) => {
                said.error(&error);
                wanted.is_whole = false;
            }
        }
    }
    if wanted.is_whole || args.watch {
        let detail = if args.watch { Detail::None } else { Detail::LeftOut };
        rest.tell(if is_some_new || !rest.jobs.is_empty() { Detail::Some } else { detail });
    }
    wanted.jobs = rest.jobs;
    Ok(wanted)
}

fn refuse(given: &Given, images: Option<&image::Place>) -> Result<(), CliError> {
    let mut findings = logins::findings(&given.pod, &given.objects);
    if let Some(images) = images {
        findings.extend(pinned::findings(&given.pod, images));
    }
    given.refuse(&findings)
}

/// The files that can be read.
fn texts(args: &ApplyArgs, said: &mut Said, is_whole: &mut bool) -> Result<Files, CliError> {
    let depth = Depth::of(args.recursive);
    if !(args.prune || args.watch) {
        return given::texts(&args.filename, &args.config, depth);
    }
    given::check_stdin(&args.filename, &args.config)?;
    // That a folder has none is for whoever ends what came from it.
    files::read_with(
        &args.filename,
        depth,
        &mut |error| {
            said.error(&error);
            *is_whole = false;
            Ok(())
        },
        &|_: &Path| Ok(()),
    )
}

/// What the texts hold; where some are wrong, what the others do. `None`: nobody can go on then.
fn decode(
    args: &ApplyArgs,
    mut files: Files,
    reading: &Reading<'_>,
    said: &mut Said,
    is_whole: &mut bool,
) -> Option<Set> {
    loop {
        let whole = args.watch.then(|| files.clone());
        let reports = match given::decode_texts(files, reading) {
            Ok(set) => return Some(set),
            Err(reports) => reports,
        };
        *is_whole = false;
        let Some(mut others) = whole else {
            said.error(&given::all_refused(reports));
            return None;
        };
        let mut is_less = false;
        for report in reports {
            is_less |= others.forget(&report.name);
            said.error(&given::refused(report));
        }
        if !is_less {
            return None;
        }
        files = others;
    }
}
