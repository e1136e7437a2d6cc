//! Names as the API server generates them (apiserver, storage/names/generate.go).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// No vowels, no digits that look like one: no words come out.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// How many of them follow the base.
const RANDOM: usize = 5;
/// A name that was generated has at most this many characters.
const LONGEST: usize = 63;

/// Gives an object without a name one from its `generateName`; the same number gives the same name.
pub fn generate_name(meta: &mut ObjectMeta, mut random: u32) {
    let has_name = meta.name.as_ref().is_some_and(|name| !name.is_empty());
    let Some(base) = meta.generate_name.as_deref().filter(|base| !base.is_empty() && !has_name) else { return };
    let mut name: String = base.chars().take(LONGEST - RANDOM).collect();
    for _ in 0..RANDOM {
        let letters = LETTERS.len() as u32;
        name.push(char::from(LETTERS[(random % letters) as usize]));
        random /= letters;
    }
    meta.name = Some(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_generated_where_there_is_none() {
        let long = "a".repeat(70);
        let cut = format!("{}bbbbb", "a".repeat(58));
        for (name, base, random, expected) in [
            (None, Some("web-"), 0, Some("web-bbbbb")),
            (Some(""), Some("web-"), 26, Some("web-9bbbb")),
            (None, Some("web"), 27, Some("webbcbbb")),
            (None, Some("web-"), u32::MAX, Some("web-4r8zl")),
            (None, Some(long.as_str()), 0, Some(cut.as_str())),
            (Some("db"), Some("web-"), 0, Some("db")),
            (None, Some(""), 0, None),
            (None, None, 0, None),
        ] {
            let mut meta = ObjectMeta {
                name: name.map(str::to_owned),
                generate_name: base.map(str::to_owned),
                ..ObjectMeta::default()
            };
            generate_name(&mut meta, random);
            assert_eq!(meta.name.as_deref(), expected, "{name:?} {base:?}");
        }
    }
}
