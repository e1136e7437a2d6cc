//! What is known to go wrong before anything is made: whoever waits at a terminal would see it retried for ever. What may
//! still be mended while the pod waits (an image in a folder that the pod mounts, say) is retried.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1;

use super::error::CliError;
use super::files::is_stdin;
use crate::manifest::{FieldPath, Finding, Wrong};
use crate::plan::{
    self, ConfigCause, ConfigError, Hopeless, ImageFacts, NamedImage, NodeFacts, Origin, PodPlan, VolumeSource,
};
use crate::runtime::container::refused_mount;
use crate::runtime::image::{self, Defect, ImageError};

/// Every `--volume` must be of a claim that one of the pods has: else it is misspelt here or there.
pub(super) fn check_claims<'p>(
    pods: impl Iterator<Item = &'p v1::Pod>,
    given: &BTreeMap<String, PathBuf>,
) -> Result<(), CliError> {
    let volumes = pods.flat_map(|pod| pod.spec.iter()).flat_map(|spec| spec.volumes.iter().flatten());
    let claims = volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref()).map(|claim| &*claim.claim_name);
    let claims: BTreeSet<&str> = claims.collect();
    let Some(claim) = given.keys().find(|claim| !claims.contains(claim.as_str())) else { return Ok(()) };
    let known = match claims.len() {
        0 => "it has none; name a folder of the box by hostPath, or leave the option out".to_owned(),
        _ => format!("it has: {}", claims.into_iter().collect::<Vec<_>>().join(", ")),
    };
    Err(CliError::UnknownClaim { claim: claim.clone(), known })
}

/// Everything that no retry can mend.
pub(super) fn findings(pod: &v1::Pod, plan: &PodPlan, node: &NodeFacts, file: &Path) -> Vec<Finding> {
    let start = if is_stdin(file) { "the folder barepod was started in" } else { "the manifest's folder" };
    let mut findings = claims(pod, plan);
    for named in plan::images(pod, plan) {
        let facts = match known(&named, plan) {
            Ok(facts) => facts,
            Err(error) => {
                findings.extend(unusable(&named, &error, start));
                continue;
            }
        };
        let (Some(container), Some(facts)) = (named.container, facts) else { continue };
        let found = plan::hopeless(pod, plan, node, container, &facts).map(|found| of_container(&named, found));
        findings.extend(found.or_else(|| of_mounts(&named, &facts, node)));
    }
    findings
}

/// What is known of an image; `None`: nothing yet.
fn known(named: &NamedImage<'_>, plan: &PodPlan) -> Result<Option<ImageFacts>, ImageError> {
    match named.origin {
        Origin::Mounted => Ok(image::foreseen(named.source)),
        // What the store has of it may be another image by then; a name that is none stays that.
        Origin::Fetched => image::check_name(named.source).map(|()| None),
        Origin::Given => match image::open(named.source) {
            Ok(image) => Ok(Some(image.facts_of_config())),
            Err(error) => match error.defect() {
                // A bundle whose root file system the pod may make.
                Some(Defect::Root(path)) if plan::origin(path, plan) == Origin::Mounted => Ok(None),
                Some(_) => Err(error),
                None => Ok(None),
            },
        },
    }
}

fn unusable(named: &NamedImage<'_>, error: &ImageError, start: &str) -> Option<Finding> {
    let value = named.value.to_owned();
    let (wrong, help) = match error.defect()? {
        Defect::Absent(path) => {
            let help = format!("there is no {}; a relative path starts at {start}", path.display());
            (Wrong::Absent { value }, Some(help))
        }
        Defect::Root(_) | Defect::Unusable => (Wrong::Unusable { value, why: error.to_string() }, None),
    };
    Some(Finding { field: named.field.clone(), wrong, help })
}

/// What the kernel that runs would say of the bundle's mounts.
fn of_mounts(named: &NamedImage<'_>, image: &ImageFacts, node: &NodeFacts) -> Option<Finding> {
    let (at, field, why) = refused_mount(image.base.mounts().as_deref().unwrap_or_default(), node.rights())?;
    let why = format!("{}: mounts[{at}].{field}: {why}", image.id);
    let wrong = Wrong::Unusable { value: named.value.to_owned(), why };
    Some(Finding { field: named.field.clone(), wrong, help: None })
}

fn of_container(named: &NamedImage<'_>, found: Hopeless) -> Finding {
    match found {
        Hopeless::NoCommand => Finding {
            field: named.field.parent().child("command"),
            wrong: Wrong::Missing { why: format!("{} doesn't say what to run, nor does the container", named.value) },
            help: Some("write the program and its arguments, as in command: [sleep, infinity]".to_owned()),
        },
        Hopeless::Config(ConfigError {
            field,
            cause: cause @ (ConfigCause::TooLong | ConfigCause::AllTooLong),
            ..
        }) => {
            let list = field.split('[').next().unwrap_or_default();
            Finding {
                field: named.field.parent().child(list),
                wrong: Wrong::Unusable { why: cause.to_string(), value: field },
                help: Some("put what is long into a file, as a ConfigMap's volume does".to_owned()),
            }
        }
        // A field of the container's, not of its image's config.
        Hopeless::Config(ConfigError { field, cause: ConfigCause::CapabilityNotHeld { name }, .. }) => Finding {
            field: named.field.parent().child(&field),
            wrong: Wrong::Unusable {
                why: ConfigCause::CapabilityNotHeld { name: name.clone() }.to_string(),
                value: name,
            },
            help: None,
        },
        Hopeless::Config(error) => Finding {
            field: named.field.clone(),
            wrong: Wrong::Unusable { value: named.value.to_owned(), why: format!("{}: {}", error.field, error.cause) },
            help: None,
        },
    }
}

/// Claims whose folder isn't there: nobody but the user makes it.
fn claims(pod: &v1::Pod, plan: &PodPlan) -> Vec<Finding> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let volumes = volumes.zip(&plan.volumes).enumerate();
    let list = FieldPath::root().child("spec.volumes");
    volumes
        .filter_map(|(at, (volume, planned))| {
            let VolumeSource::Claim { path, .. } = &planned.source else { return None };
            let what = match fs::metadata(path) {
                Ok(found) if found.is_dir() => return None,
                Ok(_) => "is no folder",
                Err(cause) if cause.kind() == ErrorKind::NotFound => "isn't there",
                Err(cause) if cause.kind() == ErrorKind::NotADirectory => {
                    "isn't there: a part of the path is no folder"
                }
                // It may be there for those who may look.
                Err(_) => return None,
            };
            let claim = volume.persistent_volume_claim.as_ref()?.claim_name.clone();
            Some(Finding {
                field: list.index(at).child("persistentVolumeClaim.claimName"),
                help: Some(format!("make the folder, or name another by --volume {claim}=PATH")),
                wrong: Wrong::Unusable { why: format!("{} {what}", path.display()), value: claim },
            })
        })
        .collect()
}
