//! What manifests say that there should be.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1;

use super::super::args::{ApplyArgs, Global};
use super::super::error::CliError;
use super::super::files::Depth;
use super::super::given::{self, Detail, Given, GivenJob};
use super::super::{logins, pinned, recover};
use crate::manifest::{Jobs, Meaningless, Objects, Reading};
use crate::store::Error;
use crate::store::layout::Layout;
use crate::store::read::Found;

/// All of it.
pub(super) struct Wanted {
    /// Each with what there is of it, which is looked for once.
    pub(super) pods: Vec<(Given, Option<Found>)>,
    pub(super) jobs: Vec<GivenJob>,
}

/// Reads the manifests.
///
/// # Errors
/// What is wrong with any of the files: then nothing is to be done.
pub(super) fn read(args: &ApplyArgs, global: &Global, layout: &Layout) -> Result<Wanted, CliError> {
    let files = given::texts(&args.filename, &args.config, Depth::of(args.recursive))?;
    let mut objects = Objects::default();
    given::read_objects(&args.config, Detail::Some, &mut objects)?;
    let meaningless = if args.strict { Meaningless::Refused } else { Meaningless::LeftOut };
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
    let reading = Reading { namespace, objects, claims, whose: Some(&is_new), meaningless, jobs: Jobs::Taken };
    let set = given::decode(files, &reading)?;
    let mut looked = looked.take();
    let images = args.require_digest.then(|| global.images(layout)).transpose()?;
    let mut found: Vec<Option<Found>> = Vec::new();
    for given in &set.pods {
        let name = given.name()?;
        let mut findings = logins::findings(&given.pod, &given.objects);
        if let Some(images) = &images {
            findings.extend(pinned::findings(&given.pod, images));
        }
        given.refuse(&findings)?;
        found.push(looked.remove(&name).transpose()?.flatten());
    }
    set.tell(if found.iter().any(Option::is_none) || !set.jobs.is_empty() { Detail::Some } else { Detail::LeftOut });
    Ok(Wanted { pods: set.pods.into_iter().zip(found).collect(), jobs: set.jobs })
}
