//! Bytes between this process's standard streams and a program in a container.
//!
//! A pipe is given to the program as it is. Nothing else is: through a descriptor of a file, a terminal or a device of the
//! box a container could do more than read or write it (open it anew for writing by /proc/self/fd, change its mode, push
//! keys into the terminal). These are copied, each by a thread of its own, to and from a pipe.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::time::Timespec;

use super::args::DetachKeys;
use crate::runtime::files::is_pipe;

/// Bytes that are copied in one go, and that our own pipes hold where the box allows so many.
const GO: usize = 256 * 1024;
/// A terminal whose program has ended, and that others still hold open, is read until it has been silent so long: the
/// kernel hands over what was written to it in its own time.
const SILENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// And no longer than that, whatever the others write.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Threads that copy to our standard output and error.
pub struct Outputs {
    threads: Vec<JoinHandle<io::Result<()>>>,
    /// How many of them have ended.
    over: u64,
    /// Becomes readable when the program has ended.
    ended: OwnedFd,
    /// Becomes readable when a thread has ended, and counts them.
    copied: OwnedFd,
}

/// Which of our streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Stdout,
    Stderr,
}

/// What copying comes from, and so how its end is known once the program's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// What the program has written is in the pipe when it has ended.
    Pipe,
    Terminal,
}

/// Gives the descriptors for a program (0 where it is wanted, 1, 2), of which none may stay here, and who copies.
///
/// # Errors
/// As pipe(2) and dup(2).
pub fn begin(with_input: bool) -> io::Result<(Vec<OwnedFd>, Outputs)> {
    let mut descriptors = Vec::with_capacity(3);
    if with_input {
        let stdin = io::stdin();
        descriptors.push(match is_pipe(stdin.as_fd())? {
            true => stdin.as_fd().try_clone_to_owned()?,
            false => {
                let (read, write) = pipe()?;
                copy_input(write);
                read
            }
        });
    }
    let mut copies = Outputs::new()?;
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let stdout_is_pipe = is_pipe(stdout.as_fd())?;
    let out = if stdout_is_pipe { stdout.as_fd().try_clone_to_owned()? } else { copies.copied(To::Stdout)? };
    // Of one terminal or file they share one pipe too: what is printed keeps its order.
    let err = match is_pipe(stderr.as_fd())? {
        true => stderr.as_fd().try_clone_to_owned()?,
        false if !stdout_is_pipe && are_same(stdout.as_fd(), stderr.as_fd())? => out.try_clone()?,
        false => copies.copied(To::Stderr)?,
    };
    descriptors.extend([out, err]);
    Ok((descriptors, copies))
}

impl Outputs {
    /// Of nothing yet.
    ///
    /// # Errors
    /// As eventfd(2).
    pub fn new() -> io::Result<Self> {
        let event = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Ok(Self { threads: Vec::new(), over: 0, ended: event()?, copied: event()? })
    }

    /// What a new pipe brings is copied to one of our streams.
    fn copied(&mut self, to: To) -> io::Result<OwnedFd> {
        let (read, write) = pipe()?;
        self.copy(read, From::Pipe, to)?;
        Ok(write)
    }

    /// What a terminal shows is copied to our standard output.
    ///
    /// # Errors
    /// As dup(2).
    pub fn copy_terminal(&mut self, master: BorrowedFd<'_>) -> io::Result<()> {
        self.copy(master.try_clone_to_owned()?, From::Terminal, To::Stdout)
    }

    /// What comes from sockets is copied to our standard output and error.
    ///
    /// # Errors
    /// As dup(2).
    pub fn copy_streams(&mut self, stdout: OwnedFd, stderr: OwnedFd) -> io::Result<()> {
        self.copy(stdout, From::Pipe, To::Stdout)?;
        self.copy(stderr, From::Pipe, To::Stderr)
    }

    fn copy(&mut self, from: OwnedFd, kind: From, to: To) -> io::Result<()> {
        let (ended, copied) = (self.ended.try_clone()?, self.copied.try_clone()?);
        self.threads.push(thread::spawn(move || {
            let result = match to {
                To::Stdout => copy_output(&from, kind, io::stdout().as_fd(), &ended),
                To::Stderr => copy_output(&from, kind, io::stderr().as_fd(), &ended),
            };
            // A counter that is as far from full as this one takes it always.
            let _ = rustix::io::write(&copied, &1_u64.to_ne_bytes());
            result
        }));
        Ok(())
    }

    /// The program has ended: what it has written by now is still copied. What it has started may hold its output open for
    /// longer, and is not waited for.
    pub fn end(&self) {
        let _ = rustix::io::write(&self.ended, &1_u64.to_ne_bytes());
    }

    /// Becomes readable when [`is_over`](Self::is_over) has something to learn.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.copied.as_fd()
    }

    /// Whether all is copied.
    pub fn is_over(&mut self) -> bool {
        let mut count = [0; 8];
        if rustix::io::read(&self.copied, &mut count).is_ok() {
            self.over += u64::from_ne_bytes(count);
        }
        self.over == self.threads.len() as u64
    }

    /// Waits until all is copied.
    ///
    /// # Errors
    /// Where our standard output or error can't be written to; a reader that has gone is no error.
    pub fn finish(self) -> io::Result<()> {
        for result in self.threads.into_iter().filter_map(|thread| thread.join().ok()) {
            result.or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })?;
        }
        Ok(())
    }
}

