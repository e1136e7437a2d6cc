//! Systems and processors that images are made for (OCI image spec, "Image Index", `platform`), and which of them run here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The one system that barepod runs.
pub const LINUX: &str = "linux";

/// A system and a processor, in Go's words (GOOS, GOARCH).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Why a text names no platform.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoPlatform {
    #[error("{0:?} is no platform: OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT is wanted (linux/arm/v7)")]
    Form(String),
    #[error("{0}: only images for linux can be run")]
    System(String),
}

impl Platform {
    /// This box's.
    #[must_use]
    pub fn here() -> Self {
        let machine = rustix::system::uname();
        let architecture = match std::env::consts::ARCH {
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "powerpc64" => "ppc64",
            "loongarch64" => "loong64",
            other => other,
        };
        Self::new(LINUX, architecture, arm_variant(architecture, &machine.machine().to_string_lossy()))
    }

    fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let (architecture, meant) = known_as(architecture);
        let variant = variant.or(meant).map(str::to_owned);
        Self { os: os.to_owned(), architecture: architecture.to_owned(), variant }
    }

    /// How well an image for another platform runs on this one: 0 is best; `None`: it doesn't.
    ///
    /// A variant of a processor runs what was made for those before it, and what names none comes last. An arm64 isn't
    /// taken to run what was made for arm: some can't.
    #[must_use]
    pub fn rank(&self, other: &Self) -> Option<usize> {
        let other = Self::new(&other.os, &other.architecture, other.variant.as_deref().filter(|text| !text.is_empty()));
        if (self.os.as_str(), self.architecture.as_str()) != (other.os.as_str(), other.architecture.as_str()) {
            return None;
        }
        let order = self.variants();
        match other.variant.as_deref() {
            None => Some(order.len()),
            Some(variant) => order.iter().position(|known| known == variant),
        }
    }

    /// Variants that run here, the best first.
    fn variants(&self) -> Vec<String> {
        let (base, lowest) = match self.architecture.as_str() {
            "arm" => (7, 5),
            "arm64" => (8, 8),
            "amd64" => (1, 1),
            _ => return self.variant.iter().cloned().collect(),
        };
        let own = self.variant.clone().unwrap_or_else(|| format!("v{base}"));
        // v8.2 is one that runs v8.
        let major = own.trim_start_matches('v').split('.').next().and_then(|digits| digits.parse::<u32>().ok());
        let Some(major) = major else { return vec![own] };
        let mut all: Vec<String> = (lowest..=major.min(16)).rev().map(|number| format!("v{number}")).collect();
        if !all.contains(&own) {
            all.insert(0, own);
        }
        all
    }
}

/// Other names that people and images have for a processor, and the variant that they mean with it.
fn known_as(architecture: &str) -> (&str, Option<&'static str>) {
    match architecture {
        "x86_64" | "x86-64" => ("amd64", None),
        "aarch64" => ("arm64", None),
        "x86" | "i386" | "i486" | "i586" | "i686" => ("386", None),
        "armhf" => ("arm", Some("v7")),
        "armel" => ("arm", Some("v6")),
        other => (other, None),
    }
}

/// The variant of a 32-bit ARM, by what the kernel calls the machine.
fn arm_variant(architecture: &str, machine: &str) -> Option<&'static str> {
    let known = [("armv5", "v5"), ("armv6", "v6"), ("armv7", "v7"), ("armv8", "v8"), ("aarch64", "v8")];
    let found = known.into_iter().find(|(prefix, _)| machine.starts_with(prefix));
    (architecture == "arm").then(|| found.map_or("v7", |(_, variant)| variant))
}

impl FromStr for Platform {
    type Err = NoPlatform;

