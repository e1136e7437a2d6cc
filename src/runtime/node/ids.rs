//! Which host ids are somebody's on this box.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::error::NodeError;

/// Ranges of host ids that processes' user namespaces have at present, whoever made them.
///
/// # Errors
/// Where that can't be seen (no more open files): a range that looks free may be somebody's.
pub fn ids_in_use() -> Result<Vec<Range<u64>>, NodeError> {
    ids_in_use_below(Path::new("/proc"))
}

fn ids_in_use_below(processes: &Path) -> Result<Vec<Range<u64>>, NodeError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |cause| NodeError::Read { path, cause }
    };
    let mut all: Vec<Range<u64>> = Vec::new();
    for process in fs::read_dir(processes).map_err(failed(processes))? {
        let process = process.map_err(failed(processes))?;
        if !process.file_name().as_encoded_bytes()[0].is_ascii_digit() {
            continue;
        }
        for file in ["uid_map", "gid_map"] {
            let path = process.path().join(file);
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                // It has ended meanwhile; or it is another user's who is hidden (proc(5), hidepid=1) and has other ids.
                Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => continue,
                Err(cause) if matches!(cause.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => continue,
                Err(cause) => return Err(failed(&path)(cause)),
            };
            // Most have the host's.
            for range in text.lines().filter_map(mapped).filter(|range| *range != (0..u64::from(u32::MAX))) {
                if !all.contains(&range) {
                    all.push(range);
                }
            }
        }
    }
    Ok(all)
}

/// What a line of /proc/PID/uid_map maps to (user_namespaces(7)).
fn mapped(line: &str) -> Option<Range<u64>> {
    let mut numbers = line.split_whitespace().map(str::parse::<u64>);
    let (_, first, length) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(first..first + length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A map that can't be read (here: it is a folder) may have any range.
    #[test]
    fn ids_are_free_only_where_that_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        for (process, map) in [("1", "0 0 4294967295\n"), ("22", "0 65536 1\n1 70000 10\n"), ("sys", "0 1 1\n")] {
            fs::create_dir(file(process)).unwrap();
            fs::write(file(process).join("uid_map"), map).unwrap();
        }
        assert_eq!(ids_in_use_below(dir.path()).unwrap(), [65536..65537, 70000..70010]);
        fs::create_dir(file("1/gid_map")).unwrap();
        assert!(matches!(ids_in_use_below(dir.path()), Err(NodeError::Read { .. })));
        assert!(ids_in_use_below(&file("none")).is_err());
        ids_in_use().unwrap();
    }
}
