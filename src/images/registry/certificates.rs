//! Certificates: of the authorities that this box trusts, and those for single registries (containers-certs.d(5)).

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PemItem, parse_pem};

use super::error::Cause;
use super::options::Options;

type Certificates = Vec<Certificate<'static>>;

/// The certificates of the authorities that this box trusts.
pub(super) fn of_this_box(options: &Options) -> Result<Certificates, Cause> {
    let read = |path: &PathBuf| read(path).map(|items| certificates(&items)).unwrap_or_default();
    let found = options.root_files.iter().map(read).find(|found| !found.is_empty());
    let found = found.unwrap_or_else(|| {
        options.root_folders.iter().flat_map(|folder| listed(folder)).flat_map(|path| read(&path)).collect()
    });
    if found.is_empty() {
        let looked = options.root_files.iter().chain(&options.root_folders);
        let looked = looked.map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(Cause::NoAuthorities { looked });
    }
    Ok(found)
}

/// What there is for one registry.
#[derive(Default)]
pub(super) struct ForHost {
    pub authorities: Certificates,
    /// What we show of ourselves.
    pub client: Option<ClientCert>,
}

/// `host`: HOST or HOST:PORT.
pub(super) fn for_host(folders: &[PathBuf], host: &str, provider: &CryptoProvider) -> Result<ForHost, Cause> {
    let mut all = ForHost::default();
    if host.starts_with('.') || host.contains('/') {
        return Ok(all);
    }
    for path in folders.iter().flat_map(|folder| listed(&folder.join(host))) {
        match path.extension().and_then(OsStr::to_str) {
            Some("crt") => {
                let found = certificates(&read(&path)?);
                if found.is_empty() {
                    return Err(unusable(&path, "there is no certificate in it"));
                }
                all.authorities.extend(found);
            }
            Some("cert") if all.client.is_none() => all.client = Some(pair(&path, provider)?),
            _ => {}
        }
    }
    Ok(all)
}

/// A certificate and its key, which is beside it.
fn pair(path: &Path, provider: &CryptoProvider) -> Result<ClientCert, Cause> {
    let chain = certificates(&read(path)?);
    if chain.is_empty() {
        return Err(unusable(path, "there is no certificate in it"));
    }
    let key_path = path.with_extension("key");
    let items = read(&key_path)?;
    let key = items.into_iter().find_map(|item| if let PemItem::PrivateKey(key) = item { Some(key) } else { None });
    let key = key.ok_or_else(|| unusable(&key_path, "there is no private key in it"))?;
    // The library panics where they don't fit.
    let ders = chain.iter().map(|one| CertificateDer::from(one.der().to_vec())).collect();
    let der = PrivateKeyDer::try_from(key.der().to_vec()).map_err(|cause| unusable(&key_path, cause))?;
    CertifiedKey::from_der(ders, der, provider).map_err(|cause| unusable(&key_path, &cause.to_string()))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// The files of a folder, by name; none if it isn't there, or is others'.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    all.sort();
    all
}

fn read(path: &Path) -> Result<Vec<PemItem<'static>>, Cause> {
    let text = std::fs::read(path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => unusable(path, "there is no such file"),
        _ => unusable(path, &cause.to_string()),
    })?;
    // Whatever else is in such a file is skipped, as everybody does.
    Ok(parse_pem(&text).filter_map(Result::ok).collect())
}

fn certificates(items: &[PemItem<'static>]) -> Certificates {
    let one = |item: &PemItem<'static>| if let PemItem::Certificate(one) = item { Some(one.clone()) } else { None };
    items.iter().filter_map(one).collect()
}

fn unusable(path: &Path, cause: &str) -> Cause {
    Cause::CertificateFile { path: path.to_owned(), cause: cause.to_owned() }
}
