//! `barepod port-forward`: ports of this box that lead into a pod's network namespace.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Stdio};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::user::Ids;
use crate::harness::{Case, Run, main, patience, wait};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

/// Answers on port 8080; nobody listens on port 8082.
const SERVE: &str = "web 8080 page; exec serve main";
/// Connections at a time.
const MANY: usize = 20;

fn served<'a>(case: &'a Case, spec: Value) -> Run<'a> {
    fs::write(case.shared("page"), ANSWER).unwrap();
    let ports = json!({"ports": [{"name": "echo", "containerPort": 8081}]});
    let run = case.start(&case.pod().spec(spec).container(main("main", SERVE, ports)));
    case.wait_for("main up");
    run
}

/// A `port-forward` that runs. Killed when it is dropped.
struct Forward {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: std::path::PathBuf,
}

impl Forward {
    fn begin(case: &Case, words: &[&str]) -> Self {
        let stderr = case.dir().join("forward.txt");
        let mut command = case.command(&[&["port-forward", case.name()], words].concat());
        command.stdout(Stdio::piped()).stderr(fs::File::create(&stderr).unwrap());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Of the next line: the port at 127.0.0.1 that leads to this one of the pod.
    #[track_caller]
    fn port(&mut self, remote: u16) -> u16 {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let ports = line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|rest| rest.trim_end().split_once(" -> "));
        let (local, to) = ports.unwrap_or_else(|| panic!("{line:?}, {}", self.said()));
        assert_eq!(to, remote.to_string());
        local.parse().unwrap()
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    #[track_caller]
    fn end(&mut self) -> Option<i32> {
        wait("the end of `port-forward`", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(patience())).unwrap();
    socket
}

fn get(mut socket: TcpStream) -> String {
    socket.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// Gives back what comes by so many connections to port 8081 of the pod. By a thread of the test: with
/// busybox's nc two connections may wait to be taken, and of more the kernel resets some.
fn echo(case: &Case) -> std::thread::JoinHandle<()> {
    let network = fs::File::open(format!("/proc/{}/ns/net", case.pid_of("/bin/sh /bin/serve"))).unwrap();
    let (is_up, up) = std::sync::mpsc::channel();
    let serve = move || {
        nix::sched::setns(network, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 8081)).unwrap();
        is_up.send(()).unwrap();
        for socket in listener.incoming().take(MANY) {
            let socket = socket.unwrap();
            std::thread::spawn(move || std::io::copy(&mut &socket, &mut &socket).unwrap());
        }
    };
    let thread = std::thread::spawn(serve);
    up.recv().unwrap();
    thread
}

/// Several ports, many connections at once, each direction by itself; one that nobody takes ends alone.
#[test]
fn connections() {
    let Some(case) = Case::new("forwarded") else { return };
    let mut run = served(&case, json!({}));
    let echoing = echo(&case);
    let mut forward = Forward::begin(&case, &["--address", "127.0.0.1", ":8080", ":echo", ":8082"]);
    let [page, echo, closed] = [8080, 8081, 8082].map(|port| forward.port(port));
    assert_eq!(get(connect(page)), ANSWER);
    std::thread::scope(|scope| {
        for number in 0..MANY {
            scope.spawn(move || {
                let bytes: Vec<u8> = (0..300_000).map(|at| ((at + number) % 251) as u8).collect();
                let mut socket = connect(echo);
                let mut reader = socket.try_clone().unwrap();
                let reads = std::thread::spawn(move || {
                    let mut back = Vec::new();
                    reader.read_to_end(&mut back).map(|_| back).unwrap()
                });
                socket.write_all(&bytes).unwrap();
                socket.shutdown(Shutdown::Write).unwrap();
                assert!(reads.join().unwrap() == bytes, "{number}");
            });
        }
    });
    echoing.join().unwrap();
    assert_eq!(connect(closed).read(&mut [0]).unwrap_or_default(), 0);
    wait("the refusal", || forward.said().contains("in the pod: Connection refused"));
    let said = forward.said();
    let refused = "error: forwarding to port 8082 of pod default/forwarded: connect to 127.0.0.1:8082 in the pod";
    assert!(said.contains(&format!("Handling connection for {page}")) && said.contains(refused), "{said}");
    assert_eq!(get(connect(page)), ANSWER);
    kill_process(Pid::from_child(&forward.child), Signal::INT).unwrap();
    assert_eq!(forward.end(), Some(0));
    run.signal(Signal::TERM);
    run.end();
    case.nothing_left();
}

/// What listens at both of localhost's addresses, what is in use, and what is said of a pod that ends.
#[test]
fn localhost_and_the_end_of_the_pod() {
    let Some(case) = Case::new("forwarded-end") else { return };
    let mut run = served(&case, json!({}));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let failed = |words: &[&str]| {
        let output = case.barepod(&[&["port-forward", case.name()], words].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = failed(&[&format!("{port}:8080")]);
    assert!(code == Some(1) && said.contains(&format!("can't listen on 127.0.0.1:{port}: Address")), "{said}");
    let (code, said) = failed(&["web"]);
    assert!(code == Some(1) && said.contains("has no port named \"web\"; it has: echo"), "{said}");
    assert_eq!(failed(&["0"]).0, Some(2));
    let mut forward = Forward::begin(&case, &[":8080"]);
    let page = forward.port(8080);
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        let mut line = String::new();
        forward.stdout.read_line(&mut line).unwrap();
        assert_eq!(line, format!("Forwarding from [::1]:{page} -> 8080\n"));
        assert_eq!(get(TcpStream::connect((Ipv6Addr::LOCALHOST, page)).unwrap()), ANSWER);
    }
    // One that is open keeps nobody.
    let _open = connect(page);
    wait("the connection", || forward.said().contains("Handling connection"));
    run.signal(Signal::TERM);
    run.end();
    assert_eq!(forward.end(), Some(1));
    assert!(forward.said().contains("error: pod \"default/forwarded-end\" has ended"), "{}", forward.said());
    let (code, said) = failed(&["8080"]);
    assert!(code == Some(1) && said.contains("has ended"), "{said}");
    case.nothing_left();
}

/// A pod whose supervisor is killed is told of; so is one whose supervisor is stopped for a while served then.
#[test]
fn a_supervisor_that_is_stopped_and_killed() {
    let Some(case) = Case::new("forwarded-lost") else { return };
    let mut run = served(&case, json!({}));
    let mut forward = Forward::begin(&case, &["--address", "127.0.0.1", ":8080"]);
    let page = forward.port(8080);
    run.signal(Signal::STOP);
    let socket = connect(page);
    wait("the connection", || forward.said().contains("Handling connection"));
    run.signal(Signal::CONT);
    assert_eq!(get(socket), ANSWER);
    run.kill();
    assert_eq!(forward.end(), Some(1));
    assert!(forward.said().contains("is gone"), "{}", forward.said());
    assert!(case.barepod(&["rm", "--force", case.name()]).status.success());
    case.nothing_left();
}

/// With the box's network a port that nobody in the pod has is the command's own.
#[test]
fn a_pod_with_the_boxs_network() {
    let Some(case) = Case::new("forwarded-host") else { return };
    let mut run = case.start(&case.pod().spec(json!({"hostNetwork": true})).main("main", "exec serve main"));
    case.wait_for("main up");
    // Nobody else is given this port, and who asks for it by number gets it.
    let flags = SocketFlags::CLOEXEC;
    let kept = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    sockopt::set_socket_reuseaddr(&kept, true).unwrap();
    bind(&kept, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = SocketAddr::try_from(getsockname(&kept).unwrap()).unwrap().port();
    let mut forward = Forward::begin(&case, &["--address", "127.0.0.1", &format!("{port}:{port}")]);
    assert_eq!(forward.port(port), port);
    assert_eq!(connect(port).read(&mut [0]).unwrap_or_default(), 0);
    wait("the refusal", || forward.said().contains("where this command itself listens"));
    assert_eq!(forward.said().matches("Handling connection").count(), 1, "{}", forward.said());
    kill_process(Pid::from_child(&forward.child), Signal::TERM).unwrap();
    assert_eq!(forward.end(), Some(0));
    run.signal(Signal::TERM);
    run.end();
    case.nothing_left();
}

#[track_caller]
fn is_forwarded(case: &Case, spec: Value) {
    let mut run = served(case, spec);
    let mut forward = Forward::begin(case, &["--address", "127.0.0.1", ":8080"]);
    let page = forward.port(8080);
    assert_eq!(get(connect(page)), ANSWER, "{}", forward.said());
    kill_process(Pid::from_child(&forward.child), Signal::TERM).unwrap();
    assert_eq!(forward.end(), Some(0));
    run.signal(Signal::TERM);
    run.end();
}

#[test]
fn a_pod_with_users_of_its_own() {
    let Some(case) = Case::new("forwarded-users") else { return };
    // The trace belongs to nobody in there.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(case.shared(""), open).unwrap();
    is_forwarded(&case, json!({"hostUsers": false}));
    case.nothing_left();
}

/// Its network belongs to a user namespace that the command isn't in.
#[test]
fn a_users_pod() {
    let Some(case) = Case::of_user("user-forwarded", Ids::Subordinate) else { return };
    is_forwarded(&case, json!({}));
}
