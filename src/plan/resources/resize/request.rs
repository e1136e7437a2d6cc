//! What is asked to be changed, why it can't be, and what it makes of a container.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

use crate::manifest::quantity::{Quantity, QuantityError};

/// Amounts by resource, as text.
pub type Amended = BTreeMap<String, String>;

/// What somebody wants to be changed. Resources that aren't named stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResizeRequest {
    /// Name of the container; may be left out where there is only one.
    pub container: Option<String>,
    /// New requests and limits: of the two, those that the container has.
    pub amounts: Amended,
    /// New requests.
    pub requests: Amended,
    /// New limits.
    pub limits: Amended,
}

/// Why resources can't be changed so. In the API server's and the kubelet's words, where they have some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ResizeError {
    #[error("container {container:?} is not in the pod; it has: {known}")]
    NoContainer { container: String, known: String },
    #[error("the pod has several containers: say which with -c; it has: {known}")]
    WhichContainer { known: String },
    #[error("{field}: resources for non-sidecar init containers are immutable")]
    Init { field: String },
    #[error("the pod has ended, or is about to")]
    PodEnds,
    #[error("{field}: Invalid value: {value:?}: {cause}; write {}", .cause.help())]
    Quantity { field: String, value: String, cause: QuantityError },
    #[error("{field}: Invalid value: {value:?}: {rule}")]
    Invalid { field: String, value: String, rule: &'static str },
    #[error("{field}: Forbidden: only cpu and memory resources are mutable")]
    Immutable { field: String },
    #[error("{field}: Invalid value: {value:?}: must be less than or equal to {resource} limit of {limit}")]
    AboveLimit { field: String, value: String, resource: String, limit: String },
    #[error("{field}: Invalid value: {value:?}: the pod's own {which} of {resource} is {whole}, and can't be resized")]
    AbovePod { field: String, value: String, which: &'static str, resource: &'static str, whole: String },
    #[error("Pod QOS Class may not change as a result of resizing; it would from {before} to {after}")]
    QosClass { before: &'static str, after: &'static str },
    #[error("Node didn't have enough capacity: {resource}, requested: {requested}, capacity: {capacity}")]
    Capacity { resource: &'static str, requested: u64, capacity: u64 },
    #[error("Resize is infeasible for Guaranteed Pods alongside CPU Manager static policy: its cpus are its own")]
    ExclusiveCpus,
    #[error("attempting to set {whose} memory limit ({limit}) below current usage ({usage})")]
    Usage { whose: String, limit: u64, usage: u64 },
}

/// Writes the new amounts into the container.
pub(super) fn amend(container: &mut v1::Container, field: &str, request: &ResizeRequest) -> Result<(), ResizeError> {
    let resources = container.resources.get_or_insert_default();
    let has = |list: &Option<BTreeMap<String, Text>>, name: &str| list.as_ref().is_some_and(|it| it.contains_key(name));
    let mut wanted: Vec<(&str, &str, &str)> = Vec::new();
    for (name, value) in &request.amounts {
        let (requested, limited) = (has(&resources.requests, name), has(&resources.limits, name));
        if limited {
            wanted.push(("limits", name, value));
        }
        if requested || !limited {
            wanted.push(("requests", name, value));
        }
    }
    wanted.extend(request.requests.iter().map(|(name, value)| ("requests", name.as_str(), value.as_str())));
    wanted.extend(request.limits.iter().map(|(name, value)| ("limits", name.as_str(), value.as_str())));
    for (list, name, value) in wanted {
        let field = format!("{field}.resources.{list}[{name}]");
        check_amount(&field, list, name, value)?;
        let into = if list == "limits" { &mut resources.limits } else { &mut resources.requests };
        into.get_or_insert_default().insert(name.to_owned(), Text(value.to_owned()));
    }
    // R1.9, as the API server's defaults for a limit that is new.
    for (name, limit) in resources.limits.iter().flatten().filter(|(name, _)| request.limits.contains_key(*name)) {
        resources.requests.get_or_insert_default().entry(name.clone()).or_insert_with(|| limit.clone());
    }
    Ok(())
}

fn check_amount(field: &str, list: &str, name: &str, value: &str) -> Result<(), ResizeError> {
    if !matches!(name, "cpu" | "memory") {
        return Err(ResizeError::Immutable { field: field.to_owned() });
    }
    let quantity = Quantity::parse(value).map_err(|cause| ResizeError::Quantity {
        field: field.to_owned(),
        value: value.to_owned(),
        cause,
    })?;
    let rule = match (quantity.is_negative(), quantity == Quantity::default(), name) {
        (true, ..) => "must be greater than or equal to 0",
        (_, true, _) if list == "limits" => "resource limits cannot be removed, and zero is no limit",
        (.., "memory") if !quantity.is_whole() => "fractional byte value is invalid, must be an integer",
        _ => return Ok(()),
    };
    Err(ResizeError::Invalid { field: field.to_owned(), value: value.to_owned(), rule })
}
