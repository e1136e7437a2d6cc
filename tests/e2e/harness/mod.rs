//! A pod under test: its manifest, its run, what its containers wrote, and the search for what it left behind.

mod end;
pub mod entries;
mod guard;
pub mod guest;
pub mod hostile;
pub mod image;
mod leftovers;
mod manifest;
mod mounts;
pub mod observed;
mod open_files;
pub mod own_registry;
pub mod podman;
pub mod registry;
mod rootfs;
mod run;
mod said;
pub mod token_registry;
mod told;
pub mod umoci;
pub mod unit;
pub mod user;
mod wait;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub use guard::Guard;
pub use manifest::{Manifest, PATIENT, hook, main, probe, sidecar, worker};
pub use mounts::own_mounts;
use open_files::few_files;
pub use open_files::{open_files, open_files_suffice};
pub use run::Run;
pub use said::{good, program, said, said_by};
use serde_json::Value;
pub use wait::{patience, slow, wait, wait_for, wait_until};

/// The binary under test.
pub fn binary() -> PathBuf {
    std::env::var_os("BAREPOD").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_barepod")), PathBuf::from)
}

/// The environment variable that marks every process of a case, helpers included.
const MARK: &str = "BAREPOD_E2E";

/// One test's own world: a folder with a root file system, a state root and a trace; one pod name.
pub struct Case {
    dir: tempfile::TempDir,
    name: String,
    uid: String,
    rootfs: Vec<String>,
    user: Option<user::User>,
    within: Vec<String>,
    _guard: Guard,
}

