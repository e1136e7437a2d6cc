//! Images of random layers: what replaces what, in every order.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Case, compare, compare_with_podman, mode, packed, places, time};
use crate::harness::image::write;
use crate::harness::umoci;

/// Where a random test begins; `$BAREPOD_TEST_SEED` says it, and it is told where it fails.
fn seed() -> u64 {
    let given = std::env::var("BAREPOD_TEST_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// A layer that is made in a folder, above others.
struct Making<'a> {
    tree: PathBuf,
    /// What the layers below show.
    below: &'a BTreeSet<PathBuf>,
    random: &'a mut Random,
    files: Vec<PathBuf>,
    /// What it hides: paths, and folders with all that is below.
    hidden: Vec<PathBuf>,
}

impl Making<'_> {
    /// Some entries in a folder and in folders below. Whiteouts are where something is below, as builders write them: an overlay lists
    /// the names of others, as under containerd, where there is no folder below.
    fn fill(&mut self, folder: &Path, depth: u32, all_is_hidden: bool) {
        let path = self.tree.join(folder);
        fs::create_dir_all(&path).unwrap();
        let is_opaque = depth > 0 && self.below.contains(folder) && self.random.below(5) == 0;
        if is_opaque {
            fs::write(path.join(".wh..wh..opq"), "").unwrap();
            self.hidden.extend(self.below.iter().filter(|one| one.starts_with(folder)).cloned());
        }
        let all_is_hidden = all_is_hidden || is_opaque;
        for name in NAMES {
            self.entry(&folder.join(name), depth, all_is_hidden);
        }
        mode(&path, 0o700 + self.random.below(0o100) as u32);
    }

    fn entry(&mut self, name: &Path, depth: u32, all_is_hidden: bool) {
        let path = self.tree.join(name);
        match self.random.below(9) {
            0 | 1 => {
                fs::write(&path, self.random.below(1000).to_string()).unwrap();
                mode(&path, 0o400 + self.random.below(0o400) as u32);
                self.files.push(path.clone());
            }
            2 => symlink(NAMES[self.random.below(4) as usize], &path).unwrap(),
            3 | 4 if depth < 3 => return self.fill(name, depth + 1, all_is_hidden),
            5 if !self.files.is_empty() => {
                let target = &self.files[self.random.below(self.files.len() as u64) as usize];
                fs::hard_link(target, &path).unwrap();
            }
            6 if !all_is_hidden && self.below.contains(name) => {
                let whiteout = format!(".wh.{}", name.file_name().unwrap().display());
                fs::write(path.with_file_name(whiteout), "").unwrap();
                return self.hidden.push(name.to_owned());
            }
            _ => return,
        }
        self.hidden.push(name.to_owned());
        lchown(&path, Some(self.random.below(70_000) as u32), Some(self.random.below(9) as u32)).unwrap();
    }
}

/// What is to be seen when a layer is added.
fn with(below: &BTreeSet<PathBuf>, layer: &Making<'_>) -> BTreeSet<PathBuf> {
    let stays = |path: &&PathBuf| !layer.hidden.iter().any(|hidden| path.starts_with(hidden));
    let own = walkdir::WalkDir::new(&layer.tree).into_iter().map(|entry| entry.unwrap().into_path());
    let own = own.map(|path| path.strip_prefix(&layer.tree).unwrap().to_owned());
    below.iter().filter(stays).cloned().chain(own).collect()
}

/// Times of what was made, from the deepest on.
fn date(tree: &Path, random: &mut Random) {
    for entry in walkdir::WalkDir::new(tree).contents_first(true) {
        time(entry.unwrap().path(), random.below(2_000_000_000) as i64, 0);
    }
}

#[test]
fn what_replaces_what() {
    let Some(case) = Case::new("random").filter(|_| umoci::is_here()) else { return };
    let seed = seed();
    let mut random = Random(seed);
    let layout = case.dir().join("layout");
    for image in 0..8 {
        let name = format!("image-{image}-of-seed-{seed}");
        let mut below = BTreeSet::new();
        let mut layers = Vec::new();
        for number in 0..2 + random.below(4) {
            let tree = case.dir().join(&name).join(number.to_string());
            let (files, hidden) = (Vec::new(), Vec::new());
            let mut layer = Making { tree: tree.clone(), below: &below, random: &mut random, files, hidden };
            layer.fill(Path::new("x"), 0, false);
            if number == 0 {
                places(&tree);
            }
            let seen = with(&below, &layer);
            below = seen;
            date(&tree, &mut random);
            layers.push(packed(&tree, ["pax", "gnu", "ustar"][random.below(3) as usize], None));
        }
        write(&layout, &name, &json!({}), layers);
        let ours = compare(&case, &layout, &name, &[]);
        // It takes its time for each.
        if image < 2 {
            compare_with_podman(&layout, &name, ours, &[]);
        }
    }
    case.nothing_left();
}
