//! Texts that mean no good, or nothing.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn text_that_is_not_utf_8_is_shown() {
    let report = decode("pod.yaml", b"apiVersion: v1\nkind: \xff\xfePod\n").unwrap_err();
    insta::assert_snapshot!("text-not-utf-8", report);
}

#[test]
fn names_and_values_cannot_speak_to_the_terminal() {
    let text = "apiVersion: v1\nkind: \"\\e[31m\\u202E\\n\"\n";
    let shown = decode("a\u{1b}[2J\n", text.as_bytes()).unwrap_err().to_string();
    assert!(!shown.contains('\u{1b}'), "{shown}");
}

/// Texts made to take long or to overflow something.
fn hostile() -> Vec<(&'static str, String)> {
    let pod = |spec: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec:\n  {spec}\n");
    let laughs = (1..40).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        let before = n - 1;
        format!("{text}a{n}: &a{n} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}]\n")
    });
    vec![
        ("deep lists", "[".repeat(100_000)),
        ("deep maps", "{a: ".repeat(100_000)),
        ("deep blocks", "- ".repeat(100_000)),
        ("deep indents", (0..2000).map(|n| format!("{}a:\n", " ".repeat(n))).collect()),
        ("a long scalar", pod(&format!("hostname: {}", "a".repeat(1 << 20)))),
        ("a long quoted scalar", pod(&format!("hostname: \"{}\"", "a\\n".repeat(1 << 19)))),
        ("an open quote", pod(&format!("hostname: \"{}", "a".repeat(1 << 20)))),
        ("a long block scalar", pod(&format!("hostname: |\n{}", "    line\n".repeat(100_000)))),
        ("a long key", pod(&format!("{}: x", "k".repeat(1 << 20)))),
        ("a long number", pod(&format!("activeDeadlineSeconds: {}", "9".repeat(1 << 20)))),
        ("a long quantity", pod(&format!("overhead: {{cpu: {}e-{}}}", "9".repeat(1 << 20), "9".repeat(1000)))),
        ("many unknown keys", pod(&(0..60_000).map(|n| format!("kez{n}: x\n  ")).collect::<String>())),
        ("many duplicates", pod(&"hostname: x\n  ".repeat(60_000))),
        ("many wrong values", pod(&format!("containers: [{}]", "x, ".repeat(60_000)))),
        ("many containers", pod(&format!("containers: [{}]", "{name: a, image: x}, ".repeat(20_000)))),
        (
            "many mounts",
            pod(&format!(
                "volumes: [{}]\n  containers: [{{name: a, volumeMounts: [{}]}}]",
                "{name: v}, ".repeat(9_000),
                "{name: w}, ".repeat(9_000)
            )),
        ),
        ("laughs", laughs),
        ("many aliases", format!("a: &a {{{}}}\nb: [{}]\n", "k: v, ".repeat(1000), "*a, ".repeat(50_000))),
        ("many question marks", "? ".repeat(50_000)),
        ("many anchors", "&a ".repeat(50_000)),
        ("many documents", "---\n".repeat(100_000)),
        ("many comments", "#\n".repeat(300_000)),
        ("many directives", "%YAML 1.2\n".repeat(50_000)),
        ("control characters", pod("hostname: \"\\0\\a\\e\"")),
        ("a lone carriage return", "apiVersion: v1\rkind: Pd\r".to_owned()),
        ("too long", " ".repeat(4 << 20)),
    ]
}

#[test]
fn hostile_texts_end_soon_and_in_an_error() {
    // Of this thread's time: how busy the machine is doesn't count.
    let spent = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
    };
    for (name, text) in hostile() {
        let start = spent();
        let report = decode("pod.yaml", text.as_bytes()).map(|manifest| manifest.pod).expect_err(name);
        let shown = report.to_string();
        let took = spent() - start;
        assert!(took < Duration::from_secs(15), "{name} took {took:?}");
        assert!(shown.len() < 1 << 20, "{name} says {} bytes", shown.len());
        assert!(shown.starts_with("error: ") || shown.starts_with("warning: "), "{name}: {shown}");
    }
}

/// Changes a text at random places.
fn mutated(text: &str, changes: &[(usize, u8, usize)]) -> Vec<u8> {
    const PIECES: &[&str] = &[
        "",
        ":",
        "- ",
        "\n",
        "  ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "~",
        "null",
        "-1",
        "99999999999999999999",
        "yes",
        "0644",
        "1e9",
        "12Mi",
        "#",
        "|",
        "\t",
        "\0",
        "\u{feff}",
        "\u{e9}",
        "---\n",
        "? ",
        "%",
        "name",
        "\\",
        ",",
    ];
    let mut bytes = text.as_bytes().to_vec();
    for (at, piece, cut) in changes {
        let at = at % (bytes.len() + 1);
        let end = (at + cut % 12).min(bytes.len());
        let piece = PIECES[usize::from(*piece) % PIECES.len()];
        bytes.splice(at..end, piece.bytes());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_change_of_a_manifest_makes_it_panic(changes in prop::collection::vec((any::<usize>(), any::<u8>(), any::<usize>()), 1..6)) {
        let bytes = mutated(GOOD, &changes);
        if let Err(report) = decode("pod.yaml", &bytes) {
            let plain = report.render(Colour::Plain);
            prop_assert!(plain.contains("error: "));
            let _ = report.render(Colour::Ansi);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode("pod.yaml", &bytes).is_err());
    }
}
