//! What a policy is about: an image by its name, and the scopes of a policy that it is in.

use std::path::{Path, PathBuf};

use crate::images::reference::{Reference, usual_spelling};

/// An image as a policy knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Registry(Reference),
    File {
        /// `oci`, `oci-archive`, `docker-archive`.
        transport: &'static str,
        path: PathBuf,
        name: Option<String>,
    },
}

impl Subject {
    /// The key below `transports`.
    pub(super) fn transport(&self) -> &'static str {
        match self {
            Self::Registry(_) => "docker",
            Self::File { transport, .. } => transport,
        }
    }

    /// A scope of its transport as [`scopes`](Self::scopes) has it, however it is spelled in a policy.
    pub(super) fn usual_scope(&self, scope: &str) -> String {
        match self {
            Self::Registry(_) => usual_spelling(scope),
            Self::File { .. } => scope.to_owned(),
        }
    }

    /// From the narrowest to the widest, without `default` (containers-policy.json(5), "Supported transports and their scopes").
    pub(super) fn scopes(&self) -> Vec<String> {
        let mut scopes = match self {
            Self::Registry(reference) => of_registry(reference),
            // Its files have no names by which they could be told apart.
            Self::File { transport: "docker-archive", .. } => Vec::new(),
            Self::File { path, name, .. } => of_file(path, name.as_deref()),
        };
        scopes.push(String::new());
        scopes
    }
}

fn of_registry(reference: &Reference) -> Vec<String> {
    // Who writes a registry's name in another way doesn't evade what is wanted of its images.
    let reference = reference.usual();
    let name = reference.name();
    let mut scopes = Vec::new();
    scopes.extend(reference.digest().map(|digest| format!("{name}@{digest}")));
    scopes.extend(reference.tag().map(|tag| format!("{name}:{tag}")));
    let mut rest = name.as_str();
    scopes.push(rest.to_owned());
    while let Some((shorter, _)) = rest.rsplit_once('/') {
        scopes.push(shorter.to_owned());
        rest = shorter;
    }
    // `*.example.com`, whatever the port.
    let mut host = rest.split(':').next().unwrap_or_default();
    while let Some((_, shorter)) = host.split_once('.') {
        scopes.push(format!("*.{shorter}"));
        host = shorter;
    }
    scopes
}

fn of_file(path: &Path, name: Option<&str>) -> Vec<String> {
    let shown = |path: &Path| path.display().to_string();
    let mut scopes: Vec<String> = name.map(|name| format!("{}:{name}", shown(path))).into_iter().collect();
    // The root alone is what "" is for.
    scopes.extend(path.ancestors().filter(|path| path.parent().is_some()).map(shown));
    scopes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_scope_comes_first() {
        let of = |name: &str| Subject::Registry(name.parse().unwrap()).scopes();
        let wanted =
            ["docker.io/library/nginx:1.27", "docker.io/library/nginx", "docker.io/library", "docker.io", "*.io", ""];
        assert_eq!(of("nginx:1.27"), wanted);
        let digest = crate::images::digest::Digest::of(b"x");
        let scopes = of(&format!("reg.example.com:5000/team/app@{digest}"));
        let exact = format!("reg.example.com:5000/team/app@{digest}");
        let rest = [
            "reg.example.com:5000/team/app",
            "reg.example.com:5000/team",
            "reg.example.com:5000",
            "*.example.com",
            "*.com",
            "",
        ];
        assert_eq!(scopes[0], exact);
        assert_eq!(scopes[1..], rest);
        let spelled_otherwise = of(&format!("Reg.EXAMPLE.com:05000/team/app@{digest}"));
        assert_eq!(spelled_otherwise, scopes);
        assert_eq!(of("docker.io:443/library/nginx:1.27"), wanted);
        assert_eq!(of("Registry-1.docker.io/library/nginx:1.27"), wanted);
        let file =
            |transport| Subject::File { transport, path: "/srv/images".into(), name: Some("web".to_owned()) }.scopes();
        assert_eq!(file("oci"), ["/srv/images:web", "/srv/images", "/srv", ""]);
        assert_eq!(file("docker-archive"), [""]);
    }
}
