//! Images in registries.

mod signatures;

use std::io::Read;
use std::sync::OnceLock;

use super::credentials::Credentials;
use super::digest::Digest;
use super::document::{ACCEPTED, Descriptor, Fetched, Layer};
use super::origin::{Origin, OriginError, Scheme, Signature};
use super::reference::{NoReference, Reference};
use super::registries_conf::Registries;
use super::registry::{Client, Options, RegistryError, Repository};

/// One image of a registry.
pub struct Remote {
    client: Client,
    /// Where it may be, as whom: mirrors first, then the registry itself, each by its logins, the best first.
    doors: Vec<(Repository, Reference)>,
    /// The one that opened.
    open: OnceLock<usize>,
}

impl Remote {
    /// The one that a manifest or a person calls so, as this box's files and this process' environment say how registries
    /// are reached; `credentials`: as whom.
    ///
    /// # Errors
    /// Where it is no name; where one of the files can't be read; where the registry is blocked.
    pub fn new(name: &str, credentials: &Credentials) -> Result<Self, OriginError> {
        let set = |name: &str| std::env::var(name).ok();
        let registries = Registries::of_this_box(set)?;
        let mut doors = Vec::new();
        for source in registries.sources(&registries.name(name)?)? {
            let mut repository = Repository::of(&source.reference);
            repository.transport = source.transport;
            let logins = credentials.find(source.reference.registry(), source.reference.repository())?;
            let all = logins.into_iter().map(Some);
            for login in if all.len() == 0 { vec![None] } else { all.collect() } {
                doors.push((Repository { login, ..repository.clone() }, source.reference.clone()));
            }
        }
        Ok(Self::by(Client::new(Options::new(set)), doors))
    }

    pub(super) fn by(client: Client, doors: Vec<(Repository, Reference)>) -> Self {
        Self { client, doors, open: OnceLock::new() }
    }

    /// The repository that has it.
    fn repository(&self) -> Result<&Repository, OriginError> {
        let (repository, _) = self.doors.get(*self.open.get_or_init(|| 0)).ok_or("it has no registry")?;
        Ok(repository)
    }
}

/// The full name of what a manifest or a person calls an image; aliases of this box count.
///
/// # Errors
/// Where it is none. Files that can't be read are told of when it is pulled.
pub fn full_name(name: &str) -> Result<Reference, NoReference> {
    Registries::of_this_box(|name| std::env::var(name).ok()).unwrap_or_default().name(name)
}

impl Origin for Remote {
    fn digest(&self) -> Result<Option<Digest>, OriginError> {
        let (mut has_answered, mut out_of_reach) = (false, None);
        for (repository, reference) in &self.doors {
            // What a digest leads to never changes.
            if let Some(digest) = reference.digest() {
                return Ok(Some(digest.clone()));
            }
            if out_of_reach.as_ref().is_some_and(|error: &RegistryError| error.repository == repository.name()) {
                continue;
            }
            match self.client.digest(repository, &reference.wanted(), &ACCEPTED) {
                Ok(Some(digest)) => return Ok(Some(digest)),
                Ok(None) => has_answered = true,
                Err(error) => out_of_reach = Some(error),
            }
        }
        match out_of_reach {
            Some(error) if !has_answered => Err(error.into()),
            Some(_) | None => Ok(None),
        }
    }

