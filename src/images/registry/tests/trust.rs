//! Whom the client believes, and how it gets there.

use super::*;

fn told(options: Options, of: &Repository) -> String {
    fetch(&Client::new(options), of, "latest").unwrap_err().to_string().replace(&of.registry, "HOST")
}

/// A folder as /etc/containers/certs.d, with these files of ours for one host.
fn certificates(host: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(host)).unwrap();
    for (name, source) in files {
        std::fs::copy(fixture(source), folder.path().join(host).join(name)).unwrap();
    }
    folder
}

#[test]
fn only_known_authorities_are_believed() {
    let server = Server::tls(|_| manifest());
    let of = repository(&server);
    let nobody = Options { root_files: vec!["/nonexistent.crt".into()], ..options() };
    let words = told(nobody.clone(), &of);
    assert!(
        words.contains("no certificates of authorities (looked in /nonexistent.crt); install ca-certificates"),
        "{words}"
    );
    // Another one's.
    let other = Options { root_files: vec![fixture("client.cert")], ..options() };
    let words = told(other, &of);
    assert!(
        words.contains("HOST: this box doesn't trust its certificate (") && words.contains("certs.d/HOST/ca.crt"),
        "{words}"
    );
    let by_name = Repository { registry: format!("localhost:{}", server.port()), ..of.clone() };
    fetch(&client(), &by_name, "latest").unwrap();
    let folder = certificates(&server.host(), &[("ca.crt", "authority.crt")]);
    let own = Options { host_folders: vec![folder.path().to_owned()], ..nobody.clone() };
    fetch(&Client::new(own.clone()), &of, "latest").unwrap();
    assert!(told(own, &by_name).contains("no certificates"), "it is for that host alone");
    let files = certificates("all", &[("a.pem", "authority.crt")]);
    let listed = Options { root_folders: vec![files.path().join("all")], ..nobody };
    fetch(&Client::new(listed), &of, "latest").unwrap();
}

/// `own.cert` is what `openssl req -x509` writes without more: self-signed, and an authority's.
#[test]
fn the_certificate_of_an_authority_is_no_servers() {
    let server = Server::with_pair("own", |_| manifest());
    let folder = certificates(&server.host(), &[("ca.crt", "own.cert")]);
    for options in [options(), Options { host_folders: vec![folder.path().to_owned()], ..options() }] {
        let words = told(options, &repository(&server));
        assert!(words.contains("HOST: it shows the certificate of an authority (CA:TRUE) as its own"), "{words}");
    }
}

#[test]
fn a_certificate_of_ours_is_shown() {
    let server = Server::strict(|_| manifest());
    let of = repository(&server);
    let with = |folder: &tempfile::TempDir| Options { host_folders: vec![folder.path().to_owned()], ..options() };
    let folder = certificates(&server.host(), &[("client.cert", "client.cert"), ("client.key", "client.key")]);
    fetch(&Client::new(with(&folder)), &of, "latest").unwrap();
    assert!(fetch(&client(), &of, "latest").is_err());
    for (files, words) in [
        (&[("client.cert", "client.cert")][..], "client.key: there is no such file"),
        (&[("client.cert", "client.cert"), ("client.key", "client.cert")], "client.key: there is no private key in it"),
        (&[("client.cert", "client.key"), ("client.key", "client.key")], "client.cert: there is no certificate in it"),
        (&[("client.cert", "client.cert"), ("client.key", "server.key")], "client.key: "),
        (&[("ca.crt", "client.key")], "ca.crt: there is no certificate in it"),
    ] {
        let folder = certificates(&server.host(), files);
        let told = told(with(&folder), &of);
        assert!(told.contains(words), "{told}");
    }
}

/// Neither clear text nor an unknown certificate, unless that is allowed for this registry.
#[test]
fn what_is_insecure_must_be_allowed() {
    let clear = Server::clear(|_| manifest());
    let of = repository(&clear);
    let words = told(options(), &of);
    assert!(words.contains("HOST speaks HTTP in clear text; if that is meant: insecure = true"), "{words}");
    let client = Client::new(options());
    fetch(&client, &Repository { transport: Transport::Insecure, ..of.clone() }, "latest").unwrap();
    assert!(fetch(&client, &of, "latest").is_err(), "that is for who allows it alone");
    let unknown = Server::tls(|_| manifest());
    let nobody = Options { root_files: Vec::new(), ..options() };
    let of = Repository { transport: Transport::Insecure, ..repository(&unknown) };
    fetch(&Client::new(nobody), &of, "latest").unwrap();
    let paths: Vec<String> = unknown.asked().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/v2/", "/v2/team/app/manifests/latest"]);
}

#[test]
fn a_proxy_is_asked_for_the_way() {
    let proxy = Server::clear(|request| match request.method.as_str() {
        "CONNECT" => Answer::new(403, ""),
        _ => Answer::new(400, ""),
    });
    let by = |proxy: String| Options { proxies: Proxies { https: Some(proxy), ..Proxies::default() }, ..options() };
    let of = Repository {
        registry: "registry.example".to_owned(),
        path: "a".to_owned(),
        transport: Transport::Verified,
        login: None,
    };
    let words = told(by(format!("http://user:secret@{}", proxy.host())), &of);
    assert!(words.contains(&format!("connect to HOST by the proxy {}: ", proxy.host())), "{words}");
    assert!(!words.contains("secret"), "{words}");
    let asked = &proxy.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("CONNECT", "registry.example:443"));
    assert!(asked.header("proxy-authorization").to_ascii_lowercase().starts_with("basic "), "{asked:?}");
    let words = told(by("socks5://user:secret@127.0.0.1:1".to_owned()), &of);
    assert!(
        words.contains("the proxy socks5://... can't be used: only http://") && !words.contains("secret"),
        "{words}"
    );
}

#[test]
fn the_environment_says_where_things_are() {
    let nothing = Options::new(|_| None);
    assert!(nothing.root_files.len() > 3 && nothing.root_folders.len() > 1 && nothing.host_folders.len() == 2);
    let given = Options::new(|name| match name {
        "SSL_CERT_FILE" => Some("/a.pem".to_owned()),
        "SSL_CERT_DIR" => Some("/b:/c".to_owned()),
        "HOME" => Some("/home/me".to_owned()),
        "HTTPS_PROXY" => Some(String::new()),
        _ => None,
    });
    assert_eq!(given.root_files, [std::path::PathBuf::from("/a.pem")]);
    assert_eq!(given.root_folders, [std::path::PathBuf::from("/b"), "/c".into()]);
    assert_eq!(given.host_folders[0], std::path::PathBuf::from("/home/me/.config/containers/certs.d"));
    assert_eq!(given.proxies, Proxies::default());
}
