//! Pods of an ordinary user on the network, by pasta (docs/rootless.md). The box's network is one of the test's own: a
//! namespace for the box, another one for all that is outside, a cable between them.

mod ends;
mod networks;

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, Manifest, PATIENT, Run, main, wait, wait_for};
use networks::{BOX, BOX_V6, OUTSIDE, answer_names, answer_pages, connected, lonely, meanwhile};

/// As a user starts it who says nothing about the network, but for what `options` say.
fn start<'a>(case: &'a Case, pod: &Manifest, options: &[&str]) -> Run<'a> {
    case.start_with(pod, &[&["--backoff-initial", "300ms", "--backoff-max", "1200ms"], options].concat())
}

fn warnings(run: &Run<'_>) -> Vec<String> {
    run.stderr().lines().filter(|line| line.contains("warning:")).map(str::to_owned).collect()
}

/// Addresses, names, the pod's own sysctls; probes go to the pod's address, and names are asked for where the box asks,
/// which is at its own loopback here.
#[test]
fn it_gets_outside() {
    let Some((case, own, outside)) = connected("pasta") else { return };
    let pages = outside.within(|| TcpListener::bind((OUTSIDE, 8000)).unwrap());
    pages.set_nonblocking(true).unwrap();
    let names = own.within(|| UdpSocket::bind("127.0.0.53:53").unwrap());
    names.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let script = "say $(ip -o addr show dev eth0 scope global | wc -l); cp /etc/resolv.conf /t/resolv; \
        cp /etc/hosts /t/hosts; say got $(wget -q -O - http://10.201.0.1:8000/); \
        say $IP; say $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start); web 8080 page; exec serve main";
    let probe = |get| json!({"httpGet": get, "periodSeconds": 1, "timeoutSeconds": PATIENT});
    let by_name = probe(json!({"host": "web.outside", "port": 8000}));
    let ip = json!([{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}}]);
    let sysctl = json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "81"}]);
    fs::write(case.shared("page"), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    let probes = json!({"env": ip, "readinessProbe": probe(json!({"port": 8080})), "startupProbe": by_name});
    let spec = json!({"securityContext": {"sysctls": sysctl}});
    let pod = case.pod().spec(spec).container(main("main", script, probes));
    let serve = |over: &AtomicBool| {
        std::thread::scope(|scope| {
            scope.spawn(|| answer_names(&names, over));
            answer_pages(&pages, over);
        });
    };
    meanwhile(serve, || {
        let mut run = start(&case, &pod, &[]);
        case.wait_for("main up");
        wait("readiness", || case.container("main")["ready"] == true);
        let status = &case.get()["status"];
        assert_eq!(status["podIP"], BOX);
        assert_eq!(status["podIPs"], json!([{"ip": BOX}, {"ip": BOX_V6}]));
        assert_eq!(case.trace(), ["2", "got page", &format!("{BOX},{BOX_V6}"), "81", "main up"]);
        let asked = fs::read_to_string(case.shared("page.asked")).unwrap().to_lowercase();
        assert!(asked.contains(&format!("host: {BOX}:8080")), "{asked}");
        let read = |name: &str| fs::read_to_string(case.shared(name)).unwrap();
        assert_eq!(read("resolv"), "search outside\nnameserver 169.254.1.1\noptions edns0\n");
        for ip in [BOX, BOX_V6] {
            assert!(read("hosts").contains(&format!("{ip}\tpasta\n")), "{}", read("hosts"));
        }
        assert_eq!(warnings(&run), [""; 0]);
        run.signal(Signal::TERM);
        assert_eq!(run.end(), 0);
    });
}