/// Our standard input to a program's. The thread ends with this process: nothing wakes it from a terminal.
fn copy_input(to: OwnedFd) {
    thread::spawn(move || io::copy(&mut io::stdin().lock(), &mut std::fs::File::from(to)));
}

/// Our standard input to a terminal that a program is at. At our end of input the program reads one, too.
///
/// # Errors
/// As dup(2).
pub fn copy_keys(master: BorrowedFd<'_>) -> io::Result<()> {
    const END: u8 = 4; // ^D, VEOF of a new terminal.
    let mut master = std::fs::File::from(master.try_clone_to_owned()?);
    thread::spawn(move || {
        let (mut buffer, mut last) = ([0; 4096], b'\n');
        let mut stdin = io::stdin().lock();
        loop {
            match stdin.read(&mut buffer) {
                // In the midst of a line the first one only hands that over (termios(3), ICANON).
                Ok(0) => return master.write_all(if last == b'\n' { &[END] } else { &[END, END] }),
                Ok(read) => {
                    last = buffer[read - 1];
                    master.write_all(&buffer[..read])?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    });
    Ok(())
}

/// Our standard input to what a container reads, until it ends or the keys to leave by are typed: then the descriptor becomes
/// readable that this gives.
///
/// # Errors
/// As eventfd(2).
pub fn copy_typed(to: OwnedFd, mut keys: DetachKeys) -> io::Result<OwnedFd> {
    let left = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let leaves = left.try_clone()?;
    thread::spawn(move || {
        let (mut buffer, mut passed) = (vec![0; GO], Vec::new());
        let mut stdin = io::stdin().lock();
        loop {
            let read = match stdin.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            passed.clear();
            let leave = keys.pass(&buffer[..read], &mut passed);
            write_all(to.as_fd(), &passed)?;
            if leave {
                rustix::io::write(&leaves, &1_u64.to_ne_bytes())?;
                return Ok(());
            }
        }
    });
    Ok(left)
}

/// How much more is copied once the program has ended.
enum Rest {
    /// So many bytes.
    Bytes(u64),
    /// What comes before that, without too long a silence.
    Until(Instant),
}

/// Until the end of `from`, or until all that came before the program's end is copied.
fn copy_output(from: &OwnedFd, kind: From, to: BorrowedFd<'_>, ended: &OwnedFd) -> io::Result<()> {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut buffer = vec![0; GO];
    let mut rest: Option<Rest> = None;
    loop {
        let mut sources = [PollFd::new(from, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        let (watched, limit, most) = match &rest {
            None => (&mut sources[..], None, GO),
            Some(Rest::Bytes(0)) => return Ok(()),
            Some(Rest::Until(until)) if Instant::now() >= *until => return Ok(()),
            Some(Rest::Bytes(left)) => {
                (&mut sources[..1], Some(&AT_ONCE), usize::try_from(*left).unwrap_or(GO).min(GO))
            }
            Some(Rest::Until(_)) => (&mut sources[..1], Some(&SILENCE), GO),
        };
        match poll(watched, limit) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let (is_here, has_ended) = (!sources[0].revents().is_empty(), !sources[1].revents().is_empty());
        if is_here {
            match rustix::io::read(from, &mut buffer[..most]) {
                // A terminal at which nobody is any more says EIO.
                Ok(0) | Err(Errno::IO) => return Ok(()),
                Ok(read) => {
                    write_all(to, &buffer[..read])?;
                    if let Some(Rest::Bytes(left)) = &mut rest {
                        *left -= read as u64;
                    }
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if rest.is_none() && has_ended {
            rest = Some(match kind {
                From::Pipe => Rest::Bytes(rustix::io::ioctl_fionread(from)?),
                From::Terminal => Rest::Until(Instant::now() + LAST_WORDS),
            });
        }
    }
}

/// Past the buffer of std's own stream, also where somebody has set O_NONBLOCK on the open file that we share with others.
fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => _ = poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Whether they are of one file. Not whether they are one open file: two of one terminal are as good as one.
fn are_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> io::Result<bool> {
    let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    // More than an ordinary user may have in all pipes together is refused; then it has the usual size.
    let _ = rustix::pipe::fcntl_setpipe_size(&write, GO);
    Ok((read, write))
}

/// Waits for the first of these that is ready, in their order; `None`: `limit`, asked before each wait, has run out.
///
/// # Errors
/// As poll(2).
pub fn first_ready<T: Copy>(
    sources: &[(T, BorrowedFd<'_>)],
    limit: impl Fn() -> Option<Duration>,
) -> io::Result<Option<T>> {
    let mut polled: Vec<_> = sources.iter().map(|(_, fd)| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    loop {
        let limit = limit();
        match poll(&mut polled, limit.and_then(|limit| Timespec::try_from(limit).ok()).as_ref()) {
            Ok(0) if limit.is_some() => return Ok(None),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if let Some(at) = polled.iter().position(|one| !one.revents().is_empty()) {
            return Ok(Some(sources[at].0));
        }
    }
}
