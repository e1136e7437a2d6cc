//! Brings an image into the box's store: what is missing of it, whatever place it comes from.
//!
//! Nothing of it is seen before all of it is on disk: layers are unpacked aside and get their places one by one, documents
//! follow, and the name comes last. Whoever is interrupted leaves layers that the next pull finds, and halves that it sweeps.

mod error;
mod fetch;
mod folders;
mod kept;
mod repair;
mod room;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use super::catalogue::{Entry, Lock, Naming, Stay, Summary};
use super::digest::Digest;
use super::document::{Config, Descriptor, Document, Fetched, Layer, Manifest, OCI_INDEX, OCI_MANIFEST};
use super::merged::Merged;
use super::origin::Origin;
use super::platform::Platform;
use super::progress::Progress;
use super::reference::Reference;
use super::store::Store;
use super::trust::Rules;

pub use error::{LayerFault, PullError};
pub use repair::{Open, Repaired};

/// How often an index leads to another.
const INDEXES: usize = 4;
/// Files of an image whose texts are kept, and the bytes that these may have.
const ACCOUNTS: [&str; 2] = ["etc/passwd", "etc/group"];
const LARGEST_ACCOUNTS: u64 = 4 << 20;

/// What came of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    pub entry: Entry,
    /// Whether something was brought; otherwise all was there.
    pub is_new: bool,
    /// Bytes of its layers, packed.
    pub size: u64,
    /// Images that had to go to make room for it.
    pub removed: Vec<String>,
}

impl Pulled {
    fn new(entry: Entry, is_new: bool, size: u64) -> Self {
        Self { entry, is_new, size, removed: Vec::new() }
    }
}

/// What is wanted of a pull.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// Under which name.
    pub name: &'a str,
    pub platform: &'a Platform,
    /// What isn't as they want it is not brought.
    pub rules: &'a Rules,
    pub stay: Stay,
}

/// An image's documents, as they were chosen.
struct Documents {
    /// What the name stands for.
    source: Digest,
    all: Vec<(Descriptor, Vec<u8>)>,
    of_manifest: Descriptor,
    manifest: Manifest,
    config: Config,
}

impl Documents {
    /// What may be signed: what the name stands for, and the manifest.
    fn signable(&self) -> Vec<(&Digest, &[u8])> {
        let of = |wanted: &Digest| {
            let found = self.all.iter().find(|(descriptor, _)| descriptor.digest == *wanted);
            found.map(|(descriptor, bytes)| (&descriptor.digest, bytes.as_slice()))
        };
        [&self.source, &self.of_manifest.digest].into_iter().filter_map(of).collect()
    }
}

/// What is asked of the disk before a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// That all will fit, as a rule.
    Likely,
    /// That nobody can tell that it won't.
    Possible,
}

/// A layer that an image needs.
pub(super) struct Needed {
    /// From 1 on, the lowest first.
    number: usize,
    layer: Layer,
    diff_id: Digest,
    /// Of it and all below it: what it is kept under where its folders depend on those. Never a diffID.
    own_id: Digest,
}

impl Needed {
    /// Under what these may be there.
    fn keys(all: &[Self]) -> Vec<Digest> {
        all.iter().flat_map(|one| [one.own_id.clone(), one.diff_id.clone()]).collect()
    }

    /// What is wrong with it, of so many.
    fn fault(&self, count: usize, cause: LayerFault) -> PullError {
        PullError::Layer { number: self.number, count, digest: self.layer.digest.clone(), cause }
    }
}

impl Store {
    /// Brings what `origin` has. Where all of it is there, nothing but documents and signatures is asked for. How far it is can be
    /// read from `progress` meanwhile. What hasn't the name's digest isn't brought. Where there is no room for it, images go that
    /// nobody has used for long.
    ///
    /// # Errors
    /// Where it can't be had or kept. What is there under this name stays.
    pub fn pull(&self, wish: &Wish<'_>, origin: &dyn Origin, progress: &Progress) -> Result<Pulled, PullError> {
        self.with_room(wish.name, |asked| self.try_pull(wish, origin, progress, asked))
    }

