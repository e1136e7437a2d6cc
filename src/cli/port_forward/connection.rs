//! One connection that is forwarded: bytes in both directions. Each direction ends by itself; a side that is dead ends both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{connect, sockopt};

use super::flow::Flow;

/// Where a pod's ports are looked for, one after the other.
const IN_POD: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// A connection, from its acceptance to its end.
pub struct Connection {
    /// The pod's port.
    pub remote: u16,
    local: OwnedFd,
    pod: OwnedFd,
    state: State,
    /// To the pod.
    there: Flow,
    /// From the pod.
    back: Flow,
}

enum State {
    /// To this address, and then to these.
    Connecting {
        to: SocketAddr,
        others: Vec<(OwnedFd, SocketAddr)>,
        refusals: Vec<String>,
    },
    Connected,
    Over,
}

/// Whose socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Local,
    Pod,
}

/// What came of an advance.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on, or has ended.
    Goes,
    /// Nobody in the pod takes the connection.
    Refused(String),
}

impl Connection {
    /// Begins to connect one who has connected with a port of the pod, by sockets of the pod's network. At the addresses `own`
    /// of that network this command listens itself.
    ///
    /// # Errors
    /// Why nobody in the pod takes it.
    pub fn begin(
        local: OwnedFd,
        sockets: [Option<OwnedFd>; 2],
        remote: u16,
        own: &[SocketAddr],
    ) -> Result<Self, String> {
        let _ = sockopt::set_socket_keepalive(&local, true);
        let (mut others, mut refusals) = (Vec::new(), Vec::new());
        for (socket, ip) in sockets.into_iter().zip(IN_POD) {
            let to = SocketAddr::new(ip, remote);
            match socket {
                None => {}
                // It would connect with itself, again and again.
                Some(_) if own.iter().any(|one| leads_to(*one, to)) => {
                    refusals.push(format!(
                        "connect to {to}: the pod has the network of the box, where this command itself listens"
                    ));
                }
                Some(socket) => {
                    let _ = sockopt::set_socket_keepalive(&socket, true);
                    others.push((socket, to));
                }
            }
        }
        // The last is tried first.
        others.reverse();
        let (pod, state) = next(&mut others, &mut refusals)?;
        let state = match state {
            Some(to) => State::Connecting { to, others, refusals },
            None => State::Connected,
        };
        Ok(Self { remote, local, pod, state, there: Flow::default(), back: Flow::default() })
    }

    /// What it waits for. Where that is nothing, only whether this side is dead ([`Self::hang_up`]).
    pub fn awaited(&self) -> Vec<(Side, BorrowedFd<'_>, PollFlags)> {
        let (local, pod) = match self.state {
            State::Connecting { .. } => (PollFlags::empty(), PollFlags::OUT),
            State::Connected => (self.there.wants() | self.back.has(), self.back.wants() | self.there.has()),
            State::Over => return Vec::new(),
        };
        let all = [(Side::Local, &self.local, local, &self.back), (Side::Pod, &self.pod, pod, &self.there)];
        // A side that all has been sent to hangs up when it has sent all too: that is no death, and would be ready all the time.
        let is_awaited = |flags: PollFlags, to: &Flow| !flags.is_empty() || !to.is_over();
        all.into_iter()
            .filter(|(_, _, flags, to)| is_awaited(*flags, to))
            .map(|(side, socket, flags, _)| (side, socket.as_fd(), flags))
            .collect()
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Goes on as far as nobody has to be waited for.
    pub fn advance(&mut self) -> Progress {
        if self.is_over() {
            return Progress::Goes;
        }
        if let State::Connecting { to, others, refusals } = &mut self.state {
            match sockopt::socket_error(&self.pod) {
                Ok(Ok(())) => {}
                // It was taken, and is over: there may be an answer.
                Ok(Err(Errno::CONNRESET)) => self.break_off(Errno::CONNRESET),
                Ok(Err(errno)) | Err(errno) => {
                    refusals.push(refusal(*to, errno));
                    match next(others, refusals) {
                        Ok((pod, Some(then))) => {
                            (self.pod, *to) = (pod, then);
                            return Progress::Goes;
                        }
                        Ok((pod, None)) => self.pod = pod,
                        Err(why) => {
                            self.state = State::Over;
                            return Progress::Refused(why);
                        }
                    }
                }
            }
            self.state = State::Connected;
        }
        self.pump();
        Progress::Goes
    }

    /// A side that nothing was awaited of is dead.
    pub fn hang_up(&mut self, side: Side) {
        match side {
            _ if self.is_over() => {}
            Side::Local => self.cut_off(),
            Side::Pod => {
                self.break_off(Errno::CONNRESET);
                self.pump();
            }
        }
    }

    fn pump(&mut self) {
        if let Err(errno) = self.there.pump(self.local.as_fd(), self.pod.as_fd()) {
            self.break_off(errno);
        }
        match self.back.pump(self.pod.as_fd(), self.local.as_fd()) {
            Ok(()) if self.there.is_over() && self.back.is_over() => self.state = State::Over,
            Ok(()) => {}
            Err(_) => self.cut_off(),
        }
    }

    /// The pod takes no more. What it has said before is worth having: often that is why.
    fn break_off(&mut self, errno: Errno) {
        self.there.stop();
        self.back.break_off(errno);
    }

    /// On one side it is cut off, and so on the other: an end without a reset would look like a whole answer.
    fn cut_off(&mut self) {
        for socket in [&self.local, &self.pod] {
            reset(socket);
        }
        self.state = State::Over;
    }
}

/// Where it isn't over, whoever hasn't got all is told that.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_over() {
            return;
        }
        for (socket, to) in [(&self.local, &self.back), (&self.pod, &self.there)] {
            if !to.is_over() {
                reset(socket);
            }
        }
    }
}

/// When it is closed.
fn reset(socket: &OwnedFd) {
    let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

/// Whether who listens at the one address takes who connects to the other.
fn leads_to(listener: SocketAddr, to: SocketAddr) -> bool {
    let (ip, port) = (listener.ip(), listener.port());
    port == to.port() && (ip == to.ip() || ip.is_unspecified() && ip.is_ipv4() == to.is_ipv4())
}

/// Begins to connect by the next socket that isn't refused at once; the address where that isn't done yet.
fn next(
    others: &mut Vec<(OwnedFd, SocketAddr)>,
    refusals: &mut Vec<String>,
) -> Result<(OwnedFd, Option<SocketAddr>), String> {
    while let Some((socket, to)) = others.pop() {
        match connect(&socket, &to) {
            Ok(()) => return Ok((socket, None)),
            Err(Errno::INPROGRESS | Errno::INTR) => return Ok((socket, Some(to))),
            Err(errno) => refusals.push(refusal(to, errno)),
        }
    }
    Err(refusals.join("; "))
}

fn refusal(to: SocketAddr, errno: Errno) -> String {
    format!("connect to {to} in the pod: {}", std::io::Error::from(errno))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
