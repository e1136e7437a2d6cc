//! Which names of images a prefix stands for.

/// The length of what of a name (REGISTRY/PATH) a prefix stands for; `None`: it doesn't.
pub fn matched(prefix: &str, name: &str) -> Option<usize> {
    match prefix.strip_prefix('*') {
        // `*.example.com`: hosts below it, whole.
        Some(domain) => {
            let end = name.find('/')?;
            let host = &name[..end];
            (host.len() > domain.len() && host.ends_with(domain)).then_some(end)
        }
        None => {
            let rest = name.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with('/')).then_some(prefix.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_for_what_is_below_it() {
        for (prefix, name, wanted) in [
            ("docker.io", "docker.io/library/nginx", Some("docker.io")),
            ("docker.io/library", "docker.io/library/nginx", Some("docker.io/library")),
            ("docker.io/library/nginx", "docker.io/library/nginx", Some("docker.io/library/nginx")),
            ("docker.io/lib", "docker.io/library/nginx", None),
            ("docker.io", "docker.io.example/nginx", None),
            ("reg:5000", "reg:5000/a", Some("reg:5000")),
            ("reg", "reg:5000/a", None),
            ("*.example", "a.b.example/x/y", Some("a.b.example")),
            ("*.example", "example/x", None),
            ("*.example", "reg.test/a.example", None),
            ("*.example", "badexample/x", None),
            ("*.example:5000", "a.example:5000/x", Some("a.example:5000")),
        ] {
            assert_eq!(matched(prefix, name).map(|length| &name[..length]), wanted, "{prefix}: {name}");
        }
    }
}
