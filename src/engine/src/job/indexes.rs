//! Numbers of pods of an Indexed Job, written as the API writes them.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::spec::SuccessRule;

/// `1,3-5,7`.
pub(super) fn text(indexes: &BTreeSet<u32>) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for index in indexes {
        match parts.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*index) => *last = *index,
            _ => parts.push((*index, *index)),
        }
    }
    let texts: Vec<String> = parts
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => format!("{first}"),
            1 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        })
        .collect();
    texts.join(",")
}

/// R11.13: whether enough of the indexes have succeeded.
pub(super) fn is_met(rule: &SuccessRule, succeeded: &BTreeSet<u32>, completions: u32) -> bool {
    let is_in = |index: &u32| match &rule.indexes {
        None => true,
        Some(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(index)),
    };
    let met = succeeded.iter().filter(|index| is_in(index)).count();
    let wanted = match rule.count {
        Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
        None => (0..completions).filter(is_in).count(),
    };
    met >= wanted
}
