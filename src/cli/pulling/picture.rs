//! Lines that show how far pulls are.

use std::fmt::Write;
use std::time::Duration;

use crate::cli::phrases::seconds;
use crate::cli::screen::Size;
use crate::cli::terminal::sanitize;
use crate::images::progress::{LayerProgress, PullProgress, Stage};

/// Digits of a layer's digest that tell it from others.
const DIGITS: usize = 12;
/// The longest text behind a bar: `1023.9 of 1023.9 MiB`; on a narrow terminal, which gets a percentage, `already there`.
const AMOUNTS: usize = 20;
const WORDS: usize = 13;
const NARROW: usize = 60;
/// A bar is not longer than this, however wide the terminal.
const LONGEST_BAR: usize = 60;
/// Where the terminal doesn't say.
const COLUMNS: usize = 80;

/// Of which layers there is a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layers {
    All,
    /// Those that aren't done.
    Left,
    /// Those that come in or are unpacked.
    Moving,
    None,
}

/// The lines that show how far pulls are: of all layers, or of as many as there is room for.
pub fn picture(pulls: &[PullProgress], size: Size) -> String {
    let columns = size.columns.unwrap_or(COLUMNS).saturating_sub(1).max(DIGITS);
    let of_all = |layers: Layers| pulls.iter().map(|pull| of_one(pull, columns, layers)).collect::<String>();
    let fits = |text: &String| size.rows.is_none_or(|rows| text.lines().count() < rows);
    let mut pictures = [Layers::All, Layers::Left, Layers::Moving].into_iter().map(of_all);
    pictures.find(fits).unwrap_or_else(|| of_all(Layers::None))
}

fn of_one(pull: &PullProgress, columns: usize, shown: Layers) -> String {
    let PullProgress { image, layers, took } = pull;
    let sum = |of: fn(&LayerProgress) -> u64| layers.iter().filter(|one| one.stage != Stage::There).map(of).sum();
    let (come, all) = (sum(|one| one.come), sum(|one| one.size));
    let whole_seconds = Duration::from_secs(took.as_secs());
    let far = if all == 0 { String::new() } else { format!("{}, ", amounts(come, all)) };
    let end = format!(": {far}{}", seconds(whole_seconds));
    let head = format!("{}{end}", cut(&sanitize(image), columns.saturating_sub(end.len())));
    let mut text = format!("{}\n", cut(&head, columns));
    let is_over = |one: &&LayerProgress| matches!(one.stage, Stage::Done | Stage::There);
    let is_shown = |one: &&LayerProgress| match shown {
        Layers::All => true,
        Layers::Left => !is_over(one),
        Layers::Moving => matches!(one.stage, Stage::Pulling | Stage::Unpacking),
        Layers::None => false,
    };
    let over = layers.iter().filter(is_over).count();
    let waiting = layers.iter().filter(|one| one.stage == Stage::Waiting).count();
    let hidden = match shown {
        Layers::Left if over > 0 => Some(format!("{over} of {} layers done", layers.len())),
        Layers::Moving if over + waiting > 0 => {
            Some(format!("{over} of {} layers done, {waiting} waiting", layers.len()))
        }
        Layers::All | Layers::Left | Layers::Moving | Layers::None => None,
    };
    let lines = layers.iter().filter(is_shown).map(|layer| line(layer, columns));
    for line in hidden.into_iter().chain(lines) {
        let _ = writeln!(text, "{}", cut(&line, columns));
    }
    text
}

fn line(layer: &LayerProgress, columns: usize) -> String {
    let is_narrow = columns < NARROW;
    let said = match layer.stage {
        Stage::Waiting => "waiting".to_owned(),
        Stage::Pulling if is_narrow => format!("{}%", share(layer.come, layer.size, 100)),
        Stage::Pulling => amounts(layer.come, layer.size),
        Stage::Unpacking => "unpacking".to_owned(),
        Stage::Done => "done".to_owned(),
        Stage::There => "already there".to_owned(),
    };
    let digits = layer.digest.hex().get(..DIGITS).unwrap_or_default();
    // A blank on both sides, and the brackets.
    let text = if is_narrow { WORDS } else { AMOUNTS };
    let room = columns.saturating_sub(DIGITS + text + 4).min(LONGEST_BAR);
    let filled = match layer.stage {
        Stage::Waiting => 0,
        Stage::Unpacking | Stage::Done | Stage::There => room,
        Stage::Pulling => share(layer.come, layer.size, room),
    };
    format!("{digits} [{}{}] {said}", "#".repeat(filled), " ".repeat(room - filled))
}

