//! Volumes that were there before the pod: they may be on a file system that somebody else answers for, or not, and
//! hold any number of files that fsGroup is for. So it is a helper process that looks for them, which can be ended.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use super::create::create;
use super::error::VolumeError;
use crate::plan::{VolumePlan, VolumeSource};
use crate::runtime::spawn::{self, Inquiry};

/// `argv[0]` of the helper.
const NAME: &str = "barepod:volumes";

/// What the helper says: where each is, or what is wrong with the first that can't be had.
type Answer = Result<BTreeMap<String, PathBuf>, String>;

/// Whether a volume is not the pod's own: it is found by a [`Search`], and not to be made where nothing may take its time.
pub fn is_elsewhere(plan: &VolumePlan) -> bool {
    match plan.source {
        VolumeSource::Image { .. } => plan.stored_image().is_none(),
        VolumeSource::HostPath { .. } | VolumeSource::Claim { .. } => true,
        VolumeSource::EmptyDir { .. }
        | VolumeSource::Memory { .. }
        | VolumeSource::HugePages { .. }
        | VolumeSource::Files { .. } => false,
    }
}

/// A search for such volumes. Dropping it ends it.
#[derive(Debug)]
pub struct Search(Inquiry);

impl Search {
    /// Begins one for those of these volumes that aren't the pod's own; `None` where all are.
    ///
    /// # Errors
    /// Where there is no helper process to be had.
    pub fn begin(plans: &[VolumePlan]) -> io::Result<Option<Self>> {
        let wanted: Vec<&VolumePlan> = plans.iter().filter(|plan| is_elsewhere(plan)).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        Inquiry::begin(NAME, &wanted, None).map(Self).map(Some)
    }

    /// Readable when [`outcome`](Self::outcome) may have something.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// Where each is; `None`: not known yet.
    pub fn outcome(&mut self) -> Option<Result<BTreeMap<String, PathBuf>, VolumeError>> {
        let answer: io::Result<Answer> = self.0.outcome()?;
        let message = match answer {
            Ok(Ok(places)) => return Some(Ok(places)),
            Ok(Err(message)) => message,
            Err(cause) => format!("looking for volumes: {cause}"),
        };
        Some(Err(VolumeError::Elsewhere { message }))
    }
}

/// To be called first thing in `main`: in a helper it does the helper's work and doesn't return.
pub fn helper_main_if_asked() {
    if std::env::args_os().next().is_some_and(|name| name == NAME) {
        spawn::serve(NAME, |plans: Vec<VolumePlan>| find(&plans))
    }
}

fn find(plans: &[VolumePlan]) -> Answer {
    // Those that are not the pod's own need no folder of the pod, and have their owners already.
    let found = plans.iter().map(|plan| Ok((plan.name.clone(), create(plan, Path::new("/"), None)?)));
    found.collect::<Result<_, VolumeError>>().map_err(|error| error.to_string())
}