    fn try_pull(
        &self,
        wish: &Wish<'_>,
        origin: &dyn Origin,
        progress: &Progress,
        asked: Asked,
    ) -> Result<Pulled, PullError> {
        let Wish { name, platform, rules, stay } = *wish;
        let _pulling = self.turns.pulling().map_err(failed("flock", &self.dir))?;
        // Another pull of the same name is waited for, and leaves nothing to be done.
        let _own = self.turns.of(name).map_err(failed("fcntl", &self.dir))?;
        if let Some(pulled) = self.unchanged(wish, origin)? {
            self.catalogue.note_use(&pulled.entry.manifest);
            return self.stays(pulled, stay);
        }
        let documents = choose(origin, platform)?;
        check_pin(name, &documents)?;
        let needed = needed(&documents.manifest, &documents.config);
        let proofs = rules.check(origin, &documents.signable())?;
        let size = documents.manifest.size();
        if let Some(entry) = self.catalogue.find(name)?
            && (&entry.source, &entry.manifest) == (&documents.source, &documents.of_manifest.digest)
            && proofs.iter().all(|proof| entry.proofs.contains(proof))
            && self.is_whole(&entry)
        {
            // Of these containers need the config alone: others may be damaged.
            self.keep(&self.catalogue.lock()?, &documents)?;
            self.catalogue.note_use(&entry.manifest);
            return self.stays(Pulled::new(entry, false, size), stay);
        }
        // What is there of it under another name has leases of pods, perhaps: it stays what it is.
        let summary = match self.whole_summary(&documents.of_manifest.digest) {
            Some(summary) => {
                self.catalogue.note_use(&documents.of_manifest.digest);
                summary
            }
            None => {
                // What others left who died is no good to anybody, and may be what takes the room.
                let _ = self.layers.sweep_halves();
                progress.begin(needed.iter().map(|one| (&one.layer.digest, one.layer.size)));
                let disk = self.check_room(&needed, asked)?;
                let mut layers = self
                    .bring(origin, &needed, progress)
                    .map_err(|cause| cause.in_the_middle(disk, Needed::keys(&needed)))?;
                self.cut(&mut layers)?;
                let accounts = self.accounts(&layers)?;
                Summary::new(documents.manifest.config().digest.clone(), layers, size, accounts)
            }
        };
        let lock = self.catalogue.lock()?;
        self.keep(&lock, &documents)?;
        let (manifest, source) = (&documents.of_manifest, &documents.source);
        let entry = self.catalogue.name(&lock, &Naming { name, manifest, source, proofs: &proofs, stay }, &summary)?;
        Ok(Pulled::new(entry, true, size))
    }

    /// Of what is there: it stays as long as it is to stay now.
    fn stays(&self, mut pulled: Pulled, stay: Stay) -> Result<Pulled, PullError> {
        match stay {
            Stay::AsBefore => {}
            // What a store below has goes by nobody's will.
            Stay::ForGood if pulled.entry.read_only.is_some() => {}
            Stay::ForGood => {
                self.catalogue.keep_for_good(&self.catalogue.lock()?, &pulled.entry.name)?;
                pulled.entry = self.catalogue.find(&pulled.entry.name)?.ok_or(PullError::Gone)?;
            }
        }
        Ok(pulled)
    }

    /// What is there under this name, where it is whole, the one for this platform, and still what the name stands for: that costs its
    /// source one question about a digest. `None`: it may be another.
    fn unchanged(&self, wish: &Wish<'_>, origin: &dyn Origin) -> Result<Option<Pulled>, PullError> {
        let Wish { name, platform, rules, .. } = *wish;
        // What was proven of it holds as long as it is the same.
        let is_good =
            |entry: &Entry| rules.hold(&entry.proofs, &[&entry.source, &entry.manifest]) && self.is_whole(entry);
        let Some(entry) = self.catalogue.find(name)?.filter(is_good) else { return Ok(None) };
        // Documents that can't be read are as good as not there.
        let Ok(documents) = choose(&kept::Kept { catalogue: &self.catalogue, source: &entry.source }, platform) else {
            return Ok(None);
        };
        let is_it = (&documents.source, &documents.of_manifest.digest) == (&entry.source, &entry.manifest);
        if !is_it || origin.digest().map_err(PullError::Origin)?.as_ref() != Some(&entry.source) {
            return Ok(None);
        }
        Ok(Some(Pulled::new(entry, false, documents.manifest.size())))
    }

