//! Which registry, or which mirror of it, is asked for an image: registries.conf and registries.conf.d
//! (containers-registries.conf(5), version 2), as podman, skopeo and CRI-O read them.
//!
//! A short name (`nginx`) is Docker Hub's, as the kubelet has it, unless an alias says otherwise.
//! `unqualified-search-registries` and `short-name-mode` are not used: what an image is can't depend on who answers first.
//! Neither are `credential-helpers`, which are `credentials`' own business. Unknown keys are skipped, as later versions have
//! more of them.

mod error;
mod file;
mod prefix;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::reference::{NoReference, Reference};
use super::registry::Transport;
pub use error::RegistriesError;
use file::{Entry, Mirror, When};

const SYSTEM: &str = "/etc/containers";
const NAME: &str = "registries.conf";
const FOLDER: &str = "registries.conf.d";

/// What is known of registries.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    entries: Vec<Entry>,
    aliases: BTreeMap<String, String>,
}

/// Where an image may be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The same tag and digest, in the place that is to be asked.
    pub reference: Reference,
    pub transport: Transport,
    /// It stands in for the registry that the image's name has.
    pub is_mirror: bool,
}

impl Registries {
    /// What this box's files say: those of `$CONTAINERS_REGISTRIES_CONF`, or of the user, or of the system, and below them of
    /// the system's folder and the user's, by their names; the last one counts.
    ///
    /// # Errors
    /// Where one can't be read, or says what can't be.
    pub fn of_this_box(environment: impl Fn(&str) -> Option<String>) -> Result<Self, RegistriesError> {
        Self::below(Path::new(SYSTEM), environment)
    }

    fn below(system: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Self, RegistriesError> {
        let set = |name: &str| environment(name).filter(|text| !text.is_empty()).map(PathBuf::from);
        let mut all = Self::default();
        if let Some(path) = set("CONTAINERS_REGISTRIES_CONF") {
            let text = read(&path)?.ok_or_else(|| RegistriesError::Absent { path: path.clone() })?;
            all.add(&text, &path)?;
            return Ok(all);
        }
        let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
        let user = config.map(|config| config.join("containers"));
        let main = user.iter().map(PathBuf::as_path).chain([system]).map(|folder| folder.join(NAME));
        for path in main {
            if let Some(text) = read(&path)? {
                all.add(&text, &path)?;
                break;
            }
        }
        for folder in [system].into_iter().chain(user.as_deref()) {
            for path in listed(&folder.join(FOLDER))? {
                if let Some(text) = read(&path)? {
                    all.add(&text, &path)?;
                }
            }
        }
        Ok(all)
    }

    /// Adds what a file says; it counts more than those before it.
    fn add(&mut self, text: &str, path: &Path) -> Result<(), RegistriesError> {
        let file = file::read(text, path)?;
        for entry in file.entries {
            self.entries.retain(|known| known.usual != entry.usual);
            self.entries.push(entry);
        }
        for (name, full) in file.aliases {
            // An empty one takes an earlier one back.
            if full.is_empty() {
                self.aliases.remove(&name);
            } else {
                self.aliases.insert(name, full);
            }
        }
        Ok(())
    }

    /// The full name of what a manifest or a person calls an image.
    ///
    /// # Errors
    /// Where it is no name.
    pub fn name(&self, text: &str) -> Result<Reference, NoReference> {
        let alias = Reference::short_name(text).and_then(|short| Some((short, self.aliases.get(short)?)));
        match alias {
            Some((short, full)) => format!("{full}{}", &text[short.len()..])
                .parse()
                .map_err(|cause: NoReference| NoReference { text: text.to_owned(), ..cause }),
            None => text.parse(),
        }
    }

    /// Where an image may be had, in the order in which it is asked for: mirrors, then the registry itself.
    ///
    /// # Errors
    /// Where the registry is blocked.
    pub fn sources(&self, reference: &Reference) -> Result<Vec<Source>, RegistriesError> {
        // What is blocked isn't to be had under another spelling of its registry's name.
        let name = reference.usual().name();
        let length = |entry: &Entry| prefix::matched(&entry.usual, &name);
        let suiting = self.entries.iter().filter_map(|entry| Some((length(entry)?, entry)));
        let found = suiting.max_by_key(|(_, entry)| entry.usual.len());
        let Some((length, entry)) = found else {
            let reference = reference.clone();
            return Ok(vec![Source { reference, transport: Transport::Verified, is_mirror: false }]);
        };
        if entry.is_blocked {
            return Err(RegistriesError::Blocked { name, prefix: entry.prefix.clone(), path: entry.path.clone() });
        }
        let moved = |location: &str, transport: Transport, is_mirror: bool| {
            let to = format!("{location}{}", &name[length..]);
            let reference = reference.moved_to(&to).map_err(|cause| RegistriesError::Location {
                path: entry.path.clone(),
                location: location.to_owned(),
                cause,
            })?;
            Ok(Source { reference, transport, is_mirror })
        };
        let is_digest = reference.digest().is_some();
        let counts = |mirror: &&Mirror| match mirror.when {
            When::Always => true,
            When::Digest => is_digest,
            When::Tag => !is_digest,
        };
        let mirrors = entry.mirrors.iter().filter(counts);
        let mut all: Vec<Source> =
            mirrors.map(|mirror| moved(&mirror.location, mirror.transport, true)).collect::<Result<_, _>>()?;
        all.push(match &entry.location {
            Some(location) => moved(location, entry.transport, false)?,
            None => Source { reference: reference.clone(), transport: entry.transport, is_mirror: false },
        });
        Ok(all)
    }
}

/// `None`: there is no such file.
fn read(path: &Path) -> Result<Option<String>, RegistriesError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if is_absent(&cause) => Ok(None),
        Err(cause) => Err(RegistriesError::Read { path: path.to_owned(), cause }),
    }
}

/// The files of a folder that count, by their names.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, RegistriesError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if is_absent(&cause) => return Ok(Vec::new()),
        Err(cause) => return Err(RegistriesError::Read { path: folder.to_owned(), cause }),
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut all: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
    all.sort();
    Ok(all)
}

fn is_absent(cause: &std::io::Error) -> bool {
    matches!(cause.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;
