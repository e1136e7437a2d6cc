//! Chance that can be repeated, and which seeds a property test takes.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).unwrap()
    }

    pub fn one_in(&mut self, many: u32) -> bool {
        self.below(many) == 0
    }

    /// One of these.
    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(u32::try_from(all.len()).unwrap()) as usize]
    }
}

/// As many seeds as facts are asked for (`BAREPOD_PROPERTY_EVENTS`, else `all`), where each takes so many: half of them the same in
/// each run. `BAREPOD_PROPERTY_SEED` repeats one.
pub fn seeds(all: u64, each: u32) -> Vec<u64> {
    let asked = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let new = u64::try_from(time.as_micros()).unwrap();
    let half = asked("BAREPOD_PROPERTY_EVENTS").unwrap_or(all).div_ceil(2 * u64::from(each));
    match asked("BAREPOD_PROPERTY_SEED") {
        Some(seed) => vec![seed],
        None => (2026..2026 + half).chain(new..new + half).collect(),
    }
}
