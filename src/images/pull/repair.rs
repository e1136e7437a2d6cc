//! Mends an image that is there: what is damaged of it comes again, by its digest, whatever its name stands for by now.

use std::cell::OnceCell;

use super::{LayerFault, Needed, PullError, failed, needed};
use crate::images::catalogue::{Entry, Naming, Stay, Summary};
use crate::images::digest::Digest;
use crate::images::document::{Config, Descriptor, Manifest, OCI_INDEX};
use crate::images::layers::Swept;
use crate::images::origin::{Origin, OriginError};
use crate::images::progress::Progress;
use crate::images::store::Store;

/// What was damaged, and has come again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Documents.
    pub documents: usize,
    /// Layers, of so many.
    pub layers: usize,
    pub of_layers: usize,
    /// Bytes of these layers, packed.
    pub size: u64,
}

impl Repaired {
    /// Whether nothing was damaged.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.documents == 0 && self.layers == 0
    }
}

/// Opens the place that an image comes from: at this digest, whatever its name stands for by now; without one, by its name.
pub type Open<'a> = &'a dyn Fn(Option<&Digest>) -> Result<Box<dyn Origin>, OriginError>;

/// Where the image comes from, asked once something of it is needed.
struct Source<'a> {
    open: Open<'a>,
    /// What its name stood for.
    digest: &'a Digest,
    opened: OnceCell<Opened>,
}

struct Opened {
    origin: Box<dyn Origin>,
    /// What it has at its top.
    top: Vec<u8>,
}

impl Source<'_> {
    fn get(&self) -> Result<&Opened, OriginError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let open = |digest| {
            let origin = (self.open)(digest)?;
            // It finds its way by that.
            let top = origin.top()?.bytes;
            Ok::<_, OriginError>(Opened { origin, top })
        };
        // A tag may be gone, and so may what it stood for before it moved on: the layers may be there all the same.
        let opened = open(Some(self.digest)).or_else(|cause| open(None).map_err(|_| cause))?;
        Ok(self.opened.get_or_init(|| opened))
    }
}

impl Store {
    /// Reads all of an image, and has come again what is damaged. Where nothing is, its source isn't asked.
    ///
    /// # Errors
    /// Where something can't be had again, or kept. What is there stays.
    pub fn repair(&self, entry: &Entry, open: Open<'_>) -> Result<Repaired, PullError> {
        let _pulling = self.turns.pulling().map_err(failed("flock", &self.dir))?;
        let _own = self.turns.of(&entry.name).map_err(failed("fcntl", &self.dir))?;
        // Its name may have moved on since it was looked up, or have been taken away.
        let entry = &self.catalogue.find(&entry.name)?.ok_or(PullError::Gone)?;
        let source = Source { open, digest: &entry.source, opened: OnceCell::new() };
        let mut repaired = Repaired::default();
        let of_manifest = &entry.descriptor;
        let manifest = Manifest::read(&self.document("the image's manifest", of_manifest, &source, &mut repaired)?)?;
        let of_config = manifest.config();
        let config = Config::read(&self.document("the image's config", of_config, &source, &mut repaired)?)?;
        let needed = needed(&manifest, &config);
        let summary = self.catalogue.summary(&entry.manifest).ok();
        let mut keys = Vec::new();
        for one in &needed {
            // Without a summary all of them, under whatever name they are there.
            let is_of = |key: &&Digest| **key == one.own_id || **key == one.diff_id;
            let key = match &summary {
                Some(summary) => match summary.layers.iter().find(is_of) {
                    Some(key) => Some(key.clone()),
                    // A higher one hides it.
                    None => continue,
                },
                None => self.kept(one)?,
            };
            let (key, is_new) = self.mend(one, key, &keys, &source).map_err(|cause| one.fault(needed.len(), cause))?;
            keys.push(key);
            repaired.of_layers += 1;
            if is_new {
                repaired.layers += 1;
                repaired.size += one.layer.size;
            }
        }
        self.mend_index(entry, &source, &mut repaired)?;
        if summary.is_none() {
            self.cut(&mut keys)?;
            let accounts = self.accounts(&keys)?;
            let summary = Summary::new(of_config.digest.clone(), keys, manifest.size(), accounts);
            let lock = self.catalogue.lock()?;
            // Nobody wants a name back that was taken away meanwhile.
            self.catalogue.find(&entry.name)?.ok_or(PullError::Gone)?;
            let Entry { name, source, proofs, .. } = entry;
            let naming = Naming { name, manifest: of_manifest, source, proofs, stay: Stay::AsBefore };
            self.catalogue.name(&lock, &naming, &summary)?;
            repaired.documents += 1;
        } else if let Some(summary) = &summary
            && !repaired.is_nothing()
            && !self.catalogue.is_own(&entry.manifest)
        {
            // What is mended of a store below is in this one, and pods that use it keep it by what is known of it here.
            self.catalogue.know(&self.catalogue.lock()?, &entry.manifest, summary)?;
        }
        // What was replaced goes at once where nobody uses it. Whoever looks for leases is in the way of pods that take one.
        if self.layers.has_aside()?
            && let Some(leased) = self.catalogue.leased()?
        {
            self.layers.sweep_aside(&|layer| leased.contains(layer), &mut Swept::default())?;
        }
        Ok(repaired)
    }

