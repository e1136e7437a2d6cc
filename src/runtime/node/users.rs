//! The user namespace that this process is in (user_namespaces(7)).

use std::path::Path;

use super::error::{NodeError, text_or_empty};
use crate::plan::{IdRange, NamespaceIds};

/// `None`: the box's own.
///
/// # Errors
/// Where the kernel has the maps and they can't be read: an empty one would be another namespace's.
pub(super) fn ids() -> Result<Option<NamespaceIds>, NodeError> {
    of_process(Path::new("/proc/self"))
}

fn of_process(folder: &Path) -> Result<Option<NamespaceIds>, NodeError> {
    let read = |name: &str| text_or_empty(&folder.join(name));
    let (users, groups) = (parse(&read("uid_map")?), parse(&read("gid_map")?));
    let all = [IdRange { first: 0, length: u32::MAX }];
    // A kernel without user namespaces has no such files.
    if users.is_empty() || (users == all && groups == all) {
        return Ok(None);
    }
    let keeps_groups = read("setgroups")?.trim() == "deny";
    Ok(Some(NamespaceIds { users, groups, keeps_groups }))
}

/// A map's lines are `inside outside length`; what is outside doesn't matter in here.
fn parse(map: &str) -> Vec<IdRange> {
    let range = |line: &str| {
        let mut numbers = line.split_whitespace();
        let (first, _, length) = (numbers.next()?, numbers.next()?, numbers.next()?);
        Some(IdRange { first: first.parse().ok()?, length: length.parse().ok()? })
    };
    map.lines().filter_map(range).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Without its map a process would be in a namespace that has no ids at all.
    #[test]
    fn a_map_that_cant_be_read_is_not_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(of_process(dir.path()).unwrap().is_none(), "a kernel without user namespaces");
        std::fs::write(dir.path().join("uid_map"), "0 0 4294967295\n").unwrap();
        std::fs::create_dir(dir.path().join("gid_map")).unwrap();
        assert!(matches!(of_process(dir.path()), Err(NodeError::Read { .. })));
        std::fs::remove_dir(dir.path().join("gid_map")).unwrap();
        std::fs::write(dir.path().join("gid_map"), "0 0 4294967295\n").unwrap();
        assert!(of_process(dir.path()).unwrap().is_none());
    }

    #[test]
    fn maps() {
        let ranges = parse("         0       1000          1\n         1     100000      65536\n");
        assert_eq!(ranges, [IdRange { first: 0, length: 1 }, IdRange { first: 1, length: 65536 }]);
        assert!(ranges[1].has(65536) && !ranges[1].has(0) && !ranges[1].has(65537));
    }
}
