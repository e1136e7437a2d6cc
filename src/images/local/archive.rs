//! Files in a folder or in a tar archive, read by their names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::LocalError;
use crate::images::archive::{self as tar, ArchiveError, Kind};

/// How many names of an archive are kept: an image has 500 layers at most, and a file of docker's has some more for each.
const MOST: usize = 100_000;
/// Bytes of a header, without which there is no archive.
const SMALLEST: u64 = 512;
/// How often a link in an archive leads to another.
const LINKS: usize = 8;

/// Where files are.
#[derive(Debug)]
pub enum Files {
    Folder(PathBuf),
    Archive(Archive),
}

/// A tar archive whose headers were read once.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    file: File,
    entries: BTreeMap<String, Place>,
    /// Bytes of the file, where nothing says that the archive ends there: either it is cut off, or its writer leaves that out.
    open_end: Option<u64>,
}

#[derive(Clone, Debug)]
enum Place {
    At { offset: u64, size: u64 },
    Link(String),
}

impl Files {
    /// The path that people know.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) => path,
            Self::Archive(archive) => &archive.path,
        }
    }

    /// Reads the headers of an archive.
    pub fn archive(path: &Path) -> Result<Self, LocalError> {
        let mut file = open(path)?;
        let bytes = file.metadata().map_err(failed("stat", path))?.len();
        if bytes == 0 {
            return Err(LocalError::NoArchive { path: path.to_owned(), why: "the file is empty" });
        }
        let mut start = [0; 4];
        let length = read_start(&mut file, &mut start).map_err(failed("read", path))?;
        if matches!(&start[..length], [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd]) {
            return Err(LocalError::Compressed { path: path.to_owned() });
        }
        let damaged = |cause: String| LocalError::Damaged { path: path.to_owned(), cause };
        file.seek(SeekFrom::Start(0)).map_err(failed("lseek", path))?;
        let mut entries = BTreeMap::new();
        let mut archive = tar::Archive::new(&file, u64::MAX);
        let mut last = 0;
        while let Some(entry) = archive.advance().map_err(|cause| fault(path, bytes, &cause))? {
            let name = normal(&String::from_utf8_lossy(&entry.name));
            if archive.content_begins().saturating_add(archive.content_left()) > bytes {
                let what = format!("{name} ends in the middle");
                return Err(LocalError::Cut { path: path.to_owned(), bytes, what });
            }
            let place = match entry.kind {
                Kind::File if entry.pieces.is_some() => return Err(damaged(format!("{name} is a sparse file"))),
                Kind::File => Some(Place::At { offset: archive.content_begins(), size: entry.size }),
                Kind::Symlink | Kind::HardLink => {
                    let target = String::from_utf8_lossy(&entry.link).into_owned();
                    // A symbolic link starts at its own folder (docker save of old: ../HEX/layer.tar).
                    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let folder = if entry.kind == Kind::Symlink { folder } else { "" };
                    Some(Place::Link(normal(&format!("{folder}/{target}"))))
                }
                _ => None,
            };
            archive.pass_over().map_err(|cause| damaged(cause.to_string()))?;
            if entries.len() == MOST {
                return Err(damaged(format!("it has more than {MOST} files")));
            }
            entries.extend(place.map(|place| (name, place)));
            last = archive.content_begins();
        }
        let open_end = (archive.content_begins() <= last).then_some(bytes);
        drop(archive);
        Ok(Self::Archive(Archive { path: path.to_owned(), file, entries, open_end }))
    }

    /// Why it is no image of this kind: it has no such file, and `other` is what those of another kind have, which that transport reads.
    pub fn no_image(&self, missing: &'static str, kind: &'static str, other: (&str, &'static str)) -> LocalError {
        let path = self.path().to_owned();
        match self {
            Self::Archive(Archive { open_end: Some(bytes), .. }) => {
                LocalError::Cut { path, bytes: *bytes, what: format!("it has no end, and no {missing}") }
            }
            Self::Archive(_) if self.has(other.0) => LocalError::NoImage { path, missing, kind, reader: Some(other.1) },
            Self::Archive(_) | Self::Folder(_) => LocalError::NoImage { path, missing, kind, reader: None },
        }
    }

    /// Whether there is such a file.
    pub fn has(&self, name: &str) -> bool {
        self.open(name).is_ok()
    }

    /// Bytes of a file.
    pub fn size(&self, name: &str) -> Result<u64, LocalError> {
        match self {
            Self::Folder(path) => {
                let path = path.join(name);
                open(&path)?.metadata().map(|found| found.len()).map_err(failed("stat", &path))
            }
            Self::Archive(archive) => archive.place(name).map(|(_, size)| size),
        }
    }

    /// A file's bytes, from the first to the last.
    pub fn open(&self, name: &str) -> Result<Box<dyn Read + Send + '_>, LocalError> {
        match self {
            Self::Folder(path) => Ok(Box::new(open(&path.join(name))?)),
            Self::Archive(archive) => {
                let (at, left) = archive.place(name)?;
                Ok(Box::new(Part { file: &archive.file, at, left }))
            }
        }
    }

    /// All bytes of a file that has at most `limit`.
    pub fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, LocalError> {
        let mut bytes = Vec::new();
        let read = self.open(name)?.take(limit + 1).read_to_end(&mut bytes);
        let path = self.path().join(name);
        read.map_err(failed("read", &path))?;
        match bytes.len() as u64 > limit {
            true => Err(LocalError::Damaged { path, cause: format!("it has more than {limit} bytes") }),
            false => Ok(bytes),
        }
    }
}