/// What listens at the box's loopback is the box's alone, whatever the pod may do to its own network: here it takes its
/// loopback away and sends all by the way to the outside.
#[test]
fn the_boxs_loopback_is_out_of_reach() {
    let Some((case, own, outside)) = connected("pasta-attack") else { return };
    let (tcp, tcp6, udp) = own.within(|| {
        let bound = |address: &str| TcpListener::bind((address, 5000)).unwrap();
        (bound("127.0.0.1"), bound("::1"), UdpSocket::bind("127.0.0.1:5000").unwrap())
    });
    let open = outside.within(|| TcpListener::bind((OUTSIDE, 5000)).unwrap());
    for listener in [&tcp, &tcp6, &open] {
        listener.set_nonblocking(true).unwrap();
    }
    udp.set_nonblocking(true).unwrap();
    let script = "\
        for host in 127.0.0.1 ::1 0.0.0.0; do nc -w 1 $host 5000 </dev/null; done; \
        ip addr flush dev lo; ip link set lo down; \
        for host in 127.0.0.1 127.0.0.2; do ip route add $host dev eth0; done; ip -6 route add ::1 dev eth0; \
        ip route get 127.0.0.1 | grep -q eth0 && say turned; \
        for host in 127.0.0.1 ::1 ::ffff:127.0.0.1; do nc -w 1 $host 5000 </dev/null; done; \
        traceroute -n -q 1 -w 1 -m 2 -p 4999 127.0.0.1; \
        nc -w 5 10.201.0.1 5000 </dev/null; say over";
    let rights = json!({"securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}});
    let mut run = start(&case, &case.pod().container(main("main", script, rights)), &["--network", "pasta"]);
    let accepted = wait_for("the connection that is allowed", || open.accept().ok());
    drop(accepted);
    assert_eq!(run.end(), 0, "{}\n{}", run.stderr(), run.stdout());
    assert_eq!(case.trace(), ["turned", "over"]);
    let came = [
        ("a connection to 127.0.0.1", tcp.accept().map(|(_, from)| from)),
        ("a connection to ::1", tcp6.accept().map(|(_, from)| from)),
        ("a packet to 127.0.0.1", udp.recv_from(&mut [0; 100]).map(|(_, from)| from)),
    ];
    let came =
        came.into_iter().filter(|(_, from)| !matches!(from, Err(cause) if cause.kind() == ErrorKind::WouldBlock));
    assert_eq!(came.map(|(what, _)| what).collect::<Vec<_>>(), [""; 0]);
}

/// What was asked for and can't be had ends the run before anything is made.
#[test]
fn who_asks_for_it_gets_it_or_an_error() {
    let Some((case, _own)) = lonely("pasta-asked") else { return };
    let pod = case.pod().main("main", "say never");
    let mut run = start(&case, &pod, &["--network", "pasta"]);
    assert_eq!(run.end(), 125, "{}", run.stderr());
    let text = run.stderr();
    assert!(text.contains("--network pasta: pasta: ") && text.contains("interface"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let mut run = without_pasta(&case, &pod, &["--network", "pasta"]);
    assert_eq!(run.end(), 125, "{}", run.stderr());
    assert!(run.stderr().contains("install the package passt"), "{}", run.stderr());
    assert!(case.trace().is_empty() && !case.state().exists());
}

/// Who doesn't ask for it has a loopback at least, and is told why where it isn't just missing.
#[test]
fn who_does_not_ask_has_a_loopback() {
    let Some((case, _own)) = lonely("pasta-default") else { return };
    let pod = case.pod().main("main", "say $(ip -o link | wc -l); cp /etc/resolv.conf /t/resolv; exec serve main");
    for missing in [false, true] {
        fs::write(case.shared("log"), "").unwrap();
        let mut run = if missing { without_pasta(&case, &pod, &[]) } else { start(&case, &pod, &[]) };
        case.wait_for("main up");
        assert_eq!(case.trace()[0], "1");
        wait("its address", || case.get()["status"]["podIP"] == "127.0.0.1");
        assert!(fs::read_to_string(case.shared("resolv")).unwrap().contains("nameserver 127.0.0.53"));
        let told = warnings(&run);
        assert_eq!(told.len(), usize::from(!missing), "{told:?}");
        assert!(missing || told[0].contains("no network but its loopback: pasta: "), "{told:?}");
        run.signal(Signal::TERM);
        assert_eq!(run.end(), 0);
    }
}

/// On a box whose PATH has no pasta.
fn without_pasta<'a>(case: &'a Case, pod: &Manifest, options: &[&str]) -> Run<'a> {
    let bin = case.dir().join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name() != "pasta" {
                    let _ = symlink(entry.path(), bin.join(entry.file_name()));
                }
            }
        }
    }
    let path = case.write(&pod.text());
    let mut command = case.command(&[&["run"], options].concat());
    command.arg(path).env("PATH", bin);
    Run::to_files(case, &mut command)
}