    fn keep(&self, lock: &Lock, documents: &Documents) -> Result<(), PullError> {
        Ok(documents.all.iter().try_for_each(|(descriptor, bytes)| self.catalogue.keep(lock, descriptor, bytes))?)
    }

    /// Leaves out layers of which nothing is to be seen. An overlay heeds no note of that on a layer's root.
    fn cut(&self, layers: &mut Vec<Digest>) -> Result<(), PullError> {
        let trees = self.trees(layers.iter())?;
        let hides = |tree: &PathBuf| Merged::open([tree.as_path()].into_iter()).map(|root| root.hides_all_below());
        for (at, tree) in trees.iter().enumerate().rev() {
            if hides(tree).map_err(failed("open", tree))? {
                layers.drain(..at);
                break;
            }
        }
        Ok(())
    }

    /// Texts of /etc/passwd and /etc/group; empty where there are none, or none that can be read.
    fn accounts(&self, layers: &[Digest]) -> Result<[String; 2], PullError> {
        let trees = self.trees(layers.iter().rev())?;
        let merged = Merged::open(trees.iter().map(PathBuf::as_path)).map_err(failed("open", &self.dir))?;
        Ok(ACCOUNTS.map(|path| merged.read(Path::new(path), LARGEST_ACCOUNTS).ok().flatten().unwrap_or_default()))
    }
}

/// From what the name stands for to the image for this platform.
fn choose(origin: &dyn Origin, platform: &Platform) -> Result<Documents, PullError> {
    let Fetched { mut bytes, media_type } = origin.top().map_err(PullError::Origin)?;
    let source = Digest::of(&bytes);
    let mut media_type = media_type;
    let mut all = Vec::new();
    for _ in 0..INDEXES {
        match Document::read(&bytes, media_type.as_deref())? {
            Document::Manifest(manifest) => {
                let is = |kind: &str| media_type.as_deref().unwrap_or(kind).to_owned();
                let of_manifest = Descriptor::of(&is(OCI_MANIFEST), &bytes);
                all.push((of_manifest.clone(), bytes));
                let of_config = manifest.config().clone();
                let text = origin.document(&of_config).map_err(PullError::Origin)?;
                of_config.verify("the image's config", &text)?;
                let config = Config::read(&text)?;
                manifest.check(&config, platform)?;
                all.push((of_config, text));
                return Ok(Documents { source, all, of_manifest, manifest, config });
            }
            Document::Index(index) => {
                let chosen = index.choose(platform)?.clone();
                let index_type = media_type.as_deref().unwrap_or(OCI_INDEX);
                all.push((Descriptor::of(index_type, &bytes), bytes));
                bytes = origin.document(&chosen).map_err(PullError::Origin)?;
                chosen.verify("the image's manifest", &bytes)?;
                media_type = Some(chosen.media_type).filter(|text| !text.is_empty());
            }
        }
    }
    Err(PullError::Circle)
}

/// A name with a digest stands for nothing else, wherever the image comes from.
fn check_pin(name: &str, documents: &Documents) -> Result<(), PullError> {
    let reference: Option<Reference> = name.parse().ok();
    let Some((wanted, (_, top))) = reference.as_ref().and_then(Reference::digest).zip(documents.all.first()) else {
        return Ok(());
    };
    let found = Digest::by(wanted.algorithm(), top);
    if found == *wanted { Ok(()) } else { Err(PullError::Pinned { wanted: wanted.clone(), found }) }
}

/// Its layers, from the lowest to the highest (OCI image spec, "Layer ChainID").
fn needed(manifest: &Manifest, config: &Config) -> Vec<Needed> {
    let mut below: Option<Digest> = None;
    let pairs = manifest.layers().iter().zip(config.diff_ids());
    let one = |(number, (layer, diff_id)): (usize, (&Layer, &Digest))| {
        let chain_id = match &below {
            None => diff_id.clone(),
            Some(chain) => Digest::of(format!("{chain} {diff_id}").as_bytes()),
        };
        let own_id = Digest::of(format!("{chain_id} with folders of the layers below").as_bytes());
        below = Some(chain_id);
        Needed { number: number + 1, layer: layer.clone(), diff_id: diff_id.clone(), own_id }
    };
    pairs.enumerate().map(one).collect()
}

fn failed(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PullError {
    let path = path.to_owned();
    move |cause| PullError::Io { call, path, cause }
}
