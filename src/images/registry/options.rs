//! What a client may be told about its surroundings.

use std::path::PathBuf;
use std::time::Duration;

use super::proxies::Proxies;
use super::retry::Retries;

/// Where the certificates of authorities that a box trusts are, as systems have them: the first file that is there counts.
const ROOT_FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Where they are one by one, if there is no such file.
const ROOT_FOLDERS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];
/// Folders with certificates for single registries, in folders of their names.
const HOST_FOLDERS: [&str; 2] = ["/etc/containers/certs.d", "/etc/docker/certs.d"];

/// How large blobs are cut into parts, several of which come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// A smaller one comes in one piece.
    pub large: u64,
    /// Bytes of a part.
    pub part: u64,
}

impl Default for Cut {
    fn default() -> Self {
        Self { large: 64 << 20, part: 4 << 20 }
    }
}

/// What a client may be told about its surroundings.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files with certificates of authorities; the first that has any counts.
    pub root_files: Vec<PathBuf>,
    /// Folders of such files, looked at if no file has any.
    pub root_folders: Vec<PathBuf>,
    /// Folders with HOST[:PORT]/{*.crt, NAME.cert, NAME.key} (containers-certs.d(5)).
    pub host_folders: Vec<PathBuf>,
    pub proxies: Proxies,
    /// So long nothing may come, or go out, before a connection counts as broken.
    pub stall: Duration,
    /// So long a connection may take, TLS included.
    pub connect: Duration,
    pub retries: Retries,
    pub cut: Cut,
}

impl Options {
    /// By this environment, which says where proxies are (`HTTPS_PROXY` ...), and where certificates (`SSL_CERT_FILE`,
    /// `SSL_CERT_DIR`).
    #[must_use]
    pub fn new(environment: impl Fn(&str) -> Option<String>) -> Self {
        let paths = |all: &[&str]| all.iter().map(PathBuf::from).collect::<Vec<_>>();
        let set = |name: &str| environment(name).filter(|text| !text.is_empty());
        let given = (set("SSL_CERT_FILE"), set("SSL_CERT_DIR"));
        let root_files = match &given {
            (Some(file), _) => vec![PathBuf::from(file)],
            (None, Some(_)) => Vec::new(),
            (None, None) => paths(&ROOT_FILES),
        };
        let root_folders = match given.1 {
            Some(folders) => folders.split(':').map(PathBuf::from).collect(),
            None => paths(&ROOT_FOLDERS),
        };
        let mut host_folders = paths(&HOST_FOLDERS);
        let home =
            set("XDG_CONFIG_HOME").map(PathBuf::from).or(set("HOME").map(|home| PathBuf::from(home).join(".config")));
        if let Some(config) = home {
            host_folders.insert(0, config.join("containers/certs.d"));
        }
        Self {
            root_files,
            root_folders,
            host_folders,
            proxies: Proxies::new(set),
            stall: Duration::from_secs(30),
            connect: Duration::from_secs(30),
            retries: Retries::default(),
            cut: Cut::default(),
        }
    }
}