    /// As `--platform` has it: OS/ARCHITECTURE[/VARIANT].
    fn from_str(text: &str) -> Result<Self, NoPlatform> {
        let is_word = |part: &&str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let wrong = || NoPlatform::Form(text.to_owned());
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => return Err(wrong()),
        };
        if !parts.iter().all(is_word) {
            return Err(wrong());
        }
        if os != LINUX {
            return Err(NoPlatform::System(text.to_owned()));
        }
        Ok(Self::new(os, architecture, variant))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.os, self.architecture)?;
        match self.variant.as_deref() {
            None | Some("") => Ok(()),
            Some(variant) => write!(to, "/{variant}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read() {
        for (text, known) in [
            ("linux/amd64", Some("linux/amd64")),
            ("linux/arm/v7", Some("linux/arm/v7")),
            ("Linux/ARM64", Some("linux/arm64")),
            ("linux/x86_64", Some("linux/amd64")),
            ("linux/aarch64", Some("linux/arm64")),
            ("linux/armhf", Some("linux/arm/v7")),
            ("linux/armel", Some("linux/arm/v6")),
            ("windows/amd64", None),
            ("linux", None),
            ("linux/", None),
            ("linux/arm/", None),
            ("linux/arm/v7/x", None),
            ("linux/a b", None),
            ("", None),
        ] {
            let found = text.parse::<Platform>().ok().map(|platform| platform.to_string());
            assert_eq!(found.as_deref(), known, "{text}");
        }
        let said = "windows/amd64".parse::<Platform>().unwrap_err().to_string();
        assert_eq!(said, "windows/amd64: only images for linux can be run");
    }

    #[test]
    fn this_box_has_one() {
        let here = Platform::here();
        assert_eq!(here.to_string().parse::<Platform>().unwrap(), here);
        assert!(here.rank(&here).is_some(), "{here}");
        for (machine, variant) in [("armv6l", "v6"), ("armv7l", "v7"), ("armv8l", "v8"), ("aarch64", "v8"), ("x", "v7")]
        {
            assert_eq!(arm_variant("arm", machine), Some(variant), "{machine}");
        }
        assert_eq!(arm_variant("arm64", "aarch64"), None);
    }

    /// From the best to the worst of what runs.
    #[test]
    fn a_variant_runs_those_before_it() {
        let offered = [
            "386", "amd64", "amd64/v1", "amd64/v2", "amd64/v3", "arm", "arm/v5", "arm/v6", "arm/v7", "arm/v8", "arm64",
            "arm64/v8", "arm64/v9", "riscv64", "s390x",
        ];
        for (own, order) in [
            ("amd64", "amd64/v1 amd64"),
            ("amd64/v3", "amd64/v3 amd64/v2 amd64/v1 amd64"),
            ("arm/v8", "arm/v8 arm/v7 arm/v6 arm/v5 arm"),
            ("arm/v6", "arm/v6 arm/v5 arm"),
            ("arm", "arm/v7 arm/v6 arm/v5 arm"),
            ("arm64", "arm64/v8 arm64"),
            ("arm64/v8.2", "arm64/v8 arm64"),
            ("arm64/v9", "arm64/v9 arm64/v8 arm64"),
            ("riscv64", "riscv64"),
            ("ppc64le", ""),
        ] {
            let own: Platform = format!("linux/{own}").parse().unwrap();
            let mut runs: Vec<(usize, &str)> = offered
                .iter()
                .filter_map(|one| Some((own.rank(&format!("linux/{one}").parse().unwrap())?, *one)))
                .collect();
            runs.sort_unstable();
            assert_eq!(runs.into_iter().map(|(_, one)| one).collect::<Vec<_>>().join(" "), order, "{own}");
        }
        let windows = Platform { os: "windows".to_owned(), ..Platform::here() };
        assert_eq!(Platform::here().rank(&windows), None);
        let spelled =
            Platform { os: LINUX.to_owned(), architecture: "x86_64".to_owned(), variant: Some(String::new()) };
        assert!("linux/amd64".parse::<Platform>().unwrap().rank(&spelled).is_some());
    }
}
