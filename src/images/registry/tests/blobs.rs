//! Blobs over connections that break, from registries that lie.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use super::*;

fn content() -> Vec<u8> {
    (0..3_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn read(blob: Result<Blob, RegistryError>) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    blob.map_err(io::Error::other)?.read_to_end(&mut all)?;
    Ok(all)
}

fn ranges(server: &Server) -> Vec<String> {
    server.asked().iter().map(|request| request.header("range").to_owned()).collect()
}

#[test]
fn a_blob_goes_on_where_it_broke() {
    let content = content();
    let (size, digest) = (content.len() as u64, Digest::of(&content));
    let sent = content.clone();
    let server = Server::tls(move |request| match request.number {
        0 => Answer::part(&sent, request).cut_after(1000),
        1 => Answer::part(&sent, request).stall_after(10),
        2 => Answer::new(503, ""),
        3 => Answer::part(&sent, request).cut_after(1_500_000),
        // After so much more may fail anew.
        4 | 5 => Answer::nothing(),
        _ => Answer::part(&sent, request),
    });
    let client = Client::new(Options { stall: Duration::from_secs(1), ..options() });
    let mut blob = client.blob(&repository(&server), &digest, size).unwrap();
    let mut found = Vec::new();
    blob.read_to_end(&mut found).unwrap();
    assert!(found == content);
    let end = size - 1;
    let later = format!("bytes=1501010-{end}");
    let wanted = [
        String::new(),
        format!("bytes=1000-{end}"),
        format!("bytes=1010-{end}"),
        format!("bytes=1010-{end}"),
        later.clone(),
        later.clone(),
        later,
    ];
    assert_eq!(ranges(&server), wanted);
    assert_eq!(server.asked()[0].path, format!("/v2/team/app/blobs/{digest}"));
}

/// How many connections this machine has refused so far.
fn refused() -> u64 {
    let text = std::fs::read_to_string("/proc/net/snmp").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let at = lines.next().unwrap().split(' ').position(|name| name == "OutRsts").unwrap();
    lines.next().unwrap().split(' ').nth(at).unwrap().parse().unwrap()
}

/// A registry that goes away in the middle of a blob, and comes back after somebody has knocked in vain.
#[test]
fn a_blob_goes_on_after_an_outage() {
    let content = content();
    let (size, digest) = (content.len() as u64, Digest::of(&content));
    let place: Arc<OnceLock<Arc<Server>>> = Arc::default();
    let (sent, there) = (content.clone(), place.clone());
    let server = Arc::new(Server::tls(move |request| {
        if request.number > 0 {
            return Answer::part(&sent, request);
        }
        let server = there.get().unwrap().clone();
        server.leave();
        let before = refused();
        std::thread::spawn(move || {
            while refused() < before + 2 {
                std::thread::yield_now();
            }
            server.come_back();
        });
        Answer::part(&sent, request).cut_after(1000)
    }));
    assert!(place.set(server.clone()).is_ok());
    let retries = Retries { outages: 100, longest: Duration::from_millis(100), ..options().retries };
    let client = Client::new(Options { retries, ..options() });
    assert!(read(client.blob(&repository(&server), &digest, size)).unwrap() == content);
    assert_eq!(ranges(&server), [String::new(), format!("bytes=1000-{}", size - 1)]);
}

/// One that doesn't come back is told of, after a while.
#[test]
fn an_outage_comes_to_an_end() {
    let content = content();
    let (size, digest) = (content.len() as u64, Digest::of(&content));
    let place: Arc<OnceLock<Arc<Server>>> = Arc::default();
    let there = place.clone();
    let server = Arc::new(Server::tls(move |request| {
        there.get().unwrap().leave();
        Answer::part(&content, request).cut_after(1000)
    }));
    assert!(place.set(server.clone()).is_ok());
    let retries =
        Retries { attempts: 3, outages: 4, first: Duration::from_millis(10), longest: Duration::from_secs(2) };
    let client = Client::new(Options { retries, ..options() });
    let begin = std::time::Instant::now();
    let told = read(client.blob(&repository(&server), &digest, size)).unwrap_err().to_string();
    assert!(told.contains(&format!("blob {digest}: connect to {}: connection refused", server.host())), "{told}");
    assert!(begin.elapsed() >= Duration::from_millis(10 + 20 + 40 + 80), "it was to be tried again");
    // At the very begin nobody knows that anybody is there.
    let retries = Retries { outages: 100, first: Duration::from_secs(1000), ..retries };
    let client = Client::new(Options { retries, ..options() });
    assert!(client.blob(&repository(&server), &digest, size).is_err());
}

/// Nobody waits for a host that has never answered, though the registry that leads there has.
#[test]
fn a_host_that_was_never_there_is_no_outage() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let to = format!("https://127.0.0.1:{port}/blob");
    let server = Server::tls(move |_| Answer::new(307, "").with("Location", &to));
    let retries = Retries { outages: 100, first: Duration::from_secs(1000), ..options().retries };
    let client = Client::new(Options { retries, ..options() });
    let told = read(client.blob(&repository(&server), &Digest::of(b"x"), 1)).unwrap_err().to_string();
    assert!(told.contains(&format!("connect to 127.0.0.1:{port}: connection refused")), "{told}");
    assert_eq!(server.asked().len(), 1);
}

