//! The pod's volumes.

use k8s_openapi::api::core::v1;

use super::{NONE, NOTHING};
use crate::report::page::{Field, Page, field};

pub(super) fn describe(page: &mut Page, spec: &v1::PodSpec) {
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    if volumes.is_empty() {
        return page.fields(&[field(0, "Volumes", [NONE])]);
    }
    page.fields(&[field(0, "Volumes", NOTHING)]);
    for volume in volumes {
        page.fields(&[field(1, &volume.name, NOTHING)]);
        page.fields(&of(volume));
    }
}

fn optional(optional: Option<bool>) -> &'static str {
    if optional == Some(true) { "true" } else { "false" }
}

fn of(volume: &v1::Volume) -> Vec<Field> {
    let kind = |text: &str| field(2, "Type", [text]);
    if let Some(one) = &volume.empty_dir {
        let medium = one.medium.as_deref().filter(|medium| !medium.is_empty()).unwrap_or("disk");
        let limit = one.size_limit.as_ref().map_or("<unset>", |limit| limit.0.as_str());
        let mode = one.mode.map(|mode| field(2, "Mode", [format!("{mode:04o}")]));
        let known = [
            kind("EmptyDir (lives as long as the pod)"),
            field(2, "Medium", [medium]),
            field(2, "Size Limit", [limit]),
        ];
        known.into_iter().chain(mode).collect()
    } else if let Some(one) = &volume.host_path {
        let checked = one.type_.as_deref().filter(|text| !text.is_empty()).unwrap_or("<unchecked>");
        vec![kind("HostPath (of this box)"), field(2, "Path", [&one.path]), field(2, "Host Path Type", [checked])]
    } else if let Some(one) = &volume.config_map {
        let name = field(2, "Name", [one.name.as_str()]);
        vec![kind("ConfigMap"), name, field(2, "Optional", [optional(one.optional)])]
    } else if let Some(one) = &volume.secret {
        let name = field(2, "Secret Name", [one.secret_name.as_deref().unwrap_or(NONE)]);
        vec![kind("Secret"), name, field(2, "Optional", [optional(one.optional)])]
    } else if let Some(one) = &volume.persistent_volume_claim {
        let read_only = if one.read_only == Some(true) { "true" } else { "false" };
        let name = field(2, "Claim Name", [one.claim_name.as_str()]);
        vec![kind("PersistentVolumeClaim (given by run --volume)"), name, field(2, "Read Only", [read_only])]
    } else if let Some(one) = &volume.downward_api {
        let items = one.items.iter().flatten().map(item).collect::<Vec<_>>();
        vec![kind("DownwardAPI (what is known of the pod)"), field(2, "Items", items)]
    } else if let Some(one) = &volume.projected {
        let sources = one.sources.iter().flatten().flat_map(projection).collect::<Vec<_>>();
        vec![kind("Projected (several sources in one folder)"), field(2, "Sources", sources)]
    } else if let Some(one) = &volume.image {
        vec![kind("Image"), field(2, "Reference", [one.reference.as_deref().unwrap_or(NONE)])]
    } else {
        vec![kind("EmptyDir (lives as long as the pod)")]
    }
}

fn item(item: &v1::DownwardAPIVolumeFile) -> String {
    let what = match (&item.field_ref, &item.resource_field_ref) {
        (Some(one), _) => one.field_path.clone(),
        (None, Some(one)) => match &one.container_name {
            Some(container) => format!("{} of {container}", one.resource),
            None => one.resource.clone(),
        },
        (None, None) => NONE.to_owned(),
    };
    format!("{what} -> {}", item.path)
}

fn projection(source: &v1::VolumeProjection) -> Vec<String> {
    let optional = |optional: Option<bool>| if optional == Some(true) { " (optional)" } else { "" };
    if let Some(one) = &source.config_map {
        vec![format!("ConfigMap {}{}", one.name, optional(one.optional))]
    } else if let Some(one) = &source.secret {
        vec![format!("Secret {}{}", one.name, optional(one.optional))]
    } else if let Some(one) = &source.downward_api {
        one.items.iter().flatten().map(|one| format!("DownwardAPI {}", item(one))).collect()
    } else {
        vec![NONE.to_owned()]
    }
}
