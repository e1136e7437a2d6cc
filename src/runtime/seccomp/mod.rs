//! Seccomp filters: a profile in the OCI's form made what the kernel takes, once per distinct profile of a pod, and
//! put over a thread. The supervisor compiles and keeps the result in a memfd; the helpers that make containers and
//! that run programs in them get the memfd, so that a container's init and what comes in later have the same filter.
//!
//! What it does not do: choose profiles (plan's) or the moment at which a filter is put on (its users').
#![allow(unsafe_code)]

mod answer;
mod calls;
mod compile;
mod error;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompFilterFlag};
use rustix::fs::MemfdFlags;

pub use error::SeccompError;

/// Largest file that is read, in bytes: Docker's own profile has 13 KB.
const LARGEST: u64 = 1 << 20;

/// The text of a profile's file, which must be a regular one: the caller waits for it.
pub fn read_profile(path: &Path) -> Result<String, SeccompError> {
    let fail = |cause| SeccompError::Read { path: path.to_owned(), cause };
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).map_err(fail)?;
    let found = file.metadata().map_err(fail)?;
    if !found.is_file() || found.len() > LARGEST {
        return Err(fail(io::Error::other("not a regular file of at most 1 MiB")));
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(fail)?;
    Ok(text)
}

/// A compiled profile. Keep one for all containers that have it.
#[derive(Debug)]
pub struct Filter {
    /// The flags of seccomp(2) in 8 bytes, then the instructions, all as this machine has them in memory.
    program: File,
}

impl Filter {
    /// Compiles. Takes some tenths of a millisecond for a profile of hundreds of calls.
    pub fn new(profile: &LinuxSeccomp) -> Result<Self, SeccompError> {
        let code = compile::compile(profile)?;
        let flags = profile.flags().iter().flatten().fold(0, |flags, flag| flags | raw_flag(*flag));
        let mut bytes = flags.to_ne_bytes().to_vec();
        for one in &code {
            bytes.extend(one.code.to_ne_bytes());
            bytes.extend([one.jt, one.jf]);
            bytes.extend(one.k.to_ne_bytes());
        }
        let mut program =
            File::from(rustix::fs::memfd_create("seccomp", MemfdFlags::CLOEXEC).map_err(io::Error::from)?);
        program.write_all(&bytes)?;
        Ok(Self { program })
    }
}

impl Filter {
    /// Copies it to where [`Program::read`] is to find it.
    pub fn write_to(&self, target: &mut File) -> io::Result<()> {
        let mut bytes = vec![0; usize::try_from(self.program.metadata()?.len()).map_err(io::Error::other)?];
        self.program.read_exact_at(&mut bytes, 0)?;
        target.write_all(&bytes)
    }
}

impl AsFd for Filter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }
}

impl AsRawFd for Filter {
    fn as_raw_fd(&self) -> RawFd {
        self.program.as_raw_fd()
    }
}

fn raw_flag(flag: LinuxSeccompFilterFlag) -> u64 {
    match flag {
        // One thread is all there is where a filter is put on.
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 0,
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        // Has a meaning together with notification only, which is refused.
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => 0,
    }
}

/// A filter read back in a helper, ready to be put on.
#[derive(Clone, Debug)]
pub struct Program {
    flags: u64,
    code: Vec<libc::sock_filter>,
}

impl Program {
    /// Reads what [`Filter::new`] wrote. The descriptor's position, which other helpers share, is left alone.
    pub fn read(filter: &File) -> io::Result<Self> {
        let length = usize::try_from(filter.metadata()?.len()).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        filter.read_exact_at(&mut bytes, 0)?;
        let Some((flags, code)) = bytes.split_first_chunk() else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let decode = |chunk: &[u8]| libc::sock_filter {
            code: u16::from_ne_bytes([chunk[0], chunk[1]]),
            jt: chunk[2],
            jf: chunk[3],
            k: u32::from_ne_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]),
        };
        Ok(Self { flags: u64::from_ne_bytes(*flags), code: code.chunks_exact(8).map(decode).collect() })
    }

    /// Puts the filter over this thread. Without no_new_privs that takes CAP_SYS_ADMIN.
    pub fn apply(&self) -> io::Result<()> {
        let length = u16::try_from(self.code.len()).map_err(io::Error::other)?;
        let program = libc::sock_fprog { len: length, filter: self.code.as_ptr().cast_mut() };
        // SAFETY: the kernel copies the instructions, which live through the call, and checks them. libseccomp could
        // only load what it has itself compiled in this process.
        let result =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, self.flags, &raw const program) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