/// One that sends less than the rest that was asked for sends all of it.
#[test]
fn a_rest_that_is_cut_short() {
    let content = content();
    let sent = content.clone();
    let server = Server::tls(move |request| match (request.number, request.header("range")) {
        (0, _) => Answer::ok(&sent).cut_after(100_000),
        (_, "") => Answer::ok(&sent),
        _ => Answer::new(206, &sent[100_000..200_000]).with("Content-Range", "bytes 100000-199999/3000000"),
    });
    let (of, digest) = (repository(&server), Digest::of(&content));
    assert!(read(client().blob(&of, &digest, content.len() as u64)).unwrap() == content);
    assert_eq!(ranges(&server), ["", "bytes=100000-2999999", ""]);
}

/// Where parts aren't had, what is there already is skipped.
#[test]
fn a_registry_needs_no_parts() {
    let content = content();
    let sent = content.clone();
    let server = Server::tls(move |request| {
        let whole = Answer::ok(&sent);
        if request.number == 0 { whole.cut_after(100_000) } else { whole }
    });
    let (of, digest) = (repository(&server), Digest::of(&content));
    assert!(read(client().blob(&of, &digest, content.len() as u64)).unwrap() == content);
}

/// Every way in which the size may be another.
#[test]
fn lies_about_the_size_are_found() {
    let content = b"0123456789".as_slice();
    let blob = |answer: fn(&Request) -> Answer, size: u64| {
        let server = Server::tls(answer);
        let told = read(client().blob(&repository(&server), &Digest::of(content), size));
        (told.map_err(|cause| cause.to_string().replace(&server.host(), "HOST")), server.asked().len())
    };
    let (told, asked) = blob(|_| Answer::ok("0123456789"), 11);
    assert!(told.unwrap_err().contains("HOST says that it has 10 bytes; 11 were expected"));
    assert_eq!(asked, 1, "it won't change its mind");
    let (told, asked) = blob(|_| Answer::ok("0123456789").without_length(), 9);
    assert!(told.unwrap_err().contains("HOST sends more than the 9 bytes"));
    assert_eq!(asked, 1);
    let (told, asked) = blob(|_| Answer::ok("0123456789").without_length(), 11);
    let told = told.unwrap_err();
    assert!(told.contains("the connection broke"), "{told}");
    assert_eq!(asked, 4, "it may have been cut");
    assert_eq!(blob(|_| Answer::ok("0123456789").without_length(), 10).0.unwrap(), content);
    assert_eq!(blob(|_| Answer::ok(""), 0).0.unwrap(), b"");
}

#[test]
fn another_content_is_found_at_its_end() {
    let server = Server::tls(|_| Answer::ok("another"));
    let wanted = Digest::of(b"content");
    let mut blob = client().blob(&repository(&server), &wanted, 7).unwrap().verified(wanted.clone());
    let mut found = Vec::new();
    let told = blob.read_to_end(&mut found).unwrap_err();
    let other = told.get_ref().unwrap().downcast_ref::<OtherDigest>().unwrap();
    assert_eq!((&other.found, &other.wanted), (&Digest::of(b"another"), &wanted));
}

/// Errors while it is read say as much as those before.
#[test]
fn an_error_in_the_middle_says_whose_it_is() {
    let server = Server::tls(|request| match request.number {
        0 => Answer::ok("0123456789").cut_after(4),
        _ => Answer::new(404, r#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#),
    });
    let of = repository(&server);
    let told = read(client().blob(&of, &Digest::of(b"x"), 10)).unwrap_err();
    let error = told.get_ref().unwrap().downcast_ref::<RegistryError>().unwrap();
    assert!(error.is_absent());
    assert!(error.to_string().starts_with(&format!("{}: blob sha256:", of.name())), "{error}");
    assert!(error.to_string().contains("404 Not Found (BLOB_UNKNOWN)"), "{error}");
}

#[test]
fn a_layer_may_be_elsewhere() {
    let server = Server::tls(|request| match (request.path.as_str(), request.header("authorization")) {
        ("/layer?x=y", "") => Answer::ok("layer"),
        _ => Answer::new(400, ""),
    });
    let login = Some(Login::Password { user: "a".to_owned(), password: "b".to_owned() });
    let of = Repository { login, ..repository(&server) };
    let url = format!("https://{}/layer?x=y", server.host());
    assert_eq!(read(client().elsewhere(&of, &url, 5)).unwrap(), b"layer");
    let told = read(client().elsewhere(&of, "http://example.com/x", 5)).unwrap_err().to_string();
    assert!(told.contains("layer at http://example.com/x") && told.contains("no address that is followed"), "{told}");
}

/// Threads share one client.
#[test]
fn several_are_fetched_at_once() {
    let content = content();
    let sent = content.clone();
    let server = Server::tls(move |request| Answer::part(&sent, request));
    let (of, digest, size) = (repository(&server), Digest::of(&content), content.len() as u64);
    let client = client();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert!(read(client.blob(&of, &digest, size)).unwrap() == content));
        }
    });
}
