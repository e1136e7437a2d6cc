//! Images as people make them: by umoci, from busybox and the files of Debian packages that this machine has.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::program;
use super::registry::quiet;

/// An OCI image layout that umoci writes.
pub struct Layout {
    pub path: PathBuf,
}

impl Layout {
    pub fn new(path: PathBuf) -> Self {
        quiet(Command::new("umoci").arg("init").arg("--layout").arg(&path));
        Self { path }
    }

    /// A new image without a layer.
    pub fn image(&self, name: &str) -> Image<'_> {
        let image = Image { layout: self, name: name.to_owned() };
        quiet(&mut image.umoci("new"));
        image
    }

    /// An image under one more name, instead of what that meant before.
    pub fn tagged(&self, name: &str, other: &str) -> Image<'_> {
        let image = Image { layout: self, name: name.to_owned() };
        quiet(image.umoci("tag").arg(other));
        Image { layout: self, name: other.to_owned() }
    }
}

/// An image of a layout.
pub struct Image<'a> {
    layout: &'a Layout,
    name: String,
}

impl Image<'_> {
    /// One more layer, with what is in a folder.
    pub fn layer(&self, tree: &Path) -> &Self {
        quiet(self.umoci("insert").arg(tree).arg("/"));
        self
    }

    /// What the config says: `--config.cmd` and the like.
    pub fn config(&self, options: &[&str]) -> &Self {
        quiet(self.umoci("config").arg("--no-history").args(options));
        self
    }

    fn umoci(&self, command: &str) -> Command {
        let mut umoci = Command::new("umoci");
        umoci.args([command, "--image"]).arg(format!("{}:{}", self.layout.path.display(), self.name));
        umoci
    }
}

/// Whether there is umoci; said aloud where there is none.
#[track_caller]
pub fn is_here() -> bool {
    let is_here = program("umoci").is_some();
    if !is_here {
        crate::skips::skip("needs umoci");
    }
    is_here
}

/// The tree that umoci unpacks of an image of a layout, in a new bundle.
pub fn unpacked(layout: &Path, image: &str, bundle: &Path) -> PathBuf {
    quiet(Command::new("umoci").args(["unpack", "--image"]).arg(format!("{}:{image}", layout.display())).arg(bundle));
    bundle.join("rootfs")
}

/// Makes a tree with busybox and its programs.
pub fn busybox(tree: &Path) {
    let path = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists()).unwrap();
    fs::create_dir_all(tree.join("bin")).unwrap();
    fs::copy(path, tree.join("bin/busybox")).unwrap();
    for applet in quiet(Command::new(path).arg("--list")).lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", tree.join("bin").join(applet)).unwrap();
    }
}

/// Makes a tree with the files of Debian packages, as they are installed here: owners, modes, times, links.
pub fn debian(tree: &Path, packages: &[&str]) {
    fs::create_dir_all(tree).unwrap();
    let listed = quiet(Command::new("dpkg-query").arg("--listfiles").args(packages));
    let mut paths = BTreeSet::new();
    for line in listed.lines().filter(|line| line.starts_with('/') && *line != "/.") {
        // Where a package names a file by a folder that has been a link since: /lib, /bin.
        let path = Path::new(line);
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let Ok(parent) = parent.canonicalize() else { continue };
        if parent.join(name).symlink_metadata().is_ok() {
            paths.insert(parent.join(name).strip_prefix("/").unwrap().to_owned());
        }
    }
    for link in
        ["bin", "lib", "lib64"].map(PathBuf::from).into_iter().filter(|link| Path::new("/").join(link).is_symlink())
    {
        paths.insert(link);
    }
    let mut list: Vec<u8> = Vec::new();
    for path in &paths {
        list.write_all(path.as_os_str().as_encoded_bytes()).unwrap();
        list.push(b'\n');
    }
    let names = tree.with_extension("list");
    fs::write(&names, list).unwrap();
    let mut pack = Command::new("tar");
    pack.args(["-C", "/", "--no-recursion", "-c", "-T"]).arg(&names).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut packing = pack.spawn().unwrap();
    let mut unpack = Command::new("tar");
    unpack.arg("-C").arg(tree).args(["-x", "-p", "--same-owner"]).stdin(packing.stdout.take().unwrap());
    assert!(unpack.status().unwrap().success() && packing.wait().unwrap().success(), "{}", tree.display());
}
