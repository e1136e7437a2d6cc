//! How hosts of registries are looked up: by this box's files and DNS servers. glibc's resolver can't be linked statically.

use std::fmt;
use std::net::SocketAddr;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::runtime::names::{Families, Files, look_up};

/// The most addresses of a host that are tried.
const MOST: usize = 8;

/// Reads the files anew for each look-up, as they change.
#[derive(Debug)]
pub(super) struct Hosts;

/// Why a host has no address.
#[derive(Debug)]
pub(super) struct NoHost(pub String);

impl fmt::Display for NoHost {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl std::error::Error for NoHost {}

impl Resolver for Hosts {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        let port = uri.port_u16().unwrap_or(usual);
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let (hosts, resolv_conf) = ([text("/etc/hosts")], text("/etc/resolv.conf"));
        let found = look_up(host, Files { hosts: &hosts, resolv_conf: &resolv_conf }, Families::Both)
            .map_err(|cause| ureq::Error::Other(Box::new(NoHost(cause))))?;
        let mut all = self.empty();
        for address in found.into_iter().take(MOST) {
            all.push(SocketAddr::new(address, port));
        }
        Ok(all)
    }
}
