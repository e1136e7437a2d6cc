//! One connection that is forwarded: bytes in both directions, each with a buffer that is written out before it is read into
//! again, so that a slow reader holds up whoever writes to it. Each direction ends by itself.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, connect, recv, send, shutdown, sockopt};

/// Where a pod's ports are looked for, one after the other.
const IN_POD: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);

/// Bytes of a buffer.
const BUFFER: usize = 64 * 1024;
/// How often a direction goes on before others have their turn.
const ROUNDS: usize = 16;

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

/// What came of an advance.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on, or has ended.
    Goes,
    /// Nobody in the pod takes the connection.
    Refused(String),
}

/// One direction.
#[derive(Default)]
struct Flow {
    /// Made when it is first needed.
    buffer: Vec<u8>,
    /// What of it has yet to be written.
    held: std::ops::Range<usize>,
    /// Whether nothing comes any more.
    ended: bool,
}

impl Connection {
    /// Begins to connect one who has connected with a port of the pod, by sockets of the pod's network.
    ///
    /// # Errors
    /// Why nobody in the pod takes it.
    pub fn begin(local: OwnedFd, sockets: [Option<OwnedFd>; 2], remote: u16) -> Result<Self, String> {
        let [four, six] = sockets;
        let four = four.map(|socket| (socket, SocketAddr::from((IN_POD.0, remote))));
        let six = six.map(|socket| (socket, SocketAddr::from((IN_POD.1, remote))));
        // The last is tried first.
        let mut others: Vec<_> = six.into_iter().chain(four).collect();
        let mut refusals = Vec::new();
        let (pod, state) = next(&mut others, &mut refusals)?;
        let state = match state {
            Some(to) => State::Connecting { to, others, refusals },
            None => State::Connected,
        };
        Ok(Self { remote, local, pod, state, there: Flow::default(), back: Flow::default() })
    }

    /// What it waits for.
    pub fn awaited(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let (local, pod) = (self.local.as_fd(), self.pod.as_fd());
        let awaited = match self.state {
            State::Connecting { .. } => vec![(pod, PollFlags::OUT)],
            State::Connected => {
                vec![(local, self.there.wants() | self.back.has()), (pod, self.back.wants() | self.there.has())]
            }
            State::Over => Vec::new(),
        };
        // One that nothing is wanted of would be ready all the time once its other side has gone.
        awaited.into_iter().filter(|(_, flags)| !flags.is_empty()).collect()
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Goes on as far as nobody has to be waited for.
    pub fn advance(&mut self) -> Progress {
        if let State::Connecting { to, others, refusals } = &mut self.state {
            match sockopt::socket_error(&self.pod) {
                Ok(Ok(())) => {}
                // It was taken, and is over.
                Ok(Err(Errno::CONNRESET)) => {
                    self.cut_off();
                    return Progress::Goes;
                }
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
        let (local, pod) = (self.local.as_fd(), self.pod.as_fd());
        let went = self.there.pump(local, pod).and_then(|()| self.back.pump(pod, local));
        match went {
            Ok(()) if self.there.is_over() && self.back.is_over() => self.state = State::Over,
            Ok(()) => {}
            Err(_) => self.cut_off(),
        }
        Progress::Goes
    }

    /// On one side it is cut off, and so on the other: an end without a reset would look like a whole answer.
    fn cut_off(&mut self) {
        for socket in [&self.local, &self.pod] {
            let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
        self.state = State::Over;
    }
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

impl Flow {
    fn wants(&self) -> PollFlags {
        if self.held.is_empty() && !self.ended { PollFlags::IN } else { PollFlags::empty() }
    }

    fn has(&self) -> PollFlags {
        if self.held.is_empty() { PollFlags::empty() } else { PollFlags::OUT }
    }

    fn is_over(&self) -> bool {
        self.ended && self.held.is_empty()
    }

    /// Copies what there is, as far as it is taken now.
    fn pump(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<()> {
        for _ in 0..ROUNDS {
            if self.held.is_empty() {
                if self.ended {
                    return Ok(());
                }
                self.buffer.resize(BUFFER, 0);
                match recv(from, self.buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                    Ok((_, 0)) => {
                        self.ended = true;
                        // Whoever writes may go on.
                        return match shutdown(to, Shutdown::Write) {
                            Err(Errno::NOTCONN) => Ok(()),
                            done => done,
                        };
                    }
                    Ok((_, count)) => self.held = 0..count,
                    Err(Errno::INTR) => continue,
                    Err(Errno::AGAIN) => {
                        // Who is silent costs no memory.
                        self.buffer = Vec::new();
                        return Ok(());
                    }
                    Err(errno) => return Err(errno),
                }
            }
            match send(to, &self.buffer[self.held.clone()], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => self.held.start += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use rustix::event::{PollFd, poll};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

    use super::*;

    /// A client, and the connection that it has made.
    fn accepted() -> (TcpStream, OwnedFd) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        (client, socket.into())
    }

    fn sockets() -> [Option<OwnedFd>; 2] {
        let socket =
            |family| socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None).ok();
        [socket(AddressFamily::INET), socket(AddressFamily::INET6)]
    }

    fn run(connection: &mut Connection) -> Progress {
        while !connection.is_over() {
            let awaited = connection.awaited();
            let mut polled: Vec<_> = awaited.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
            poll(&mut polled, None).unwrap();
            drop((polled, awaited));
            if let refused @ Progress::Refused(_) = connection.advance() {
                return refused;
            }
        }
        Progress::Goes
    }

    /// Who has sent everything still gets the whole answer, however slowly it is read.
    #[test]
    fn each_direction_ends_by_itself() {
        const SIZE: usize = 3_000_000;
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let (mut client, local) = accepted();
        let mut connection = Connection::begin(local, sockets(), port).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let (mut socket, _) = server.accept().unwrap();
                let mut asked = Vec::new();
                socket.read_to_end(&mut asked).unwrap();
                assert_eq!(asked.len(), SIZE);
                socket.write_all(&asked).unwrap();
            });
            scope.spawn(move || {
                let bytes: Vec<u8> = (0..SIZE).map(|number| (number % 251) as u8).collect();
                client.write_all(&bytes).unwrap();
                client.shutdown(std::net::Shutdown::Write).unwrap();
                let mut answer = Vec::new();
                client.read_to_end(&mut answer).unwrap();
                assert!(answer == bytes);
            });
            assert_eq!(run(&mut connection), Progress::Goes);
        });
    }

    #[test]
    fn a_connection_that_is_cut_off_is_cut_off_on_the_other_side() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let (mut client, local) = accepted();
        let mut connection = Connection::begin(local, sockets(), port).unwrap();
        let (socket, _) = server.accept().unwrap();
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
        drop(socket);
        assert_eq!(run(&mut connection), Progress::Goes);
        drop(connection);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn both_addresses_are_tried() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (_client, local) = accepted();
        let why = match Connection::begin(local, sockets(), free) {
            Err(why) => why,
            Ok(mut connection) => match run(&mut connection) {
                Progress::Refused(why) => why,
                Progress::Goes => panic!("somebody listens on port {free}"),
            },
        };
        assert!(why.contains(&format!("connect to 127.0.0.1:{free} in the pod: Connection refused")), "{why}");
        // On a box without IPv6 there is no second.
        assert!(!why.contains("; ") || why.contains(&format!("[::1]:{free}")), "{why}");
    }
}
