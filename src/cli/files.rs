//! What FILE means on the command line: a file, standard input, or a folder of manifests.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::manifest::{self, Text};

/// Which files of a folder are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Its own.
    Folder,
    /// Also those of the folders below it.
    All,
}

impl Depth {
    /// `--recursive`.
    pub(super) fn of(recursive: bool) -> Self {
        if recursive { Self::All } else { Self::Folder }
    }
}

/// Texts, each with where it came from.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    pub(super) paths: Vec<PathBuf>,
    pub(super) texts: Vec<Text>,
    /// By device and inode: what is given twice, with its folder or by a link, is meant once.
    read: BTreeSet<(u64, u64)>,
}

/// The text of a file, or of standard input, and what it is called in messages.
pub(super) fn text_of(file: &Path) -> Result<(String, Vec<u8>), CliError> {
    let fail = |source| CliError::Read { path: file.to_owned(), source };
    // One byte more than is looked at: who reads it says what is too long, and /dev/zero has no end.
    let most = manifest::MOST_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if is_stdin(file) {
        io::stdin().take(most).read_to_end(&mut bytes).map_err(fail)?;
        return Ok(("<stdin>".to_owned(), bytes));
    }
    fs::File::open(file).and_then(|open| open.take(most).read_to_end(&mut bytes)).map_err(fail)?;
    Ok((file.display().to_string(), bytes))
}

/// Whether a FILE is `-`.
pub(super) fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// Whether a path means a file that whoever calls has open: it will be closed.
pub(super) fn is_of_the_caller(path: &Path) -> bool {
    ["/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/proc/self"].iter().any(|own| path.starts_with(own))
}

/// What `run` reads from standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stdin {
    Manifest,
    /// `--config`.
    Config,
}

/// What is read from standard input of these manifests and files of `--config`; `None`: nothing.
pub(super) fn of_stdin(manifests: &[PathBuf], config: &[PathBuf]) -> Option<Stdin> {
    let is_one_of = |files: &[PathBuf]| files.iter().any(|file| is_stdin(file));
    if is_one_of(manifests) { Some(Stdin::Manifest) } else { is_one_of(config).then_some(Stdin::Config) }
}

/// Reads files in their order, and of folders what kubectl takes of them, by name.
///
/// # Errors
/// Where one can't be read, or a folder has nothing to read.
pub(super) fn read(given: &[PathBuf], depth: Depth) -> Result<Files, CliError> {
    let nothing = |path: &Path| {
        let path = path.display();
        let hint = match depth {
            Depth::Folder => "; --recursive also reads the folders below it",
            Depth::All => "",
        };
        Err(CliError::Words(format!("{path}: the folder has no .yaml, .yml or .json file{hint}")))
    };
    read_with(given, depth, &mut Err, &nothing)
}

/// Likewise; what is to become of what can't be read, and of a folder that has nothing to read, whoever calls says.
///
/// # Errors
/// Theirs.
pub(super) fn read_with(
    given: &[PathBuf],
    depth: Depth,
    wrong: &mut dyn FnMut(CliError) -> Result<(), CliError>,
    nothing: &dyn Fn(&Path) -> Result<(), CliError>,
) -> Result<Files, CliError> {
    let mut files = Files::default();
    for path in given {
        if is_stdin(path) || !path.is_dir() {
            files.add(path).or_else(&mut *wrong)?;
        } else if !add_folder(path, depth, &mut files, wrong)? {
            nothing(path)?;
        }
    }
    Ok(files)
}

impl Files {
    /// Leaves the texts of this name out; whether there was one.
    pub(super) fn forget(&mut self, name: &str) -> bool {
        let is_it: Vec<bool> = self.texts.iter().map(|text| text.name == name).collect();
        let others = is_it.iter().filter(|is_it| !**is_it).count();
        let (mut paths, mut texts) = (is_it.iter(), is_it.iter());
        self.paths.retain(|_| paths.next() == Some(&false));
        self.texts.retain(|_| texts.next() == Some(&false));
        others < is_it.len()
    }

    fn add(&mut self, path: &Path) -> Result<(), CliError> {
        // Why one can't be looked at, reading it says.
        let known = fs::metadata(path).ok().filter(|found| found.is_file() && !is_stdin(path));
        if known.is_some_and(|found| !self.read.insert((found.dev(), found.ino()))) {
            return Ok(());
        }
        let (name, bytes) = text_of(path)?;
        self.paths.push(path.to_owned());
        self.texts.push(Text { name, bytes });
        Ok(())
    }
}

/// As kubectl walks: in the order of the names, and into no folder that is a link. Whether there was something to read.
fn add_folder(
    folder: &Path,
    depth: Depth,
    files: &mut Files,
    wrong: &mut dyn FnMut(CliError) -> Result<(), CliError>,
) -> Result<bool, CliError> {
    let fail = |source| CliError::Read { path: folder.to_owned(), source };
    let read = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(fail);
    let mut entries = match read {
        Ok(entries) => entries,
        // That it has nothing to read nobody can say.
        Err(error) => return wrong(error).map(|()| true),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut has_some = false;
    for entry in entries {
        let path = entry.path();
        let is_manifest = path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
        match entry.file_type().map_err(fail)? {
            kind if kind.is_dir() && depth == Depth::Folder => {}
            kind if kind.is_dir() => has_some |= add_folder(&path, depth, files, wrong)?,
            _ if is_manifest => {
                files.add(&path).or_else(&mut *wrong)?;
                has_some = true;
            }
            _ => {}
        }
    }
    Ok(has_some)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read_names(given: &[&Path], depth: Depth) -> String {
        let given: Vec<PathBuf> = given.iter().map(|path| path.to_path_buf()).collect();
        match read(&given, depth) {
            Ok(files) => {
                files.texts.iter().map(|text| String::from_utf8_lossy(&text.bytes)).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    /// By name, and no others than kubectl's; what is named is read whatever its name.
    #[test]
    fn which_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("b.yaml/deep")).unwrap();
        fs::create_dir(at("none")).unwrap();
        for name in ["z.json", "a.yml", "c.yaml", "notes.txt", "c.yaml.bak", "b.yaml/one.yaml", "b.yaml/deep/two.yaml"]
        {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(at("b.yaml/deep"), at("linked")).unwrap();
        assert_eq!(read_names(&[dir.path()], Depth::Folder), "a.yml c.yaml z.json");
        assert_eq!(read_names(&[dir.path()], Depth::All), "a.yml b.yaml/deep/two.yaml b.yaml/one.yaml c.yaml z.json");
        assert_eq!(read_names(&[&at("notes.txt"), &at("b.yaml")], Depth::Folder), "notes.txt b.yaml/one.yaml");
        // Once, however often and by which ways it is given.
        let twice = [&at("a.yml"), dir.path(), &at("b.yaml/../a.yml"), dir.path()];
        assert_eq!(read_names(&twice, Depth::Folder), "a.yml c.yaml z.json");
        assert!(read_names(&[&at("none")], Depth::Folder).contains("no .yaml, .yml or .json file; --recursive"));
        assert!(read_names(&[&at("gone")], Depth::All).contains("can't read"));
    }

    #[test]
    fn files_that_will_be_closed() {
        for (path, is) in [("/dev/fd/3", true), ("/dev/stdout", true), ("/proc/self/fd/1", true), ("/dev/null", false)]
        {
            assert_eq!(is_of_the_caller(Path::new(path)), is, "{path}");
        }
    }
}
