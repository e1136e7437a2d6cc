//! What the keys of files of logins stand for: a registry, or a part of one.

/// Docker Hub, as docker's own files and helpers call it.
const HUB_IN_DOCKERS_FILES: &str = "https://index.docker.io/v1/";
/// Its names; all mean one registry.
const HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// How a helper is asked for a registry.
pub fn of_helper(registry: &str) -> &str {
    if is_hub(registry) { HUB_IN_DOCKERS_FILES } else { registry }
}

fn is_hub(host: &str) -> bool {
    HUB.contains(&host)
}

/// How well a key suits a repository: the more specific, the higher.
pub type Rank = (usize, bool);

/// How well a key suits a repository. `None`: not at all.
pub fn rank(key: &str, registry: &str, repository: &str) -> Option<Rank> {
    // An address: docker writes no path that would say anything.
    let address = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let (host, path) = match address {
        Some(rest) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            (host, if matches!(path.trim_end_matches('/'), "v1" | "v2") { "" } else { path })
        }
        None => key.split_once('/').unwrap_or((key, "")),
    };
    let path = path.trim_matches('/');
    let rest = repository.strip_prefix(path)?;
    if !path.is_empty() && !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let is_same = host.eq_ignore_ascii_case(registry) || is_hub(host) && is_hub(registry);
    (is_same || suits(host, registry)).then_some((path.len(), is_same))
}

/// Whether a host suits a pattern with `*` in labels, as the kubelet has it: as many labels, the same port.
fn suits(pattern: &str, host: &str) -> bool {
    let port = |text: &str| text.rsplit_once(':').map(|(_, port)| port.to_owned());
    let name = |text: &str| text.rsplit_once(':').map_or(text, |(name, _)| name).to_ascii_lowercase();
    let (one, other) = (name(pattern), name(host));
    let (patterns, labels): (Vec<&str>, Vec<&str>) = (one.split('.').collect(), other.split('.').collect());
    pattern.contains('*')
        && port(pattern) == port(host)
        && patterns.len() == labels.len()
        && patterns.iter().zip(&labels).all(|(pattern, label)| is_like(pattern, label))
}

/// `*` is any text.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = rest.split('*').collect();
    let Some((last, middle)) = parts.split_last() else { return true };
    for part in middle {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_suits_what_is_below_it() {
        for (key, registry, repository, wanted) in [
            ("reg.example", "reg.example", "team/app", Some((0, true))),
            ("REG.example/", "reg.example", "team/app", Some((0, true))),
            ("reg.example/team", "reg.example", "team/app", Some((4, true))),
            ("reg.example/team/app", "reg.example", "team/app", Some((8, true))),
            ("reg.example/team/ap", "reg.example", "team/app", None),
            ("reg.example/team/app/x", "reg.example", "team/app", None),
            ("reg.example:5000", "reg.example", "team/app", None),
            ("reg.example:5000/team", "reg.example:5000", "team/app", Some((4, true))),
            ("https://reg.example/v1/", "reg.example", "team/app", Some((0, true))),
            ("https://reg.example", "reg.example", "team/app", Some((0, true))),
            ("http://reg.example/team", "reg.example", "team/app", Some((4, true))),
            ("https://index.docker.io/v1/", "docker.io", "library/nginx", Some((0, true))),
            ("docker.io/library", "docker.io", "library/nginx", Some((7, true))),
            ("registry-1.docker.io", "docker.io", "library/nginx", Some((0, true))),
            ("*.example", "reg.example", "app", Some((0, false))),
            ("r*g.ex*le", "reg.example", "app", Some((0, false))),
            ("*.example/team", "reg.example", "team/app", Some((4, false))),
            ("*.example", "a.reg.example", "app", None),
            ("*", "localhost", "app", Some((0, false))),
            ("*.example", "reg.example:5000", "app", None),
            ("*.example:5000", "reg.example:5000", "app", Some((0, false))),
            ("a*a.example", "a.example", "app", None),
            ("other.example", "reg.example", "app", None),
            ("", "reg.example", "app", None),
        ] {
            assert_eq!(rank(key, registry, repository), wanted, "{key}: {registry}/{repository}");
        }
        assert_eq!(of_helper("docker.io"), "https://index.docker.io/v1/");
        assert_eq!(of_helper("reg.example:5000"), "reg.example:5000");
    }
}
