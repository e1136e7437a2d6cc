//! What a policy wants of the images of a scope.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::error::TrustError;
use super::file;
use super::identity::Identity;
use super::key::Key;
use super::subject::Subject;
use crate::images::reference::Reference;

/// Bytes of a file with a key.
const LARGEST_KEY: u64 = 64 << 10;

/// All that must hold for an image.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The policy's file.
    pub(super) path: PathBuf,
    /// Each wants a signature of its own.
    pub(super) signed: Vec<Signed>,
}

/// A signature that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    /// Where in the file.
    pub place: String,
    /// One of them has signed.
    pub keys: Vec<Key>,
    /// The name that was asked for.
    pub image: Reference,
    /// `None`: the file is silent.
    pub identity: Option<Identity>,
}

impl Rules {
    /// Reads those of a scope.
    pub(super) fn read(path: &Path, place: &str, value: &Value, image: &Subject) -> Result<Self, TrustError> {
        let file = File { path };
        let all = value.as_array().filter(|all| !all.is_empty());
        let all =
            all.ok_or_else(|| file.wrong(place, "a list of requirements is wanted, and an empty one says nothing"))?;
        let mut signed = Vec::new();
        for (at, one) in all.iter().enumerate() {
            let place = format!("{place}[{at}]");
            let map = one.as_object().ok_or_else(|| file.wrong(&place, "no object"))?;
            let kind = file.text(&place, map, "type")?;
            match kind {
                "insecureAcceptAnything" => file.only(&place, map, &["type"])?,
                "reject" => return Err(TrustError::Rejected { path: path.to_owned(), place }),
                "sigstoreSigned" => match image {
                    Subject::Registry(image) => signed.push(file.signed(place, map, image)?),
                    Subject::File { .. } => return Err(TrustError::NoRegistry { path: path.to_owned(), place }),
                },
                "signedBy" => {
                    return Err(file.wrong(&place, "signedBy: signatures by GPG are not supported; sigstoreSigned is"));
                }
                _ => {
                    let fault = format!(
                        "type {kind:?} is not supported; insecureAcceptAnything, reject and sigstoreSigned are"
                    );
                    return Err(file.wrong(&place, &fault));
                }
            }
        }
        Ok(Self { path: path.to_owned(), signed })
    }
}

/// The policy's file, for errors.
struct File<'a> {
    path: &'a Path,
}

impl File<'_> {
    fn wrong(&self, place: &str, fault: &str) -> TrustError {
        TrustError::Policy { path: self.path.to_owned(), place: place.to_owned(), fault: fault.to_owned() }
    }

    fn text<'a>(&self, place: &str, map: &'a Map<String, Value>, name: &str) -> Result<&'a str, TrustError> {
        let text = map.get(name).and_then(Value::as_str);
        text.ok_or_else(|| self.wrong(place, &format!("{name:?}: a string is wanted")))
    }

    /// What isn't known may be what somebody relies on.
    fn only(&self, place: &str, map: &Map<String, Value>, known: &[&str]) -> Result<(), TrustError> {
        match map.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let advice = match name.as_str() {
                    "fulcio" | "pki" => ": keyless signatures (certificates) are not supported, signatures by keys are",
                    "rekorPublicKeyPath" | "rekorPublicKeyPaths" | "rekorPublicKeyData" | "rekorPublicKeyDatas" => {
                        ": transparency logs are not supported"
                    }
                    _ => "",
                };
                Err(self.wrong(place, &format!("{name:?} is not supported{advice}")))
            }
        }
    }

    fn signed(&self, place: String, map: &Map<String, Value>, image: &Reference) -> Result<Signed, TrustError> {
        self.only(&place, map, &["type", "keyPath", "keyPaths", "keyData", "keyDatas", "signedIdentity"])?;
        let mut named =
            ["keyPath", "keyPaths", "keyData", "keyDatas"].into_iter().filter_map(|name| Some((name, map.get(name)?)));
        let (Some((name, value)), None) = (named.next(), named.next()) else {
            return Err(self.wrong(&place, "exactly one of keyPath, keyPaths, keyData and keyDatas is wanted"));
        };
        let texts = match value {
            Value::Array(all) if !all.is_empty() && name.ends_with('s') => all.iter().map(Value::as_str).collect(),
            Value::String(one) if !name.ends_with('s') => Some(vec![one.as_str()]),
            _ => None,
        };
        let texts = texts
            .ok_or_else(|| self.wrong(&place, &format!("{name}: strings are wanted, keyPath and keyData have one")))?;
        let key = |text: &str| {
            let pem = if name.starts_with("keyPath") {
                // Whoever reads it may be in another folder than who wrote it.
                if !Path::new(text).is_absolute() {
                    return Err(format!("{name} {text}: it must be an absolute path"));
                }
                file::read(Path::new(text), LARGEST_KEY).map_err(|cause| format!("{name} {text}: {cause}"))?
            } else {
                STANDARD.decode(text).map_err(|_| format!("{name}: it is no base64"))?
            };
            Key::read(&pem).map_err(|fault| match name.starts_with("keyPath") {
                true => format!("{name} {text}: {fault}"),
                false => format!("{name}: {fault}"),
            })
        };
        let keys: Result<Vec<Key>, String> = texts.into_iter().map(key).collect();
        let keys = keys.map_err(|fault| self.wrong(&place, &fault))?;
        let identity = map.get("signedIdentity").map(|value| self.identity(&format!("{place}.signedIdentity"), value));
        Ok(Signed { keys, image: image.clone(), identity: identity.transpose()?, place })
    }

    fn identity(&self, place: &str, value: &Value) -> Result<Identity, TrustError> {
        let map = value.as_object().ok_or_else(|| self.wrong(place, "no object"))?;
        let text = |name: &str| self.text(place, map, name).map(str::to_owned);
        let kind = self.text(place, map, "type")?;
        let (identity, known): (Identity, &[&str]) = match kind {
            "matchExact" => (Identity::MatchExact, &["type"]),
            "matchRepoDigestOrExact" => (Identity::MatchRepoDigestOrExact, &["type"]),
            "matchRepository" => (Identity::MatchRepository, &["type"]),
            "exactReference" => (Identity::ExactReference(text("dockerReference")?), &["type", "dockerReference"]),
            "exactRepository" => (Identity::ExactRepository(text("dockerRepository")?), &["type", "dockerRepository"]),
            "remapIdentity" => {
                let (prefix, signed_prefix) = (text("prefix")?, text("signedPrefix")?);
                (Identity::Remap { prefix, signed_prefix }, &["type", "prefix", "signedPrefix"])
            }
            _ => return Err(self.wrong(place, &format!("type {kind:?} is not supported"))),
        };
        self.only(place, map, known)?;
        Ok(identity)
    }
}
