//! Where an image is written to.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::error::{ExportError, failed};
use crate::images::archive::{Writer, header};
use crate::images::digest::{Algorithm, Digest, Hasher};
use crate::images::document::{Descriptor, OCI_INDEX, REF_NAME};
use crate::runtime::random;

/// How much is written at once.
const BUFFER: usize = 256 << 10;

/// Where an image is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An image layout in a folder, beside the images that it has.
    Folder(PathBuf),
    /// One in a tar archive, in the place of the file that is there.
    Archive(PathBuf),
}

/// A file of a layout's, as it is written.
type Content<'a> = &'a mut dyn FnMut(&mut dyn Write) -> Result<(), ExportError>;

/// A layout that is being written.
pub(super) enum Open {
    Folder(PathBuf),
    Archive {
        writer: Writer<BufWriter<File>>,
        /// Of which it is the content once it is whole.
        path: PathBuf,
        temporary: PathBuf,
        is_whole: bool,
    },
}

impl Target {
    /// What `image export` calls it: a folder that is there or has a slash at its end, else an archive.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let path = PathBuf::from(text);
        if text.ends_with('/') || path.is_dir() { Self::Folder(path) } else { Self::Archive(path) }
    }

    pub(super) fn open(&self) -> Result<Open, ExportError> {
        match self {
            Self::Folder(path) => {
                let blobs = path.join("blobs/sha256");
                DirBuilder::new().recursive(true).mode(0o755).create(&blobs).map_err(failed("mkdir", &blobs))?;
                Ok(Open::Folder(path.clone()))
            }
            Self::Archive(path) => {
                let path = replaceable(path)?;
                let mut temporary = path.clone().into_os_string();
                temporary.push(format!(".new-{}", random::uuid().simple()));
                let temporary = PathBuf::from(temporary);
                let file = File::create_new(&temporary).map_err(failed("create", &temporary))?;
                let writer = Writer::new(BufWriter::with_capacity(BUFFER, file));
                let mut open = Open::Archive { writer, path, temporary, is_whole: false };
                open.small("oci-layout", &layout())?;
                Ok(open)
            }
        }
    }
}

/// Where a file can be put without anything else being lost: a rename would put it in the place of a device or a symlink, too.
fn replaceable(path: &Path) -> Result<PathBuf, ExportError> {
    let no_file = |what: &'static str| ExportError::NoFile { path: path.to_owned(), what };
    if path == Path::new("-") {
        return Err(no_file("standard output"));
    }
    let kind = match fs::metadata(path) {
        // What a symlink leads to is replaced, not the symlink.
        Ok(found) if found.is_file() => return path.canonicalize().map_err(failed("realpath", path)),
        Ok(found) => found.file_type(),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            return match path.is_symlink() {
                true => Err(no_file("a symlink to what isn't there")),
                false => Ok(path.to_owned()),
            };
        }
        Err(cause) => return Err(failed("stat", path)(cause)),
    };
    Err(no_file(match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }))
}

fn layout() -> Vec<u8> {
    json!({"imageLayoutVersion": "1.0.0"}).to_string().into_bytes()
}

fn blob(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

impl Open {
    /// Writes a content whose digest becomes its name.
    pub(super) fn blob(&mut self, content: Content<'_>) -> Result<(Digest, u64), ExportError> {
        match self {
            Self::Folder(folder) => {
                let temporary = folder.join(format!("blobs/sha256/.new-{}", random::uuid().simple()));
                let written = into_file(&temporary, content).and_then(|(digest, size)| {
                    let path = folder.join(blob(&digest));
                    fs::rename(&temporary, &path).map_err(failed("rename", &temporary))?;
                    Ok((digest, size))
                });
                written.inspect_err(|_| drop(fs::remove_file(&temporary)))
            }
            Self::Archive { writer, temporary, .. } => {
                // Its header comes once all of it has been seen.
                let io = |cause| failed("write", temporary)(cause);
                let begins = writer.inner().stream_position().map_err(io)?;
                writer.inner().write_all(&[0; 512]).map_err(io)?;
                let mut hashing = Hashing { to: writer.inner(), hasher: Hasher::new(Algorithm::Sha256), size: 0 };
                content(&mut hashing)?;
                let (digest, size) = (hashing.hasher.finish(), hashing.size);
                writer.pad(size).map_err(io)?;
                let name = blob(&digest);
                let header = header(name.as_bytes(), b'0', 0o644, [0, 0], size, 0, b"", (0, 0));
                let to = writer.inner();
                to.seek(SeekFrom::Start(begins)).map_err(io)?;
                to.write_all(&header).map_err(io)?;
                to.seek(SeekFrom::End(0)).map_err(io)?;
                Ok((digest, size))
            }
        }
    }

    pub(super) fn document(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.blob(&mut |to| to.write_all(bytes).map_err(failed("write", Path::new("a document")))).map(drop)
    }

    /// The image is whole: the layout's index names it.
    pub(super) fn finish(mut self, image: &Descriptor) -> Result<(), ExportError> {
        if let Self::Folder(folder) = &self {
            return into_index(folder, image);
        }
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [image]});
        self.small("index.json", index.to_string().as_bytes())?;
        let Self::Archive { writer, path, temporary, is_whole } = &mut self else { return Ok(()) };
        let io = |cause| failed("write", temporary)(cause);
        writer.inner().write_all(&[0; 1024]).map_err(io)?;
        writer.inner().flush().map_err(io)?;
        writer.inner().get_ref().sync_all().map_err(io)?;
        fs::rename(&*temporary, &*path).map_err(failed("rename", temporary))?;
        *is_whole = true;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync(folder)
    }

    /// A small file of an archive.
    fn small(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let Self::Archive { writer, temporary, .. } = self else { return Ok(()) };
        let io = |cause| failed("write", temporary)(cause);
        let header = header(name.as_bytes(), b'0', 0o644, [0, 0], bytes.len() as u64, 0, b"", (0, 0));
        writer.inner().write_all(&header).map_err(io)?;
        writer.inner().write_all(bytes).map_err(io)?;
        writer.pad(bytes.len() as u64).map_err(io)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Self::Archive { temporary, is_whole: false, .. } = self {
            let _ = fs::remove_file(temporary);
        }
    }
}

