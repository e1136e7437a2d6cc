//! Names of images that are exported.

/// A name without its digest, which what is written doesn't have; `None`: nothing but the digest told it from others.
pub(super) fn without_digest(name: &str) -> Option<String> {
    match name.split_once('@') {
        None => Some(name.to_owned()),
        Some((rest, _)) => rest.rsplit('/').next()?.contains(':').then(|| rest.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exported_names_have_no_digest() {
        for (name, written) in [
            ("reg.example:5000/a:1", Some("reg.example:5000/a:1")),
            ("reg.example:5000/a:1@sha256:0", Some("reg.example:5000/a:1")),
            ("reg.example:5000/a@sha256:0", None),
        ] {
            assert_eq!(without_digest(name).as_deref(), written);
        }
    }
}
