//! Kinds of system calls that fault_calls.rs lets fail, and how strace is told to.

use crate::harness::Case;

/// Calls that fail alike.
pub struct Kind {
    pub name: &'static str,
    pub calls: &'static str,
    pub errors: &'static [Error],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    Eio,
    Enospc,
    Emfile,
    Eagain,
    Enomem,
    /// SIGKILL in its stead.
    Kill,
}

use Error::{Eagain, Eio, Emfile, Enomem, Enospc, Kill};

impl Error {
    pub fn name(self) -> &'static str {
        match self {
            Eio => "EIO",
            Enospc => "ENOSPC",
            Emfile => "EMFILE",
            Eagain => "EAGAIN",
            Enomem => "ENOMEM",
            Kill => "KILL",
        }
    }

    /// Whether a text names it.
    pub fn is_in(self, text: &str) -> bool {
        let words: &[&str] = match self {
            Eio => &["input/output error", "i/o error"],
            Enospc => &["no space left"],
            Emfile => &["too many open files", "open files"],
            Eagain => &["temporarily unavailable", "try again"],
            Enomem => &["cannot allocate memory", "out of memory"],
            Kill => &[],
        };
        words.iter().any(|word| text.to_lowercase().contains(word))
    }
}

pub const KINDS: &[Kind] = &[
    Kind { name: "write", calls: "write,pwrite64,writev", errors: &[Eio, Enospc, Kill] },
    Kind { name: "sync", calls: "fsync,fdatasync", errors: &[Eio, Kill] },
    Kind { name: "rename", calls: "rename,renameat,renameat2", errors: &[Eio, Enospc, Kill] },
    Kind { name: "mkdir", calls: "mkdir,mkdirat", errors: &[Eio, Enospc, Kill] },
    Kind { name: "open", calls: "open,openat,openat2", errors: &[Eio, Emfile] },
    Kind { name: "read", calls: "read,pread64,getdents64", errors: &[Eio] },
    Kind { name: "stat", calls: "statx,newfstatat,fstat", errors: &[Eio] },
    Kind { name: "remove", calls: "unlink,unlinkat,rmdir", errors: &[Eio, Kill] },
    Kind { name: "owner", calls: "chmod,fchmod,chown,fchown,fchownat,fchmodat", errors: &[Eio] },
    Kind { name: "socket", calls: "socket,socketpair,bind,listen", errors: &[Emfile] },
    Kind { name: "accept", calls: "accept4", errors: &[Emfile] },
    Kind {
        name: "pipe",
        calls: "pipe2,eventfd2,memfd_create,timerfd_create,epoll_create1,pidfd_open",
        errors: &[Emfile],
    },
    Kind { name: "epoll", calls: "epoll_ctl", errors: &[Enomem] },
    Kind {
        name: "mount",
        calls: "mount,fsopen,fsmount,move_mount,open_tree,mount_setattr,umount2",
        errors: &[Enomem, Kill],
    },
    Kind { name: "clone", calls: "clone,clone3,fork,vfork,unshare,setns", errors: &[Eagain, Kill] },
];

/// Whose calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Supervisor,
    Everybodys,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Nth,
    NthOn,
}

/// One fault.
#[derive(Clone, Copy)]
pub struct Fault {
    pub kind: &'static Kind,
    pub error: Error,
    pub whose: Whose,
    pub which: Which,
    pub number: u32,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, error, number, .. } = self;
        let plus = if self.which == Which::NthOn { "+" } else { "" };
        write!(f, "{}:{}:{number}{plus} ({:?})", kind.name, error.name(), self.whose)
    }
}

impl Fault {
    /// Whether it comes again: each new helper has its own n-th call, and what is tried again fails again.
    pub fn stays(self) -> bool {
        self.which == Which::NthOn || self.whose == Whose::Everybodys
    }

    /// What runs barepod with it.
    pub fn words(self, case: &Case) -> Vec<String> {
        let Self { kind: Kind { calls, .. }, error, number, .. } = self;
        let plus = if self.which == Which::NthOn { "+" } else { "" };
        let mut words = ["strace", "-D", "-qq", "-o"].map(str::to_owned).to_vec();
        words.push(case.dir().join("strace.txt").display().to_string());
        if self.whose == Whose::Everybodys {
            words.extend(["-f", "--seccomp-bpf"].map(str::to_owned));
        }
        words.extend(["-e".to_owned(), format!("trace={calls}")]);
        let how = if error == Kill { "signal=KILL".to_owned() } else { format!("error={}", error.name()) };
        words.extend(["-e".to_owned(), format!("inject={calls}:{how}:when={number}{plus}")]);
        words
    }
}
