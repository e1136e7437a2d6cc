//! Debian's docker-registry with a token server of the tests before it, as large registries have one: who asks is sent there with
//! login and scope, and comes back with a token that the registry verifies. All questions pass a gate of the tests,
//! which lets tokens die and connections end when a test says so.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::Case;
use super::own_registry::logins;
use super::registry::{Server, fixture, quiet};

/// Who may pull; what is below `public/` anybody may.
const LOGIN: (&str, &str) = ("tester", "open sesame");
/// Whom tokens are for, and who gives them.
const NAME: &str = "tests";

/// A token that is shown.
pub struct Use {
    /// What for: `/v2/team/web/blobs/sha256:...`
    pub path: String,
    /// Which one, in the order in which they were given, from 1.
    pub token: usize,
    /// How often it was shown, with this time.
    pub times: usize,
    /// How often this path was asked for by a good token before.
    pub before: usize,
}

/// What becomes of it.
pub enum Verdict {
    Good,
    /// The registry doesn't take it any more.
    Dead,
    /// Nor gives the server others from now on.
    LockedOut,
    /// It is good, and so many bytes of the answer are sent before the connection ends.
    CutAfter(u64),
}

/// What the server was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub service: String,
    pub scope: String,
    /// Empty: without a login.
    pub user: String,
}

/// Ends when it is dropped, and with the test's process.
pub struct TokenRegistry {
    server: Server,
    port: u16,
    gate: Arc<Gate>,
}

struct Gate {
    /// Of the registry.
    address: String,
    rule: Box<dyn Fn(&Use) -> Verdict + Send + Sync>,
    tls: Arc<ServerConfig>,
    is_locked: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    given: Vec<Given>,
    /// In the order in which they were given, with how often each was shown.
    tokens: Vec<(String, usize)>,
    /// How often something was asked for by a good token.
    paths: HashMap<String, usize>,
}

/// How much of an answer.
#[derive(PartialEq, Eq)]
enum Sent {
    All,
    Part,
}

/// The head of a request.
struct Request {
    method: String,
    target: String,
    /// Names as they came.
    headers: Vec<(String, String)>,
}

impl TokenRegistry {
    /// A registry for the case, whose commands from now on trust it and are logged in. `None`, said aloud, where there is none.
    pub fn new(case: &mut Case, rule: impl Fn(&Use) -> Verdict + Send + Sync + 'static) -> Option<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Server::new(|dir| {
            let roots = dir.join("certificates/ca.crt");
            let realm = format!("https://localhost:{port}/token");
            json!({"auth": {"token": {"realm": realm, "service": NAME, "issuer": NAME, "rootcertbundle": roots}}})
        })?;
        let address = server.address().to_owned();
        let (is_locked, state) = (AtomicBool::new(false), Mutex::default());
        let gate = Arc::new(Gate { address, rule: Box::new(rule), tls: tls(), is_locked, state });
        let registry = Self { server, port, gate: gate.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let gate = gate.clone();
                std::thread::spawn(move || gate.serve(stream));
            }
        });
        registry.log_in(&[LOGIN]);
        let authority = format!("SSL_CERT_FILE={}", registry.server.authority().display());
        case.within(&["env", &authority, &format!("REGISTRY_AUTH_FILE={}", registry.logins().display())]);
        Some(registry)
    }

    /// What an image of it is called.
    pub fn image(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }

    /// The case's commands have these logins from now on.
    pub fn log_in(&self, all: &[(&str, &str)]) {
        let host = self.image("");
        let all: Vec<_> = all.iter().map(|(user, password)| (host.trim_end_matches('/'), *user, *password)).collect();
        fs::write(self.logins(), logins(&all)).unwrap();
    }

    /// As before [`Verdict::LockedOut`].
    pub fn let_in(&self) {
        self.gate.is_locked.store(false, Ordering::SeqCst);
    }

    /// For what tokens were given so far.
    pub fn given(&self) -> Vec<Given> {
        self.gate.state.lock().unwrap().given.clone()
    }

    /// Copies an image of a layout into it by skopeo, past the gate.
    pub fn push(&self, layout: &Path, image: &str, name: &str) {
        let repository = name.split(':').next().unwrap();
        let token = token(0, "skopeo", &json!([access(repository, &["pull", "push"])]));
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["--insecure-policy", "copy", "--dest-tls-verify=false", "--dest-registry-token", &token]);
        skopeo.arg(format!("oci:{}:{image}", layout.display()));
        skopeo.arg(format!("docker://{}/{name}", self.server.address())).env("TMPDIR", self.server.dir());
        quiet(&mut skopeo);
    }

    fn logins(&self) -> PathBuf {
        self.server.dir().join("auth.json")
    }
}

