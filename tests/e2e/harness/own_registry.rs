//! A registry for tests: an OCI layout in a folder, over HTTP in clear text, with logins by name and password.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Case;

/// What was asked of it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `GET`, `HEAD`.
    pub method: String,
    /// `/v2/team/app/manifests/1.0`
    pub path: String,
    /// The login, as USER:PASSWORD.
    pub login: String,
    /// Header `Range`.
    pub range: String,
}

/// Who may read what.
#[derive(Clone, Debug, Default)]
struct Rules {
    /// USER:PASSWORD; none: everybody.
    login: Option<String>,
}

/// It ends with the test's process.
pub struct Registry {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Words that were in the arguments of any process while something was asked.
    overheard: Arc<Mutex<BTreeSet<String>>>,
}

impl Registry {
    /// One that anybody reads. A tag is the name of an image in the layout, whatever the repository.
    pub fn open(layout: &Path) -> Self {
        Self::start(layout, Rules::default())
    }

    /// One that is read with this login alone.
    pub fn closed(layout: &Path, user: &str, password: &str) -> Self {
        Self::start(layout, Rules { login: Some(format!("{user}:{password}")) })
    }

    fn start(layout: &Path, rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry =
            Self { port: listener.local_addr().unwrap().port(), asked: Arc::default(), overheard: Arc::default() };
        let (layout, asked, overheard) = (layout.to_owned(), registry.asked.clone(), registry.overheard.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (layout, rules, asked, overheard) =
                    (layout.clone(), rules.clone(), asked.clone(), overheard.clone());
                std::thread::spawn(move || serve(stream, &layout, &rules, &asked, &overheard));
            }
        });
        registry
    }

    /// HOST:PORT/REPOSITORY:TAG
    pub fn image(&self, repository: &str, tag: &str) -> String {
        format!("{}/{repository}:{tag}", self.host())
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// All that was asked so far, but for how it is spoken to.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|one| one.path != "/v2/").cloned().collect()
    }

    /// Passwords that were to be seen in arguments of processes.
    pub fn overheard(&self) -> Vec<String> {
        self.overheard.lock().unwrap().iter().cloned().collect()
    }

    /// A command of this case that reaches it, and has no logins of this box.
    pub fn command(&self, case: &Case, args: &[&str]) -> Command {
        let file = case.dir().join("registries.conf");
        fs::write(&file, format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", self.host())).unwrap();
        let mut command = case.command(args);
        command.env("CONTAINERS_REGISTRIES_CONF", file).env("HOME", case.dir()).env("NO_PROXY", "127.0.0.1");
        for name in ["REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"] {
            command.env_remove(name);
        }
        command
    }
}

/// A file of logins as podman and docker write it; of each a key, user and password.
pub fn logins(all: &[(&str, &str, &str)]) -> String {
    let entry = |(key, user, password): &(&str, &str, &str)| {
        ((*key).to_owned(), serde_json::json!({"auth": STANDARD.encode(format!("{user}:{password}"))}))
    };
    let auths: serde_json::Map<String, Value> = all.iter().map(entry).collect();
    serde_json::json!({"auths": auths}).to_string()
}

fn serve(
    stream: TcpStream,
    layout: &Path,
    rules: &Rules,
    asked: &Mutex<Vec<Asked>>,
    overheard: &Mutex<BTreeSet<String>>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    // Who begins to speak TLS hears that nobody does here.
    if stream.fill_buf()?.first() == Some(&0x16) {
        return stream
            .get_mut()
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let Some(request) = read(&mut stream)? else { return Ok(()) };
    if let Some((_, password)) = request.login.split_once(':').filter(|_| is_in_arguments(&request.login)) {
        overheard.lock().unwrap().insert(password.to_owned());
    }
    let is_let_in = rules.login.as_ref().is_none_or(|wanted| *wanted == request.login);
    asked.lock().unwrap().push(request.clone());
    let content = content(layout, &request.path);
    let stream = stream.get_mut();
    match content {
        _ if !is_let_in => {
            let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"tests\"\r\n";
            stream.write_all(format!("{answer}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())
        }
        None => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        Some((kind, bytes)) => answer(stream, &request, &kind, &bytes),
    }
}

fn answer(stream: &mut TcpStream, request: &Asked, kind: &str, bytes: &[u8]) -> io::Result<()> {
    let digest = barepod::images::digest::Digest::of(bytes);
    let range = request.range.strip_prefix("bytes=").and_then(|text| text.split_once('-'));
    let (status, sent, more) = match range {
        None => ("200 OK", bytes, String::new()),
        Some((first, last)) => {
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            let more = format!("Content-Range: bytes {first}-{last}/{}\r\n", bytes.len());
            ("206 Partial Content", &bytes[first..=last], more)
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nDocker-Content-Digest: {digest}\r\n{more}Content-Length: {}\r\n\
         Connection: close\r\n\r\n",
        sent.len()
    );
    stream.write_all(head.as_bytes())?;
    if request.method == "HEAD" { Ok(()) } else { stream.write_all(sent) }
}

/// With its media type.
fn content(layout: &Path, path: &str) -> Option<(String, Vec<u8>)> {
    let blob = |digest: &str| fs::read(layout.join("blobs/sha256").join(digest.strip_prefix("sha256:")?)).ok();
    if path == "/v2/" {
        return Some(("application/json".to_owned(), b"{}".to_vec()));
    }
    if let Some((_, digest)) = path.split_once("/blobs/") {
        return Some(("application/octet-stream".to_owned(), blob(digest)?));
    }
    let (_, wanted) = path.split_once("/manifests/")?;
    let kind = "application/vnd.oci.image.manifest.v1+json".to_owned();
    if wanted.starts_with("sha256:") {
        return Some((kind, blob(wanted)?));
    }
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).ok()?).ok()?;
    let named = |one: &&Value| one["annotations"]["org.opencontainers.image.ref.name"] == wanted;
    let found = index["manifests"].as_array()?.iter().find(named)?;
    Some((kind, blob(found["digest"].as_str()?)?))
}

fn read(stream: &mut impl BufRead) -> io::Result<Option<Asked>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.by_ref().take(1 << 16).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let find = |line: &String| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        lines.iter().find_map(find).unwrap_or_default()
    };
    let login = header("authorization");
    let login = login.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let mut words = lines[0].split(' ').map(str::to_owned);
    Ok(Some(Asked {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        login: String::from_utf8(login).unwrap_or_default(),
        range: header("range"),
    }))
}

/// Whether a password, plain or as headers have it, is in the arguments of a process.
fn is_in_arguments(login: &str) -> bool {
    let words = [login.split(':').nth(1).unwrap_or_default().to_owned(), STANDARD.encode(login)];
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|one| one.path().join("cmdline"));
    processes.filter_map(|path: PathBuf| fs::read(path).ok()).any(|line| {
        let line = String::from_utf8_lossy(&line);
        words.iter().any(|word| line.contains(word.as_str()))
    })
}