/// It can be had without, where there is a network too; and not beside the box's.
#[test]
fn none_is_none() {
    let Some((case, _own, _outside)) = connected("pasta-none") else { return };
    let mut run = start(&case, &case.pod().main("main", "say $(ip -o link | wc -l)"), &["--network", "none"]);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert_eq!((case.trace(), warnings(&run)), (vec!["1".to_owned()], vec![]));
    let host = case.pod().spec(json!({"hostNetwork": true})).main("main", "say $(ip -o addr)");
    for how in ["none", "pasta"] {
        let mut run = start(&case, &host, &["--network", how]);
        assert_eq!(run.end(), 2, "{}", run.stderr());
        assert!(run.stderr().contains("hostNetwork"), "{}", run.stderr());
    }
}

/// Root's pods have nothing of it.
#[test]
fn it_is_not_for_root() {
    let Some(case) = Case::new("pasta-root") else { return };
    let mut run = case.start_with(&case.pod().main("main", "say never"), &["--network", "pasta"]);
    assert_eq!(run.end(), 2, "{}", run.stderr());
    assert!(run.stderr().contains("ordinary users"), "{}", run.stderr());
    let mut run = case.start_with(&case.pod().main("main", "say $(ip -o link | wc -l)"), &["--network", "none"]);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert_eq!(case.trace(), ["1"]);
}

/// A program that is found as pasta, before the box's own.
fn with_own_pasta<'a>(case: &'a Case, pod: &Manifest, script: &str) -> Run<'a> {
    let bin = case.dir().join("own");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("pasta"), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(bin.join("pasta"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = case.command(&["run", "--network", "pasta", "--backoff-initial", "300ms"]);
    command.arg(case.write(&pod.text())).env("PATH", path);
    Run::to_files(case, &mut command)
}

fn ledger(case: &Case) -> Value {
    serde_json::from_slice(&fs::read(case.state().join("ledger.json")).unwrap()).unwrap()
}

/// The addresses are those of the sandbox that there is: of one that takes the place of another, in every place where
/// they are to be read.
#[test]
fn a_new_sandbox_has_addresses_of_its_own() {
    let Some((case, _own, _outside)) = connected("pasta-again") else { return };
    let real = Command::new("sh").args(["-c", "command -v pasta"]).output().unwrap();
    let real = String::from_utf8(real.stdout).unwrap();
    // Each sandbox has one more interface, and first, with an address of its own.
    let script = format!(
        "for word; do namespace=$word; done; echo >>{count}; n=$(wc -l <{count}); inside() {{ nsenter --net=$namespace ip \"$@\"; }}
        inside link add name one type veth peer name two && inside addr add 10.77.0.$n/24 dev one && \
        inside link set one up && inside link set two up
        exec {real} \"$@\"",
        count = case.shared("count").display(),
        real = real.trim(),
    );
    let hosts = "cp /etc/hosts /t/hosts; say $IP; web 8080 page; exec serve main";
    let ip = json!([{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]);
    let probe = json!({"httpGet": {"port": 8080}, "periodSeconds": 1, "timeoutSeconds": PATIENT});
    fs::write(case.shared("page"), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    let late = case.shared("late");
    let volumes = json!([{"name": "late", "hostPath": {"path": late, "type": "Directory"}}]);
    let mounts = json!([{"name": "late", "mountPath": "/late"}]);
    let more = json!({"env": ip, "readinessProbe": probe, "volumeMounts": mounts});
    let pod = case.pod().spec(json!({"volumes": volumes})).container(main("main", hosts, more));
    let mut run = with_own_pasta(&case, &pod, &script);
    wait("a sandbox that could not be made", || !case.messages("FailedMount").is_empty());
    let before = ledger(&case)["network"].clone();
    assert_eq!(before["kind"], "pasta", "{before}");
    fs::create_dir(late).unwrap();
    case.wait_for("main up");
    wait("readiness", || case.container("main")["ready"] == true);
    let made = fs::read_to_string(case.shared("count")).unwrap().lines().count();
    assert!(made > 1);
    let address = format!("10.77.0.{made}");
    assert_eq!(case.trace()[0], address);
    assert_eq!(case.get()["status"]["podIP"], *address);
    let hosts = fs::read_to_string(case.shared("hosts")).unwrap();
    assert!(hosts.contains(&format!("{address}\t{}\n", case.name())), "{hosts}");
    assert_eq!(hosts.matches("10.77.0.").count(), 1, "{hosts}");
    let asked = fs::read_to_string(case.shared("page.asked")).unwrap().to_lowercase();
    assert!(asked.contains(&format!("host: {address}:8080")), "{asked}");
    assert_ne!(ledger(&case)["network"], before);
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    // Nothing is named that isn't there.
    assert_eq!(ledger(&case)["network"], Value::Null);
}