impl Archive {
    /// Where a file begins, and its bytes.
    fn place(&self, name: &str) -> Result<(u64, u64), LocalError> {
        let missing = || match self.open_end {
            Some(bytes) => {
                LocalError::Cut { path: self.path.clone(), bytes, what: format!("it has no end, and no {name}") }
            }
            None => LocalError::Missing { path: self.path.clone(), name: name.to_owned() },
        };
        let mut name = normal(name);
        for _ in 0..LINKS {
            match self.entries.get(&name).ok_or_else(missing)? {
                Place::At { offset, size } => return Ok((*offset, *size)),
                Place::Link(to) => name.clone_from(to),
            }
        }
        Err(missing())
    }
}

/// A part of a file; several are read at the same time.
struct Part<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let length = self.file.read_at(&mut buffer[..most], self.at)?;
        if length == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends in the middle of a file"));
        }
        self.at += length as u64;
        self.left -= length as u64;
        Ok(length)
    }
}

pub(super) fn failed(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LocalError {
    let path = path.to_owned();
    move |cause| LocalError::Io { call, path, cause }
}

/// A regular file: nobody waits for a FIFO.
fn open(path: &Path) -> Result<File, LocalError> {
    let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let file = opened.map_err(failed("open", path))?;
    let found = file.metadata().map_err(failed("stat", path))?.file_type();
    match (found.is_file(), found.is_dir()) {
        (true, _) => Ok(file),
        (false, true) => Err(failed("open", path)(io::Error::other("it is a folder, and a file is wanted"))),
        (false, false) => Err(failed("open", path)(io::Error::other("it is no regular file"))),
    }
}

/// What is wrong with an archive of so many bytes.
fn fault(path: &Path, bytes: u64, cause: &ArchiveError) -> LocalError {
    let path = path.to_owned();
    match cause {
        ArchiveError::Header { at: 0, .. } => LocalError::NoArchive { path, why: "the file doesn't begin like one" },
        ArchiveError::Ends { .. } if bytes < SMALLEST => LocalError::NoArchive { path, why: "the file is too short" },
        ArchiveError::Ends { .. } => LocalError::Cut { path, bytes, what: "a header ends in the middle".to_owned() },
        cause => LocalError::Damaged { path, cause: cause.to_string() },
    }
}

fn read_start(file: &mut File, start: &mut [u8; 4]) -> io::Result<usize> {
    let mut bytes = Vec::new();
    file.take(start.len() as u64).read_to_end(&mut bytes)?;
    start[..bytes.len()].copy_from_slice(&bytes);
    Ok(bytes.len())
}

/// A name without `./`, doubled slashes and what leads up again.
fn normal(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