impl Case {
    /// A world for the pod `name`. `None`, said aloud, where the test can't run here.
    pub fn new(name: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        if !rustix::process::geteuid().is_root() {
            crate::skips::skip("running pods needs root");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("barepod-e2e-").tempdir().unwrap();
        rootfs::make(&dir.path().join("rootfs"));
        for folder in ["trace", "tmp"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        // Containers run as various users.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
        fs::set_permissions(dir.path().join("trace"), open).unwrap();
        fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let uid = format!("e2e{:05x}-{:04x}-4000-8000-{:012x}", std::process::id(), number, clock());
        let rootfs = rootfs::listing(&dir.path().join("rootfs"));
        let guard = Guard::of(dir.path(), &binary());
        let case = Self { dir, name: name.to_owned(), uid, rootfs, user: None, within: Vec::new(), _guard: guard };
        fs::write(case.trace_file(), "").unwrap();
        fs::set_permissions(case.trace_file(), std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        Some(case)
    }

    /// As [`Self::new`], whose pods are an ordinary user's.
    pub fn of_user(name: &str, ids: user::Ids) -> Option<Self> {
        let mut case = Self::new(name)?;
        user::prepare(case.dir(), ids);
        case.user = Some(user::User::default());
        Some(case)
    }

    /// Gives the user a cgroup, in which its pods are run from now on: other commands can't be in one that has others below.
    pub fn delegate(&mut self, cgroup: &Path) {
        self.user.as_mut().unwrap().cgroup = Some(cgroup.to_owned());
    }

    /// Gives the user a /tmp of its own, in which is nothing of others; what it is outside.
    pub fn own_tmp(&mut self) -> PathBuf {
        let tmp = self.dir().join("own-tmp");
        fs::create_dir(&tmp).unwrap();
        fs::set_permissions(&tmp, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
        self.user.as_mut().unwrap().tmp = Some(tmp.clone());
        tmp
    }

    /// Runs the user's pods in a network namespace, which others of this machine don't use, with these name servers.
    pub fn enter_network(&mut self, namespace: PathBuf, resolv_conf: &str) {
        fs::write(self.dir().join("etc/upper/resolv.conf"), resolv_conf).unwrap();
        self.user.as_mut().unwrap().network = Some(namespace);
    }

    /// From now on barepod is run by another program, whose words these are.
    pub fn within(&mut self, words: &[&str]) {
        self.within = words.iter().map(ToString::to_string).collect();
    }

    /// The pod's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pod's uid.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The name of the pod's cgroup, below `barepod`: after its uid, and (FNV-1a) after root, namespace and name.
    pub fn cgroup(&self) -> String {
        let text = format!("{}\0default\0{}\0", self.root().display(), self.name);
        let digest = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("pod{}_{digest:016x}", self.uid)
    }

    /// The case's folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `--root`.
    pub fn root(&self) -> PathBuf {
        self.dir().join("root")
    }

    /// The pod's folder below `--root`.
    pub fn state(&self) -> PathBuf {
        self.root().join(format!("pods/default_{}", self.name))
    }

    /// The root file system that `image: IMAGE` names.
    pub fn rootfs(&self) -> PathBuf {
        self.dir().join("rootfs")
    }

    /// A file in the folder that containers see as /t.
    pub fn shared(&self, name: &str) -> PathBuf {
        self.dir().join("trace").join(name)
    }

    fn trace_file(&self) -> PathBuf {
        self.shared("log")
    }

    /// What containers said, in order.
    pub fn trace(&self) -> Vec<String> {
        fs::read_to_string(self.trace_file()).unwrap().lines().map(str::to_owned).collect()
    }

    /// Whether somebody said this.
    pub fn said(&self, line: &str) -> bool {
        self.trace().iter().any(|one| one == line)
    }

    /// How often that was said.
    pub fn times_said(&self, line: &str) -> usize {
        self.trace().iter().filter(|one| *one == line).count()
    }

    /// Waits until a container has said `line`.
    pub fn wait_for(&self, line: &str) {
        wait(&format!("{line:?} in the trace {:?}", self.trace_file()), || self.said(line));
    }

    /// Lets containers that `hold NAME` go on.
    pub fn release(&self, name: &str) {
        fs::write(self.shared(name), "").unwrap();
    }

    /// An empty pod with this case's name.
    pub fn pod(&self) -> Manifest {
        Manifest::new(&self.name, &self.uid)
    }

    /// Writes a manifest and gives its path. `IMAGE` in it becomes the root file system.
    pub fn write(&self, text: &str) -> PathBuf {
        let path = self.dir().join("pod.yaml");
        let image = format!("rootfs:{}", self.rootfs().display());
        fs::write(&path, text.replace("IMAGE", &image).replace("TRACE", &self.shared("").display().to_string()))
            .unwrap();
        path
    }

    /// `barepod --root ROOT ARGS...`, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_at(&["--root", &self.root().display().to_string()], args)
    }

    /// Runs a command to its end, by itself whatever [`Self::within`] says; one that hangs is ended after a while.
    pub fn plainly(&self, args: &[&str]) -> Output {
        let patience = wait::patience().as_secs() * 3;
        let within = [few_files(), ["timeout".to_owned(), patience.to_string()].to_vec()].concat();
        self.command_within(&within, &["--root", &self.root().display().to_string()], args).output().unwrap()
    }

    /// `barepod OPTIONS ARGS...`, not started yet.
    pub fn command_at(&self, options: &[&str], args: &[&str]) -> Command {
        self.command_within(&[few_files(), self.within.clone()].concat(), options, args)
    }

    fn command_within(&self, within: &[String], options: &[&str], args: &[&str]) -> Command {
        listen_to_the_terminal();
        let mut command = match &self.user {
            Some(user) => {
                let runs = args.first() == Some(&"run");
                let of_a_run = |path: &Option<PathBuf>| path.clone().filter(|_| runs);
                let (cgroup, network) = (of_a_run(&user.cgroup), of_a_run(&user.network));
                let user = user::User { cgroup, tmp: user.tmp.clone(), network };
                user::command(self.dir(), &binary(), &user, within)
            }
            None => match within.split_first() {
                Some((program, words)) => {
                    let mut command = Command::new(program);
                    command.args(words).arg(binary());
                    command
                }
                None => Command::new(binary()),
            },
        };
        command.args(options).args(args);
        command.env(MARK, &self.uid).env("TMPDIR", self.dir().join("tmp")).current_dir(self.dir());
        for name in ["NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs one command to its end.
    pub fn barepod(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts the pod; a user's without what this machine may have of pasta.
    pub fn start(&self, pod: &Manifest) -> Run<'_> {
        let network: &[&str] = if self.user.is_some() { &["--network", "none"] } else { &[] };
        self.start_with(pod, &[&["--backoff-initial", "300ms", "--backoff-max", "1200ms"], network].concat())
    }

    /// Starts the pod with other options of `run`.
    pub fn start_with(&self, pod: &Manifest, options: &[&str]) -> Run<'_> {
        Run::start(self, &self.write(&pod.text()), options)
    }

    /// Runs the pod to its end and gives its exit code.
    pub fn run(&self, pod: &Manifest) -> i32 {
        self.start(pod).end()
    }

    /// What there is of a pod that has been removed.
    pub fn left_behind(&self) -> Vec<String> {
        leftovers::of_a_removed_pod(self)
    }

    /// What there is of a pod that has ended, but for what stays readable of it.
    pub fn left_of_the_ended(&self) -> Vec<String> {
        leftovers::of_an_ended_pod(self)
    }

    /// What a pod that has ended may leave is its status, its events and its logs; after `rm` not even those.
    pub fn nothing_left(&self) {
        leftovers::wait_for_the_supervisor(self);
        let left = leftovers::of_an_ended_pod(self);
        assert!(left.is_empty(), "{}: the pod left behind:\n  {}", self.name, left.join("\n  "));
        self.barepod(&["rm", "--force", &self.name]);
        let left = leftovers::of_a_removed_pod(self);
        assert!(left.is_empty(), "{}: rm left behind:\n  {}", self.name, left.join("\n  "));
    }
}

/// Tests that run in the background of a script have SIGINT ignored, and barepod would take that over.
#[allow(unsafe_code)]
fn listen_to_the_terminal() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for signal in [nix::sys::signal::Signal::SIGINT, nix::sys::signal::Signal::SIGHUP] {
            // SAFETY: no function of ours becomes a handler.
            let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) };
        }
    });
}

fn clock() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    (time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000) & 0xffff_ffff_ffff
}

/// Lays one value over another, object by object.
pub fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