    fn top(&self) -> Result<Fetched, OriginError> {
        let mut refusals: Vec<String> = Vec::new();
        // Which can't be asked, whoever does.
        let mut out_of_reach: Option<String> = None;
        for (number, (repository, reference)) in self.doors.iter().enumerate() {
            if out_of_reach.as_ref() == Some(&repository.name()) {
                continue;
            }
            match self.client.manifest(repository, &reference.wanted(), &ACCEPTED) {
                Ok(found) => {
                    let _ = self.open.set(number);
                    return Ok(found);
                }
                Err(error) => {
                    out_of_reach = (!error.is_refusal()).then(|| repository.name());
                    refusals.push(error.to_string());
                }
            }
        }
        // What several logins are refused with is the same.
        refusals.dedup();
        Err(refusals.join("; ").into())
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OriginError> {
        let is_manifest = ACCEPTED.contains(&descriptor.media_type.as_str());
        if is_manifest {
            return Ok(self.client.manifest(self.repository()?, &descriptor.digest.to_string(), &ACCEPTED)?.bytes);
        }
        let mut bytes = Vec::new();
        self.client.blob(self.repository()?, &descriptor.digest, descriptor.length())?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn layer<'a>(&'a self, layer: &Layer) -> Result<Box<dyn Read + Send + 'a>, OriginError> {
        let repository = self.repository()?;
        // Those that may not be handed on are only elsewhere.
        match self.client.quickly(repository, &layer.digest, layer.size) {
            Ok(blob) => Ok(blob),
            Err(error) => match layer.urls.first() {
                Some(url) => Ok(Box::new(self.client.elsewhere(repository, url, layer.size)?)),
                None => Err(error.into()),
            },
        }
    }

    fn signatures(&self, of: &Digest, scheme: Scheme) -> Result<Vec<Signature>, OriginError> {
        self.find_signatures(of, scheme)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::images::document::{Document, Manifest};
    use crate::images::registry::tests::options;
    use crate::images::registry::tests::server::{Answer, Server};

    /// By its tag, from the index to a layer, each asked for where the distribution spec has it.
    #[test]
    fn an_image_comes_from_a_registry() {
        let (config, layer) = (r#"{"os": "linux"}"#, "a layer");
        let describe = |kind: &str, text: &str| json!({"mediaType": kind, "digest": Digest::of(text.as_bytes()), "size": text.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "config": describe("application/vnd.oci.image.config.v1+json", config),
            "layers": [describe("application/vnd.oci.image.layer.v1.tar", layer)],
        })
        .to_string();
        let index = json!({"schemaVersion": 2, "manifests": [describe(ACCEPTED[1], &manifest)]}).to_string();
        let (of_manifest, of_config, of_layer) =
            (Digest::of(manifest.as_bytes()), Digest::of(config.as_bytes()), Digest::of(layer.as_bytes()));
        let server = Server::tls(move |request| match request.path.strip_prefix("/v2/team/app/") {
            Some("manifests/1.0") => Answer::ok(&index).with("Content-Type", ACCEPTED[0]),
            Some(path) if path == format!("manifests/{of_manifest}") => {
                Answer::ok(&manifest).with("Content-Type", ACCEPTED[1])
            }
            Some(path) if path == format!("blobs/{of_config}") => Answer::ok(config),
            Some(path) if path == format!("blobs/{of_layer}") => Answer::ok(layer),
            _ => Answer::new(404, "{}"),
        });
        let reference: Reference = format!("{}/team/app:1.0", server.host()).parse().unwrap();
        // The first has nothing: a mirror.
        let mirror = Server::tls(|_| Answer::new(404, "{}"));
        let at = |host: String| format!("{host}/team/app:1.0").parse::<Reference>().unwrap();
        let doors = [at(mirror.host()), reference].map(|reference| (Repository::of(&reference), reference));
        let remote = Remote::by(Client::new(options()), doors.to_vec());
        let top = remote.top().unwrap();
        let Document::Index(found) = Document::read(&top.bytes, top.media_type.as_deref()).unwrap() else { panic!() };
        let found = Manifest::read(&remote.document(&found.manifests()[0]).unwrap()).unwrap();
        assert_eq!(remote.document(found.config()).unwrap(), config.as_bytes());
        let mut text = String::new();
        remote.layer(&found.layers()[0]).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, layer);
        let other: Reference = format!("{}/team/app:2.0", server.host()).parse().unwrap();
        let doors = vec![(Repository::of(&other), other)];
        let said = Remote::by(Client::new(options()), doors).top().unwrap_err().to_string();
        assert!(said.contains("team/app"), "{said}");
    }
}