/// So many of `room` places.
fn share(come: u64, all: u64, room: usize) -> usize {
    let places = u128::from(come) * room as u128 / u128::from(all.max(1));
    usize::try_from(places).unwrap_or(room).min(room)
}

/// `1.5 of 30.2 MiB`.
fn amounts(come: u64, all: u64) -> String {
    let (divisor, name) = unit(all);
    format!("{} of {} {name}", tenths(come, divisor), tenths(all, divisor))
}

/// As people read them: `30.2 MiB`.
pub fn bytes(number: u64) -> String {
    let (divisor, name) = unit(number);
    format!("{} {name}", tenths(number, divisor))
}

/// The largest unit of which there is at least one.
fn unit(number: u64) -> (u64, &'static str) {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    units.into_iter().find(|(divisor, _)| number >= *divisor).unwrap_or((1, "B"))
}

fn tenths(number: u64, divisor: u64) -> String {
    match divisor {
        1 => number.to_string(),
        _ => format!("{}.{}", number / divisor, (number % divisor) * 10 / divisor),
    }
}

/// As much of it as there is room for, with what tells that something is missing.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(3)).chain("...".chars().take(room)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::images::digest::Digest;

    fn layers() -> Vec<LayerProgress> {
        let layer = |size, come, stage| LayerProgress {
            digest: Digest::of(format!("{stage:?}").as_bytes()),
            size,
            come,
            stage,
        };
        vec![
            layer(20 << 20, 0, Stage::There),
            layer(30 << 20, 30 << 20, Stage::Done),
            layer(1 << 20, 1 << 20, Stage::Unpacking),
            layer(1000 << 20, 250 << 20, Stage::Pulling),
            layer(512, 0, Stage::Waiting),
        ]
    }

    fn pull(image: &str, layers: Vec<LayerProgress>) -> PullProgress {
        PullProgress { image: image.to_owned(), layers, took: Duration::from_millis(61_900) }
    }

    fn drawn(columns: usize, rows: usize) -> String {
        let size = Size { rows: Some(rows), columns: Some(columns) };
        let picture = picture(&[pull("registry.example/a/rather/long/name:1.27", layers())], size);
        assert!(picture.lines().all(|line| line.len() < columns), "{picture}");
        picture
    }

    #[test]
    fn pictures() {
        insta::assert_snapshot!("narrow", drawn(40, 24));
        insta::assert_snapshot!("usual", drawn(80, 24));
        insta::assert_snapshot!("wide", drawn(200, 24));
        insta::assert_snapshot!("low", drawn(80, 6));
        // Nobody has ever seen such a terminal, but one may say that it is one.
        let size = Size { rows: Some(1), columns: Some(1) };
        assert!(picture(&[pull("nginx", layers())], size).lines().all(|line| line.len() <= DIGITS));
        let size = Size { rows: None, columns: None };
        assert_eq!(picture(&[PullProgress { took: Duration::ZERO, ..pull("nginx", vec![]) }], size), "nginx: 0 s\n");
        assert_eq!(picture(&[], size), "");
    }

    /// Of several images at once each has its head, and as many of the layers are shown as there is room for.
    #[test]
    fn pictures_of_several() {
        let pulls = ["docker.io/library/nginx:1.27", "registry.example/team/app@sha256:0123", "oci:/srv/images:web"];
        let pulls = pulls.map(|image| pull(image, layers()));
        for (name, columns, rows) in
            [("several_narrow", 40, 24), ("several_wide", 200, 17), ("several_low", 80, 13), ("several_lowest", 80, 5)]
        {
            let picture = picture(&pulls, Size { rows: Some(rows), columns: Some(columns) });
            assert!(picture.lines().all(|line| line.len() < columns) && picture.lines().count() < rows, "{picture}");
            insta::assert_snapshot!(name, picture);
        }
    }

    #[test]
    fn sizes_read_well() {
        let said: Vec<String> = [0, 1023, 1024, 1536, (30 << 20) + (200 << 10), 5 << 40].map(bytes).to_vec();
        assert_eq!(said, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "30.1 MiB", "5.0 TiB"]);
        assert_eq!(amounts(1 << 20, 3 << 30), "0.0 of 3.0 GiB");
        let longest = amounts((1 << 30) - 1, (1 << 30) - 1);
        assert_eq!((longest.as_str(), longest.len()), ("1023.9 of 1023.9 MiB", AMOUNTS));
        assert_eq!((share(0, 0, 10), share(5, 10, 10), share(10, 10, 10)), (0, 5, 10));
        assert_eq!((cut("abcdef", 5).as_str(), cut("abc", 3).as_str(), cut("abc", 2).as_str()), ("ab...", "abc", ".."));
    }
}
