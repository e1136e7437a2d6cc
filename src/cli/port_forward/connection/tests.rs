//! Connections between sockets of this box: what arrives, what is cut off, and what is awaited of a side that is dead.

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

/// Waits for what it waits for, and goes on.
fn step(connection: &mut Connection) -> Progress {
    let awaited = connection.awaited();
    let mut polled: Vec<_> = awaited.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
    poll(&mut polled, None).unwrap();
    let ready = awaited.iter().zip(&polled).find(|(_, polled)| !polled.revents().is_empty());
    let (side, is_dead) = ready.map(|((side, _, flags), _)| (*side, flags.is_empty())).unwrap();
    drop((polled, awaited));
    if is_dead {
        connection.hang_up(side);
        return Progress::Goes;
    }
    connection.advance()
}

fn run(connection: &mut Connection) -> Progress {
    while !connection.is_over() {
        if let refused @ Progress::Refused(_) = step(connection) {
            return refused;
        }
    }
    Progress::Goes
}

fn until(socket: impl AsFd, flags: PollFlags) {
    poll(&mut [PollFd::new(&socket, flags)], None).unwrap();
}

/// Both ends of a connection that is made.
fn connected() -> (TcpStream, Connection, TcpStream) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (client, local) = accepted();
    let mut connection = Connection::begin(local, sockets(), server.local_addr().unwrap().port(), &[]).unwrap();
    let (socket, _) = server.accept().unwrap();
    until(&connection.pod, PollFlags::OUT);
    assert_eq!(connection.advance(), Progress::Goes);
    assert!(matches!(connection.state, State::Connected));
    (client, connection, socket)
}

/// Ends it by a reset.
fn kill(socket: TcpStream) {
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
    drop(socket);
}

fn is_reset(mut socket: TcpStream) -> bool {
    socket.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

/// Who has sent everything still gets the whole answer, however slowly it is read.
#[test]
fn each_direction_ends_by_itself() {
    const SIZE: usize = 3_000_000;
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let (mut client, local) = accepted();
    let mut connection = Connection::begin(local, sockets(), port, &[]).unwrap();
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
    let (client, mut connection, socket) = connected();
    kill(socket);
    assert_eq!(run(&mut connection), Progress::Goes);
    drop(connection);
    assert!(is_reset(client));
}

/// Before it is looked at for the first time.
#[test]
fn an_answer_that_comes_at_once_arrives() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut client, local) = accepted();
    let mut connection = Connection::begin(local, sockets(), server.local_addr().unwrap().port(), &[]).unwrap();
    let (mut socket, _) = server.accept().unwrap();
    socket.write_all(b"too many").unwrap();
    until(&connection.pod, PollFlags::IN);
    kill(socket);
    until(&connection.pod, PollFlags::empty());
    assert_eq!(run(&mut connection), Progress::Goes);
    drop(connection);
    let mut answer = [0; 8];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"too many");
    assert!(is_reset(client));
}

/// As servers do with an upload that is too large for them.
#[test]
fn an_answer_before_a_reset_arrives() {
    let (mut client, mut connection, mut socket) = connected();
    socket.write_all(b"too much").unwrap();
    until(&connection.pod, PollFlags::IN);
    kill(socket);
    until(&connection.pod, PollFlags::empty());
    client.write_all(b"more").unwrap();
    until(&connection.local, PollFlags::IN);
    assert_eq!(run(&mut connection), Progress::Goes);
    drop(connection);
    let mut answer = [0; 8];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"too much");
    assert!(is_reset(client));
}

/// Who has sent all and waits for an answer is nobody any more.
#[test]
fn a_client_that_is_dead_keeps_no_place() {
    let (client, mut connection, socket) = connected();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    while !connection.there.is_over() {
        step(&mut connection);
    }
    kill(client);
    assert_eq!(run(&mut connection), Progress::Goes);
    drop(connection);
    // Its end has arrived before.
    until(&socket, PollFlags::empty());
}

/// What a dead pod has sent is kept for a slow reader, and the pod is ready no more.
#[test]
fn a_pod_that_is_dead_is_awaited_no_more() {
    let (client, mut connection, mut socket) = connected();
    socket.set_nonblocking(true).unwrap();
    while connection.back.wants() == PollFlags::IN {
        let _ = socket.write(&[0; 65536]);
        assert_eq!(connection.advance(), Progress::Goes);
    }
    kill(socket);
    until(&connection.pod, PollFlags::empty());
    assert!(connection.awaited().iter().any(|(side, _, flags)| *side == Side::Pod && flags.is_empty()));
    connection.hang_up(Side::Pod);
    let awaited: Vec<_> = connection.awaited().iter().map(|(side, _, flags)| (*side, *flags)).collect();
    assert_eq!(awaited, [(Side::Local, PollFlags::OUT)]);
    drop(connection);
    drop(client);
}

/// An end of this command in the middle is no end of what is sent.
#[test]
fn what_is_not_whole_at_the_end_is_cut_off() {
    let (client, connection, socket) = connected();
    drop(connection);
    assert!(is_reset(client) && is_reset(socket));
    let (mut client, mut connection, socket) = connected();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    while !connection.back.is_over() {
        step(&mut connection);
    }
    drop(connection);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert!(is_reset(socket));
}

#[test]
fn nobody_connects_with_this_command_itself() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let begin = |own: &[&str]| {
        let own: Vec<SocketAddr> = own.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect();
        Connection::begin(accepted().1, sockets(), port, &own).map(|_| ())
    };
    assert_eq!(begin(&["127.0.0.2", "::1", "::"]), Ok(()));
    for own in [["127.0.0.1", "::1"], ["0.0.0.0", "::"]] {
        let why = begin(&own).unwrap_err();
        assert!(why.starts_with(&format!("connect to 127.0.0.1:{port}: the pod has the network of the box")), "{why}");
    }
}

#[test]
fn both_addresses_are_tried() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (_client, local) = accepted();
    let why = match Connection::begin(local, sockets(), free, &[]) {
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
