//! The network of a user's box, and who is outside.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sched::{CloneFlags, setns};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::harness::user::Ids;
use crate::harness::{Case, wait};

/// The box's address, which becomes the pod's, and that of who is outside.
pub(super) const BOX: &str = "10.201.0.2";
pub(super) const BOX_V6: &str = "fd00:201::2";
pub(super) const OUTSIDE: &str = "10.201.0.1";

/// A network namespace, held by a process.
pub(super) struct Namespace(Child);

impl Namespace {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        let child = command.args(["--net", "sleep", "1000"]).stdin(Stdio::null()).spawn().unwrap();
        let namespace = Self(child);
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        wait("a network namespace", || fs::read_link(namespace.path()).is_ok_and(|other| other != own));
        namespace
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.0.id()))
    }

    /// Does something in it, in a thread of its own; what it opens stays in the namespace.
    pub(super) fn within<T: Send + 'static>(&self, action: impl FnOnce() -> T + Send + 'static) -> T {
        let file = File::open(self.path()).unwrap();
        let thread = std::thread::spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            action()
        });
        thread.join().unwrap()
    }

    /// ip(8) in it. False: it couldn't.
    fn ip(&self, words: &str) -> bool {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        self.within(move || Command::new("ip").args(words).stderr(Stdio::null()).status().unwrap().success())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A user's box with nothing but a loopback, and pasta.
pub(super) fn lonely(name: &str) -> Option<(Case, Namespace)> {
    let mut case = Case::of_user(name, Ids::Subordinate)?;
    if !has("pasta") || !has("nsenter") || !has("ip") {
        crate::skips::skip("needs pasta, nsenter and ip (scripts/setup test)");
        return None;
    }
    if !std::path::Path::new("/dev/net/tun").exists() {
        crate::skips::skip("needs /dev/net/tun");
        return None;
    }
    let own = Namespace::new();
    assert!(own.ip("link set lo up"));
    case.enter_network(own.path(), "nameserver 127.0.0.53\nsearch outside\noptions edns0\n");
    Some((case, own))
}

/// A user's box with a network.
pub(super) fn connected(name: &str) -> Option<(Case, Namespace, Namespace)> {
    let (case, own) = lonely(name)?;
    let outside = Namespace::new();
    if !own.ip(&format!("link add eth0 type veth peer name eth0 netns {}", outside.0.id())) {
        crate::skips::skip("needs virtual network cables (CONFIG_VETH)");
        return None;
    }
    for (namespace, number) in [(&own, 2), (&outside, 1)] {
        for words in [
            format!("addr add 10.201.0.{number}/24 dev eth0"),
            format!("addr add fd00:201::{number}/64 dev eth0 nodad"),
            "link set lo up".to_owned(),
            "link set eth0 up".to_owned(),
        ] {
            assert!(namespace.ip(&words), "{words}");
        }
    }
    assert!(own.ip("route add default via 10.201.0.1") && own.ip("-6 route add default via fd00:201::1 dev eth0"));
    Some((case, own, outside))
}

fn has(program: &str) -> bool {
    crate::harness::program(program).is_some()
}

/// Does this until the end of the closure.
pub(super) fn meanwhile<T>(serve: impl Fn(&AtomicBool) + Sync, action: impl FnOnce() -> T) -> T {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| serve(&over));
        let _over = Over(&over);
        action()
    })
}

/// A name server that knows one name.
pub(super) fn answer_names(socket: &UdpSocket, over: &AtomicBool) {
    let mut query = [0; 512];
    while !over.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut query) else { continue };
        let name = b"\x03web\x07outside\x00\x00\x01";
        let knows = query[..length].windows(name.len()).any(|part| part == name);
        // The question again, without what may come behind it.
        let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
        let mut reply = query[..end].to_vec();
        reply[2..12].copy_from_slice(&[0x81, if knows { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(knows), 0, 0, 0, 0]);
        if knows {
            reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 201, 0, 1]);
        }
        socket.send_to(&reply, from).unwrap();
    }
}

/// A web server for anybody.
pub(super) fn answer_pages(listener: &TcpListener, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let a_moment = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let _ = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&a_moment));
        let Ok((mut stream, _)) = listener.accept() else { continue };
        stream.set_nonblocking(false).unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => asked.extend(byte),
                _ => break,
            }
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\npage\n");
    }
}