    /// What of an image's documents isn't what it is to be.
    ///
    /// # Errors
    /// Where the store can't be read.
    pub fn damaged_documents(&self, entry: &Entry) -> Result<Vec<String>, PullError> {
        let entry = &self.catalogue.find(&entry.name)?.ok_or(PullError::Gone)?;
        let look = |what: &str, descriptor: &Descriptor| match self.catalogue.blob(&descriptor.digest) {
            Ok(Some(bytes)) => descriptor.verify(what, &bytes).map(|()| bytes).map_err(|error| error.to_string()),
            Ok(None) => Err(format!("{what} is missing")),
            Err(error) => Err(error.to_string()),
        };
        let mut damaged = Vec::new();
        let manifest = look("the image's manifest", &entry.descriptor)
            .and_then(|bytes| Manifest::read(&bytes).map_err(|error| error.to_string()));
        match manifest {
            Ok(manifest) => damaged.extend(look("the image's config", manifest.config()).err()),
            Err(why) => damaged.push(why),
        }
        damaged.extend(self.damaged_index(entry));
        damaged.extend(self.catalogue.summary(&entry.manifest).err().map(|error| error.to_string()));
        Ok(damaged)
    }

    /// In what the index isn't that an image was chosen from; `None`: it is whole, or there is none.
    fn damaged_index(&self, entry: &Entry) -> Option<String> {
        if entry.source == entry.manifest {
            return None;
        }
        match self.catalogue.blob(&entry.source) {
            Ok(Some(bytes)) if Digest::of(&bytes) == entry.source => None,
            Ok(Some(_)) => Some(format!("the image's index has another digest than {}", entry.source)),
            Ok(None) => Some("the image's index is missing".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }

    fn mend_index(&self, entry: &Entry, source: &Source<'_>, repaired: &mut Repaired) -> Result<(), PullError> {
        if self.damaged_index(entry).is_none() {
            return Ok(());
        }
        let top = &source.get().map_err(PullError::Origin)?.top;
        let found = Descriptor::of(OCI_INDEX, top);
        if found.digest != entry.source {
            return Err(PullError::Index(entry.source.clone()));
        }
        let lock = self.catalogue.lock()?;
        self.catalogue.keep(&lock, &found, top)?;
        repaired.documents += 1;
        Ok(())
    }

    /// A document, as it is to be.
    fn document(
        &self,
        what: &str,
        descriptor: &Descriptor,
        source: &Source<'_>,
        repaired: &mut Repaired,
    ) -> Result<Vec<u8>, PullError> {
        if let Ok(Some(bytes)) = self.catalogue.blob(&descriptor.digest)
            && descriptor.verify(what, &bytes).is_ok()
        {
            return Ok(bytes);
        }
        let bytes = source.get().and_then(|opened| opened.origin.document(descriptor)).map_err(PullError::Origin)?;
        descriptor.verify(what, &bytes)?;
        let lock = self.catalogue.lock()?;
        self.catalogue.keep(&lock, descriptor, &bytes)?;
        repaired.documents += 1;
        Ok(bytes)
    }

    /// A layer as it is to be; what it is kept under, and whether it had to come again.
    fn mend(
        &self,
        one: &Needed,
        key: Option<Digest>,
        below: &[Digest],
        source: &Source<'_>,
    ) -> Result<(Digest, bool), LayerFault> {
        let _turn = self.turns.of(&one.diff_id.to_string()).map_err(LayerFault::Turn)?;
        if let Some(key) = &key
            && self.layers.verify(key)?.is_empty()
        {
            return Ok((key.clone(), false));
        }
        let filled = self.unpack(&*source.get().map_err(LayerFault::Origin)?.origin, one, &Progress::default())?;
        let is_alone = filled.stands_alone();
        let key = key.unwrap_or_else(|| if is_alone { &one.diff_id } else { &one.own_id }.clone());
        if !is_alone {
            self.adopt(&filled, below)?;
        }
        filled.replace(&key)?;
        Ok((key, true))
    }
}
