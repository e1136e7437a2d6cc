//! A real registry: Debian's docker-registry on this machine's loopback; over TLS by the tests' authority, with a login, where nothing
//! else is wanted.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::own_registry::logins;
use super::{Case, merge, program, wait, wait_for};

/// Who may push and pull.
const USER: &str = "tester";
const PASSWORD: &str = "open sesame";
/// The password by bcrypt, the only way that the registry takes.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

/// A registry's process; ended when this is dropped.
pub struct Server {
    program: PathBuf,
    dir: tempfile::TempDir,
    /// What its configuration has beside storage and address.
    config: Value,
    address: String,
    child: Child,
}

/// A registry over TLS, with a login.
pub struct Registry(Server);

/// The programs that a test of registries needs: the registry, and what makes and pushes images. `None`, said aloud: one is
/// missing here.
fn programs() -> Option<PathBuf> {
    // Where scripts/setup puts what it only unpacks.
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/docker-registry/usr/bin/docker-registry");
    let registry = program("docker-registry").or_else(|| unpacked.is_file().then_some(unpacked));
    if registry.is_none() || program("skopeo").is_none() || program("umoci").is_none() {
        crate::skips::skip("needs docker-registry, skopeo and umoci");
        return None;
    }
    registry
}

/// A file of the tests' certificates, which are of one authority.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/registry").join(name)
}

impl Server {
    /// One with this configuration, which may name files of a folder that this makes. `None`, said aloud, where there is none.
    pub fn new(config: impl FnOnce(&Path) -> Value) -> Option<Self> {
        let program = programs()?;
        // Not the case's folder, of which nobody may have anything open at its end.
        let tempdir = tempfile::Builder::new().prefix("barepod-registry-").tempdir().unwrap();
        let dir = tempdir.path();
        for folder in ["blobs", "certificates"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        fs::copy(fixture("authority.crt"), dir.join("certificates/ca.crt")).unwrap();
        let config = config(dir);
        let child = serve(&program, dir, "127.0.0.1:0", &config);
        let address = wait_for("the registry's address", || {
            let said = fs::read_to_string(dir.join("log")).unwrap();
            Some(said.split_once("listening on ")?.1.split_once(['"', ','])?.0.to_owned())
        });
        Some(Self { program, dir: tempdir, config, address, child })
    }

    /// A folder for what belongs to it, with the tests' authority in `certificates/ca.crt`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What certificates of it are trusted by.
    pub fn authority(&self) -> PathBuf {
        self.dir().join("certificates/ca.crt")
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start(&mut self) {
        self.child = serve(&self.program, self.dir.path(), &self.address, &self.config);
        wait("the registry's return", || {
            // Somebody may have the port for the moment.
            if self.child.try_wait().unwrap().is_some() {
                self.child = serve(&self.program, self.dir.path(), &self.address, &self.config);
            }
            TcpStream::connect(&self.address).is_ok()
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Registry {
    /// A registry for the case, whose commands from now on trust it and are logged in. `None`, said aloud, where there is none.
    pub fn new(case: &mut Case) -> Option<Self> {
        let registry = Self(Server::new(|dir| {
            fs::write(dir.join("htpasswd"), format!("{USER}:{HASH}\n")).unwrap();
            json!({
                "http": {"tls": {"certificate": fixture("server.cert"), "key": fixture("server.key")}},
                "auth": {"htpasswd": {"realm": "tests", "path": dir.join("htpasswd")}},
            })
        })?);
        registry.log_in(PASSWORD);
        registry.reach(case, &[]);
        Some(registry)
    }

    /// The case's commands have from now on what they need to reach it, and these variables.
    pub fn reach(&self, case: &mut Case, more: &[&str]) {
        let authority = format!("SSL_CERT_FILE={}", self.0.authority().display());
        let logins = format!("REGISTRY_AUTH_FILE={}", self.logins().display());
        case.within(&[&["env", &authority, &logins], more].concat());
    }

    /// What an image of it is called.
    pub fn image(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.0.address.rsplit_once(':').unwrap().1)
    }

    /// The case's commands log in with this password from now on.
    pub fn log_in(&self, password: &str) {
        fs::write(self.logins(), logins(&[(self.image("").trim_end_matches('/'), USER, password)])).unwrap();
    }

    /// The file with the case's logins.
    pub fn logins(&self) -> PathBuf {
        self.0.dir().join("auth.json")
    }

    /// Ends it; what it has stays on the disk.
    pub fn stop(&mut self) {
        self.0.stop();
    }

    /// Begins it again, at the same address.
    pub fn start(&mut self) {
        self.0.start();
    }

    /// Copies an image of a layout into it by skopeo, with more of its options.
    pub fn push(&self, layout: &Path, image: &str, name: &str, options: &[&str]) {
        let mut skopeo = self.skopeo("copy", "--dest-cert-dir", "--dest-creds");
        skopeo
            .args(options)
            .arg(format!("oci:{}:{image}", layout.display()))
            .arg(format!("docker://{}", self.image(name)));
        quiet(&mut skopeo);
    }

    /// The digest of the manifest that the registry has under a name, by skopeo.
    pub fn digest(&self, name: &str) -> String {
        let mut skopeo = self.skopeo("inspect", "--cert-dir", "--creds");
        skopeo.args(["--format", "{{.Digest}}"]).arg(format!("docker://{}", self.image(name)));
        quiet(&mut skopeo).trim().to_owned()
    }

    fn skopeo(&self, command: &str, certificates: &str, login: &str) -> Command {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["--insecure-policy", command, certificates]).arg(self.0.dir().join("certificates"));
        skopeo.args([login, &format!("{USER}:{PASSWORD}")]).env("TMPDIR", self.0.dir());
        skopeo
    }
}

fn serve(program: &Path, dir: &Path, address: &str, more: &Value) -> Child {
    let mut config = json!({
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": dir.join("blobs")}, "delete": {"enabled": true}},
        "http": {"addr": address, "secret": "secret"},
    });
    merge(&mut config, more);
    // JSON is YAML.
    fs::write(dir.join("config.yml"), config.to_string()).unwrap();
    let log = File::create(dir.join("log")).unwrap();
    let mut command = Command::new(program);
    command.arg("serve").arg(dir.join("config.yml")).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().unwrap()
}

/// Runs a tool to its end, which must be good, and gives what it says on standard output.
#[track_caller]
pub fn quiet(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