fn into_file(path: &Path, content: Content<'_>) -> Result<(Digest, u64), ExportError> {
    let file = File::create_new(path).map_err(failed("create", path))?;
    let to = BufWriter::with_capacity(BUFFER, file);
    let mut hashing = Hashing { to, hasher: Hasher::new(Algorithm::Sha256), size: 0 };
    content(&mut hashing)?;
    let Hashing { mut to, hasher, size } = hashing;
    to.flush().map_err(failed("write", path))?;
    to.get_ref().sync_all().map_err(failed("fsync", path))?;
    Ok((hasher.finish(), size))
}

/// Names an image in a folder's index, in the place of one of the same name.
fn into_index(folder: &Path, image: &Descriptor) -> Result<(), ExportError> {
    let _turn = lock(folder)?;
    // What it names is there after a power cut as well.
    for blobs in ["blobs/sha256", "blobs"] {
        sync(&folder.join(blobs))?;
    }
    let path = folder.join("index.json");
    let mut index: Value = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|why| ExportError::NoLayout { path: path.clone(), why: why.to_string() })?,
        Err(cause) if cause.kind() == ErrorKind::NotFound => json!({"schemaVersion": 2, "mediaType": OCI_INDEX}),
        Err(cause) => return Err(failed("read", &path)(cause)),
    };
    let no_layout = |why: &str| ExportError::NoLayout { path: path.clone(), why: why.to_owned() };
    let object = index.as_object_mut().ok_or_else(|| no_layout("it is no JSON object"))?;
    let mut manifests = match object.remove("manifests") {
        // An empty list, as Go writes some.
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(manifests)) => manifests,
        Some(_) => return Err(no_layout("its manifests are no list")),
    };
    let name = image.annotations.get(REF_NAME);
    let is_replaced = |one: &Value| match name {
        Some(name) => one["annotations"][REF_NAME] == **name,
        None => one["digest"] == image.digest.to_string() && one["annotations"][REF_NAME].is_null(),
    };
    manifests.retain(|one| !is_replaced(one));
    manifests.push(json!(image));
    index["manifests"] = Value::Array(manifests);
    if !folder.join("oci-layout").exists() {
        replace(folder, "oci-layout", &layout())?;
    }
    replace(folder, "index.json", index.to_string().as_bytes())
}

/// Keeps other exports from the folder's index, which would lose what they add at the same time.
fn lock(folder: &Path) -> Result<File, ExportError> {
    let file = File::open(folder).map_err(failed("open", folder))?;
    match file.lock() {
        // Folders of some file systems can't be locked (NFS): there it is as with all tools that write layouts.
        Err(cause) if !matches!(cause.raw_os_error(), Some(libc::EBADF | libc::ENOLCK | libc::EOPNOTSUPP)) => {
            Err(failed("flock", folder)(cause))
        }
        _ => Ok(file),
    }
}

/// Seen whole or not at all, and on disk once this returns.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
    let temporary = folder.join(format!(".new-{}", random::uuid().simple()));
    let written = into_file(&temporary, &mut |to| to.write_all(bytes).map_err(failed("write", &temporary)))
        .and_then(|_| fs::rename(&temporary, folder.join(name)).map_err(failed("rename", &temporary)));
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    sync(folder)
}

/// Puts the entries of a folder on disk.
fn sync(folder: &Path) -> Result<(), ExportError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("fsync", folder))
}

/// Hashes and counts what is written.
struct Hashing<W> {
    to: W,
    hasher: Hasher,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.to.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
