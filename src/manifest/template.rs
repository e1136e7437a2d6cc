//! Parts of a Job: the Pod of its template, and indexes as they are written.

use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1;

use super::path::FieldPath;

/// The field that holds the Pod of a Job.
#[must_use]
pub fn template() -> FieldPath {
    FieldPath::root().child("spec.template")
}

/// The Pod that a Job's template describes, under the given name.
#[must_use]
pub fn pod_of(job: &batch::Job, name: &str) -> v1::Pod {
    let template = job.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
    let mut metadata = template.metadata.unwrap_or_default();
    metadata.name = Some(name.to_owned());
    metadata.generate_name = None;
    metadata.namespace.clone_from(&job.metadata.namespace);
    metadata.uid = None;
    v1::Pod { metadata, spec: template.spec, status: None }
}

/// `1,3-5`: pairs of first and last.
///
/// # Errors
/// What is wrong with it.
pub fn indexes(text: &str, completions: u32) -> Result<Vec<(u32, u32)>, String> {
    let number = |text: &str| {
        let parsed = text.parse::<u32>();
        let number = parsed.map_err(|_| format!("cannot convert string to integer for index: {text:?}"))?;
        if number < completions { Ok(number) } else { Err(format!("too large index: \"{number}\"")) }
    };
    let mut all: Vec<(u32, u32)> = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if part.contains('-') && first >= last {
            return Err(format!("non-increasing order, previous: {first}, current: {last}"));
        }
        if let Some((_, before)) = all.last().filter(|(_, before)| *before >= first) {
            return Err(format!("non-increasing order, previous: {before}, current: {first}"));
        }
        all.push((first, last));
    }
    Ok(all)
}
