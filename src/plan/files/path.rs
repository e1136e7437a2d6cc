//! Paths by name, without a look at any file system.

use std::path::{Component, Path, PathBuf};

/// A path without `.`, `//` and a slash at its end, by name: absolute, and `..` never climbs above the root.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied_by_name() {
        for (path, tidy) in [("/a/./b/", "/a/b"), ("a/b", "/a/b"), ("/m/../x", "/x"), ("/../..", "/")] {
            assert_eq!(normal(Path::new(path)), Path::new(tidy), "{path}");
        }
    }
}
