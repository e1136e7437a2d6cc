//! What a container's program reads from and writes to: FIFOs in the attempt's folder, or a terminal of the container's own
//! devpts, which libcontainer opens (and binds at /dev/console) and sends to a socket.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use libcontainer::container::builder::ContainerBuilder;
use rustix::pty::OpenptFlags;

use super::failure::{Failure, Stage};
use crate::plan::Streams;
use crate::runtime::record;

/// Names in an attempt's folder.
const STDIN: &str = "stdin";
const STDOUT: &str = "stdout";
const STDERR: &str = "stderr";
/// Name of the socket among the helper's own mounts.
const TERMINAL: &str = "terminal.sock";

/// This process's ends of what a container's program reads from and writes to.
#[derive(Debug)]
pub enum Ends {
    /// Of pipes.
    Pipes {
        /// For writing; blocks. `None`: the program has nothing to read.
        stdin: Option<OwnedFd>,
        /// For reading; doesn't block, and ends when the last process of the container has closed its end. Likewise `stderr`.
        stdout: OwnedFd,
        /// See `stdout`.
        stderr: OwnedFd,
    },
    /// Of a terminal.
    Terminal {
        /// Its master; doesn't block.
        master: OwnedFd,
        /// The program's own end. As long as it is open, the terminal isn't hung up when the program closes its streams: it
        /// may open /dev/console again.
        slave: OwnedFd,
    },
}

impl Ends {
    /// Makes the FIFOs; `None`: it is a terminal, which the helper sends ([`Terminal`]).
    pub(super) fn make(streams: Streams, state: &Path) -> Result<Option<Self>, Failure> {
        let read = |name: &str| {
            let path = fifo(state.join(name))?;
            let mut options = File::options();
            options.read(true).custom_flags(libc::O_NONBLOCK);
            open(&options, &path)
        };
        let stdin = match streams {
            Streams::Terminal => return Ok(None),
            Streams::Output => None,
            Streams::All => Some(write_end(&fifo(state.join(STDIN))?)?),
        };
        Ok(Some(Self::Pipes { stdin, stdout: read(STDOUT)?, stderr: read(STDERR)? }))
    }

    /// Of the terminal that the helper has sent.
    pub(super) fn of_terminal(descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let Ok([master, slave]) = <[OwnedFd; 2]>::try_from(descriptors) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "a terminal's descriptors are missing"));
        };
        rustix::io::ioctl_fionbio(&master, true)?;
        Ok(Self::Terminal { master, slave })
    }
}

fn failed(path: &Path, cause: impl Into<io::Error>) -> Failure {
    Failure::io(Stage::Prepare, path.display(), cause)
}

fn fifo(path: PathBuf) -> Result<PathBuf, Failure> {
    match fs::remove_file(&path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(failed(&path, cause)),
        _ => {}
    }
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600))
        .map_err(|errno| failed(&path, errno))?;
    Ok(path)
}

fn open(options: &OpenOptions, path: &Path) -> Result<OwnedFd, Failure> {
    options.open(path).map(OwnedFd::from).map_err(|cause| failed(path, cause))
}

/// The writing end of a FIFO that nobody reads yet. Not open for reading as well: who writes is to be told when the container
/// is gone.
fn write_end(path: &Path) -> Result<OwnedFd, Failure> {
    let _reader = open(File::options().read(true).write(true), path)?;
    open(File::options().write(true), path)
}

/// A program's ends, in the helper.
pub(super) enum Program {
    Pipes { stdin: OwnedFd, stdout: OwnedFd, stderr: OwnedFd },
    Terminal { listener: UnixListener, path: PathBuf },
}

impl Program {
    /// Those of the user `uid`, who may open them again by /dev/stdout and the like. `mounts` is a folder that only the helper sees.
    pub(super) fn open(streams: Streams, state: &Path, mounts: &Path, uid: u32) -> Result<Self, Failure> {
        let stdin = match streams {
            Streams::Output => open(File::options().read(true), Path::new("/dev/null"))?,
            Streams::All => own(input(&state.join(STDIN))?, &state.join(STDIN), uid)?,
            Streams::Terminal => {
                let path = mounts.join(TERMINAL);
                let folder = open(File::options().read(true), mounts)?;
                // A socket's path has at most 107 bytes; through the folder's descriptor it always fits.
                let listener = UnixListener::bind(format!("/proc/self/fd/{}/{TERMINAL}", folder.as_raw_fd()));
                return Ok(Self::Terminal { listener: listener.map_err(|cause| failed(&path, cause))?, path });
            }
        };
        // Open for both directions, so that the container gets no SIGPIPE and loses nothing while a supervisor is being replaced.
        let output = |path: PathBuf| own(open(File::options().read(true).write(true), &path)?, &path, uid);
        Ok(Self::Pipes { stdin, stdout: output(state.join(STDOUT))?, stderr: output(state.join(STDERR))? })
    }

    /// Has the container made with them. What is left here is the terminal that is to come.
    pub(super) fn give(self, builder: ContainerBuilder) -> (ContainerBuilder, Option<UnixListener>) {
        match self {
            Self::Pipes { stdin, stdout, stderr } => {
                (builder.with_stdin(stdin).with_stdout(stdout).with_stderr(stderr), None)
            }
            Self::Terminal { listener, path } => (builder.with_console_socket(Some(path)), Some(listener)),
        }
    }
}

/// A reading end that blocks, whether or not somebody writes yet.
fn input(path: &Path) -> Result<OwnedFd, Failure> {
    let input = open(File::options().read(true).custom_flags(libc::O_NONBLOCK), path)?;
    rustix::io::ioctl_fionbio(&input, false).map_err(|errno| failed(path, errno))?;
    Ok(input)
}

fn own(file: OwnedFd, path: &Path, uid: u32) -> Result<OwnedFd, Failure> {
    std::os::unix::fs::fchown(&file, Some(uid), None).map_err(|cause| failed(path, cause))?;
    Ok(file)
}

/// Master and slave of the terminal that libcontainer has opened in the container. It is that of the user `uid`, who may open it
/// by its name; its group is as the mount's `gid=` says.
pub(super) fn take_terminal(listener: &UnixListener, uid: u32) -> Result<[OwnedFd; 2], Failure> {
    let failed = |call: &str, cause: io::Error| Failure::io(Stage::Oci, format!("a terminal: {call}"), cause);
    let (socket, _) = listener.accept().map_err(|cause| failed("accept", cause))?;
    let sent = record::receive(&socket, 64).map_err(|errno| failed("recvmsg", errno.into()))?;
    let master = sent.and_then(|(_, mut descriptors)| descriptors.pop());
    let master = master.ok_or_else(|| failed("its master was not sent", io::ErrorKind::UnexpectedEof.into()))?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    // By the master and not by its name, which a mount may hide.
    let slave = rustix::pty::ioctl_tiocgptpeer(master.as_fd(), flags)
        .map_err(|errno| failed("ioctl TIOCGPTPEER", errno.into()))?;
    std::os::unix::fs::fchown(&slave, Some(uid), None).map_err(|cause| failed("fchown", cause))?;
    Ok([master, slave])
}
