//! Words for pods, and the namespace of what is named.

/// Kubernetes' word for pods.
pub(super) fn is_kind(word: &str) -> bool {
    matches!(word, "pod" | "pods" | "po" | "Pod")
}

/// `web` in a namespace: `ops/web`.
pub(super) fn in_namespace(pod: &mut String, namespace: Option<&str>) -> Result<(), String> {
    match (namespace, pod.split_once('/')) {
        (None, _) => {}
        (Some(namespace), Some((named, _))) if named == namespace => {}
        (Some(namespace), Some(_)) => {
            return Err(format!("--namespace {namespace} and pod {pod:?} contradict each other"));
        }
        (Some(namespace), None) => *pod = format!("{namespace}/{pod}"),
    }
    Ok(())
}
