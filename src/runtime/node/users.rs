//! The user namespace that this process is in (user_namespaces(7)).

use std::fs;

use crate::plan::{IdRange, NamespaceIds, Supplementary};

/// `None`: the box's own.
pub(super) fn ids() -> Option<NamespaceIds> {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let (users, groups) = (parse(&read("uid_map")), parse(&read("gid_map")));
    let all = [IdRange { first: 0, length: u32::MAX }];
    // A kernel without user namespaces has no such files.
    if users.is_empty() || (users == all && groups == all) {
        return None;
    }
    let supplementary = match read("setgroups").trim() {
        "deny" => Supplementary::Kept,
        _ => Supplementary::Settable,
    };
    Some(NamespaceIds { users, groups, supplementary })
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
mod tests {
    use super::*;

    #[test]
    fn maps() {
        let ranges = parse("         0       1000          1\n         1     100000      65536\n");
        assert_eq!(ranges, [IdRange { first: 0, length: 1 }, IdRange { first: 1, length: 65536 }]);
        assert!(ranges[1].has(65536) && !ranges[1].has(0) && !ranges[1].has(65537));
    }
}
