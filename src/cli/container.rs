//! Which container of a pod a command is about.

use k8s_openapi::api::core::v1;

use super::error::CliError;
use super::terminal::sanitize;

/// kubectl's annotation for the container that is meant where none is named.
pub(super) const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// All of a pod's containers, init containers first and ephemeral ones last, as kubectl goes through them.
pub(super) fn all(pod: &v1::Pod) -> Vec<String> {
    let spec = pod.spec.as_ref();
    let inits = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    let fixed = inits.chain(spec.into_iter().flat_map(|spec| &spec.containers)).map(|one| &one.name);
    fixed.chain(extra(pod).map(|one| &one.name)).cloned().collect()
}

/// Those that were added while it ran.
fn extra(pod: &v1::Pod) -> impl Iterator<Item = &v1::EphemeralContainer> {
    pod.spec.iter().flat_map(|spec| &spec.ephemeral_containers).flatten()
}

/// Which container is meant, and what to say where that is not plain (as kubectl does).
pub(super) fn which(pod: &v1::Pod, asked: Option<&str>, name: &str) -> Result<(String, Option<String>), CliError> {
    let spec = pod.spec.as_ref();
    let mains: Vec<&str> = spec.into_iter().flat_map(|spec| &spec.containers).map(|one| one.name.as_str()).collect();
    let inits = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    let inits: Vec<&str> = inits.map(|one| one.name.as_str()).collect();
    let extra: Vec<&str> = extra(pod).map(|one| one.name.as_str()).collect();
    let has = |wanted: &str| [&mains, &inits, &extra].iter().any(|list| list.contains(&wanted));
    if let Some(asked) = asked {
        if has(asked) {
            return Ok((asked.to_owned(), None));
        }
        let known: Vec<&str> = inits.iter().chain(&mains).chain(&extra).copied().collect();
        return Err(CliError::NoContainer {
            container: asked.to_owned(),
            pod: name.to_owned(),
            known: known.join(", "),
        });
    }
    let annotation = pod.metadata.annotations.as_ref().and_then(|all| all.get(DEFAULT_CONTAINER));
    if let Some(default) = annotation.filter(|default| has(default)) {
        return Ok((default.clone(), None));
    }
    let chosen = mains.first().copied().unwrap_or_default().to_owned();
    let note = match annotation {
        Some(absent) => Some(format!(
            "warning: the pod has no container \"{}\", which {DEFAULT_CONTAINER} names; this is \"{chosen}\"",
            sanitize(absent)
        )),
        None if mains.len() + inits.len() + extra.len() > 1 => {
            let inits = inits.iter().map(|one| format!("{one} (init)"));
            let extra = extra.iter().map(|one| format!("{one} (ephem)"));
            let all: Vec<String> = mains.iter().map(|one| (*one).to_owned()).chain(extra).chain(inits).collect();
            Some(format!("Defaulted container \"{chosen}\" out of: {}", all.join(", ")))
        }
        None => None,
    };
    Ok((chosen, note))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pod(annotation: &str, inits: &str, mains: &str) -> v1::Pod {
        let text = format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p","annotations":{annotation}}},
            "spec":{{"initContainers":{inits},"containers":{mains}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    const INITS: &str = r#"[{"name":"i"},{"name":"s","restartPolicy":"Always"}]"#;
    const MAINS: &str = r#"[{"name":"a"},{"name":"b"}]"#;

    #[test]
    fn the_container_that_is_meant() {
        let plain = pod("{}", INITS, MAINS);
        assert_eq!(which(&plain, Some("s"), "p").unwrap(), ("s".to_owned(), None));
        assert_eq!(all(&plain), ["i", "s", "a", "b"]);
        let note = "Defaulted container \"a\" out of: a, b, i (init), s (init)";
        assert_eq!(which(&plain, None, "p").unwrap(), ("a".to_owned(), Some(note.to_owned())));
        assert_eq!(which(&pod("{}", "[]", r#"[{"name":"a"}]"#), None, "p").unwrap(), ("a".to_owned(), None));
        let mut debugged = pod("{}", "[]", r#"[{"name":"a"}]"#);
        let extra = serde_json::from_str(r#"[{"name":"d"}]"#).unwrap();
        debugged.spec.as_mut().unwrap().ephemeral_containers = Some(extra);
        let note = "Defaulted container \"a\" out of: a, d (ephem)";
        assert_eq!(which(&debugged, None, "p").unwrap(), ("a".to_owned(), Some(note.to_owned())));
        assert_eq!(which(&debugged, Some("d"), "p").unwrap(), ("d".to_owned(), None));
        assert_eq!(all(&debugged), ["a", "d"]);
        let named = pod(r#"{"kubectl.kubernetes.io/default-container":"b"}"#, INITS, MAINS);
        assert_eq!(which(&named, None, "p").unwrap(), ("b".to_owned(), None));
        let absent = pod(r#"{"kubectl.kubernetes.io/default-container":"x\u001b[2J"}"#, INITS, MAINS);
        let (chosen, note) = which(&absent, None, "p").unwrap();
        assert_eq!(chosen, "a");
        assert!(note.unwrap().contains("no container \"x\\u{1b}[2J\""));
        let error = which(&plain, Some("nginx"), "default/p").unwrap_err().to_string();
        assert_eq!(error, "container \"nginx\" is not in pod \"default/p\"; it has: i, s, a, b");
    }
}