impl Gate {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let session = ServerConnection::new(self.tls.clone()).unwrap();
        let mut stream = BufReader::new(StreamOwned::new(session, stream));
        let request = read(&mut stream)?;
        let stream = stream.get_mut();
        if request.target.starts_with("/token") {
            let (status, body) = self.give(&request);
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes())?;
        } else if self.forward(&request, stream)? == Sent::Part {
            // Without a word of TLS.
            return stream.sock.shutdown(Shutdown::Both);
        }
        stream.conn.send_close_notify();
        stream.flush()?;
        stream.sock.shutdown(Shutdown::Write)?;
        // Until the other side has enough.
        io::copy(stream, &mut io::sink())?;
        Ok(())
    }

    /// Status and body of the token server's answer.
    fn give(&self, request: &Request) -> (&'static str, String) {
        let login = request.header("authorization").and_then(|text| text.strip_prefix("Basic "));
        let right = STANDARD.encode(format!("{}:{}", LOGIN.0, LOGIN.1));
        if login.is_some_and(|login| login != right) || self.is_locked.load(Ordering::SeqCst) {
            return ("401 Unauthorized", r#"{"details": "incorrect username or password"}"#.to_owned());
        }
        let user = if login.is_some() { LOGIN.0 } else { "" };
        let (service, scope) = (request.query("service"), request.query("scope"));
        let repository = scope.split(':').nth(1).unwrap_or_default();
        let is_open = repository.starts_with("public/") || login.is_some();
        let access = if is_open { json!([access(repository, &["pull"])]) } else { json!([]) };
        let mut state = self.state.lock().unwrap();
        let token = token(state.tokens.len() + 1, user, &access);
        state.tokens.push((token.clone(), 0));
        state.given.push(Given { service, scope: scope.clone(), user: user.to_owned() });
        ("200 OK", json!({"token": token, "expires_in": 300}).to_string())
    }

    /// Asks the registry, and sends what it answers.
    fn forward(&self, request: &Request, to: &mut impl Write) -> io::Result<Sent> {
        let shown = request.header("authorization").and_then(|text| text.strip_prefix("Bearer ")).map(str::to_owned);
        let verdict = shown.as_ref().and_then(|token| self.judge(&request.target, token));
        let is_dead = matches!(verdict, Some(Verdict::Dead | Verdict::LockedOut));
        if matches!(verdict, Some(Verdict::LockedOut)) {
            self.is_locked.store(true, Ordering::SeqCst);
        }
        let mut head = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", request.method, request.target);
        for (name, value) in &request.headers {
            if !["connection", "authorization"].contains(&name.to_ascii_lowercase().as_str()) {
                head += &format!("{name}: {value}\r\n");
            }
        }
        if let Some(token) = shown {
            // What isn't signed any more.
            let token = if is_dead { token.rsplit_once('.').unwrap().0.to_owned() + ".AAAA" } else { token };
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        let mut registry = TcpStream::connect(&self.address)?;
        registry.write_all(format!("{head}\r\n").as_bytes())?;
        let (most, sent) = match verdict {
            Some(Verdict::CutAfter(bytes)) => (bytes, Sent::Part),
            _ => (u64::MAX, Sent::All),
        };
        io::copy(&mut registry.take(most), to)?;
        to.flush()?;
        Ok(sent)
    }

    /// `None`: the token is none of ours.
    fn judge(&self, path: &str, shown: &str) -> Option<Verdict> {
        let mut state = self.state.lock().unwrap();
        let at = state.tokens.iter().position(|(token, _)| token == shown)?;
        state.tokens[at].1 += 1;
        let before = state.paths.get(path).copied().unwrap_or_default();
        let one = Use { path: path.to_owned(), token: at + 1, times: state.tokens[at].1, before };
        let verdict = (self.rule)(&one);
        if matches!(verdict, Verdict::Good | Verdict::CutAfter(_)) {
            *state.paths.entry(one.path).or_default() += 1;
        }
        Some(verdict)
    }
}

impl Request {
    fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
    }

    /// A value of the query, decoded.
    fn query(&self, wanted: &str) -> String {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let found = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == wanted);
        let mut parts = found.map_or("", |(_, value)| value).split('%');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            text.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
            text += &part[2..];
        }
        text
    }
}

fn read(stream: &mut impl BufRead) -> io::Result<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.by_ref().take(1 << 16).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines[0].split(' ').map(str::to_owned);
    let [method, target] = [(); 2].map(|()| words.next().unwrap_or_default());
    let header = |line: &String| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    Ok(Request { method, target, headers: lines[1..].iter().filter_map(header).collect() })
}

fn access(repository: &str, actions: &[&str]) -> Value {
    json!({"type": "repository", "name": repository, "actions": actions})
}

/// A JSON Web Token by the key of the tests' server, whose certificate is the authority's.
fn token(number: usize, user: &str, access: &Value) -> String {
    let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap() else {
        unreachable!("the key is PKCS #8")
    };
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_pkcs8_der(), &random).unwrap();
    let certificate = CertificateDer::from_pem_file(fixture("server.cert")).unwrap();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let head = json!({"typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(certificate)]});
    let claims = json!({
        "iss": NAME, "aud": NAME, "sub": user, "jti": number.to_string(), "access": access,
        "iat": now, "nbf": now - 60, "exp": now + 3600,
    });
    let text = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let signature = key.sign(&random, text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn tls() -> Arc<ServerConfig> {
    let certificates = CertificateDer::pem_file_iter(fixture("server.cert")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(certificates, key).unwrap())
}
