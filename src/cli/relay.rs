//! Bytes between this process's standard streams and a program in a container.
//!
//! A pipe is given to the program as it is. Nothing else is: through a descriptor of a file, a terminal or a device of the
//! box a container could do more than read or write it (open it anew for writing by /proc/self/fd, change its mode, push
//! keys into the terminal). These are copied, each by a thread of its own, to and from a pipe.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::time::Timespec;

/// Bytes that are copied in one go, and that our own pipes hold where the box allows so many.
const GO: usize = 256 * 1024;
/// A terminal whose program has ended, and that others still hold open, is read until it has been silent so long: the
/// kernel hands over what was written to it in its own time.
const SILENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What a program is given of our standard streams, and who copies the rest.
pub struct Relay {
    /// Descriptors for the program: 0 where it is wanted, 1, 2.
    pub descriptors: Vec<OwnedFd>,
    copies: Outputs,
}

/// Threads that copy to our standard output and error.
pub struct Outputs {
    threads: Vec<JoinHandle<io::Result<()>>>,
    /// Becomes readable when the program has ended.
    ended: OwnedFd,
}

/// Which of our streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Stdout,
    Stderr,
}

impl Relay {
    /// Begins to copy what has to be copied.
    ///
    /// # Errors
    /// As pipe(2) and dup(2).
    pub fn begin(with_input: bool) -> io::Result<Self> {
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
        Ok(Self { descriptors, copies })
    }

    /// Gives the descriptors for the program, of which none may stay here, and who copies.
    pub fn split(self) -> (Vec<OwnedFd>, Outputs) {
        (self.descriptors, self.copies)
    }
}

impl Outputs {
    /// Of nothing yet.
    ///
    /// # Errors
    /// As eventfd(2).
    pub fn new() -> io::Result<Self> {
        Ok(Self { threads: Vec::new(), ended: eventfd(0, EventfdFlags::CLOEXEC)? })
    }

    /// What a new pipe brings is copied to one of our streams.
    fn copied(&mut self, to: To) -> io::Result<OwnedFd> {
        let (read, write) = pipe()?;
        rustix::io::ioctl_fionbio(&read, true)?;
        self.copy(read, to, Timespec { tv_sec: 0, tv_nsec: 0 })?;
        Ok(write)
    }

    /// What a terminal shows is copied to our standard output.
    ///
    /// # Errors
    /// As dup(2).
    pub fn copy_terminal(&mut self, master: BorrowedFd<'_>) -> io::Result<()> {
        self.copy(master.try_clone_to_owned()?, To::Stdout, SILENCE)
    }

    fn copy(&mut self, from: OwnedFd, to: To, silence: Timespec) -> io::Result<()> {
        let ended = self.ended.try_clone()?;
        self.threads.push(thread::spawn(move || match to {
            To::Stdout => copy_output(&from, io::stdout().as_fd(), &ended, silence),
            To::Stderr => copy_output(&from, io::stderr().as_fd(), &ended, silence),
        }));
        Ok(())
    }

    /// The program has ended: waits until all that it has written is copied. What it has started may hold its output open
    /// for longer, and is not waited for.
    ///
    /// # Errors
    /// Where our standard output or error can't be written to; a reader that has gone is no error.
    pub fn finish(self) -> io::Result<()> {
        rustix::io::write(&self.ended, &1_u64.to_ne_bytes())?;
        for thread in self.threads {
            match thread.join() {
                Ok(Err(error)) if error.kind() != ErrorKind::BrokenPipe => return Err(error),
                Ok(_) => {}
                Err(_) => return Err(io::Error::other("the thread that copies has panicked")),
            }
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
        let mut buffer = [0; 4096];
        let mut stdin = io::stdin().lock();
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => return master.write_all(&[END]),
                Ok(read) => master.write_all(&buffer[..read])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    });
    Ok(())
}

/// Until the end of `from`, or until it has nothing more, and has had nothing for `silence`, after the program's end.
fn copy_output(from: &OwnedFd, to: BorrowedFd<'_>, ended: &OwnedFd, silence: Timespec) -> io::Result<()> {
    let mut buffer = vec![0; GO];
    let mut has_ended = false;
    loop {
        let mut ready = [PollFd::new(from, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        let (watched, limit) = if has_ended { (&mut ready[..1], Some(&silence)) } else { (&mut ready[..], None) };
        match poll(watched, limit) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let (here, end) = (!ready[0].revents().is_empty(), !ready[1].revents().is_empty());
        if here {
            match rustix::io::read(from, &mut buffer) {
                // A terminal at which nobody is any more says EIO.
                Ok(0) | Err(Errno::IO) => return Ok(()),
                Ok(read) => write_all(to, &buffer[..read])?,
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        has_ended |= end;
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

fn is_pipe(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) == FileType::Fifo)
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
