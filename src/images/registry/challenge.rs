//! What a registry wants of who asks: the header `WWW-Authenticate` (RFC 9110, 11.6.1; distribution's token specification).

/// What a registry wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token, which is to be had at `realm`.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
    /// User and password.
    Basic,
}

impl Challenge {
    /// The one that is answered, of all in these headers: Bearer before Basic. `None`: none that is known.
    pub fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let all: Vec<Self> = headers.flat_map(parse).collect();
        let bearer = all.iter().find(|one| matches!(one, Self::Bearer { .. }));
        bearer.or_else(|| all.first()).cloned()
    }
}

/// The known ones in a header.
fn parse(header: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut scheme = String::new();
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match after.trim_start_matches([' ', '\t']).strip_prefix('=') {
            Some(value) if !word.is_empty() => {
                let (value, left) = read_value(value.trim_start_matches([' ', '\t']));
                pairs.push((word.to_ascii_lowercase(), value));
                rest = left;
            }
            _ => {
                found.extend(known(&scheme, std::mem::take(&mut pairs)));
                scheme = word.to_ascii_lowercase();
                // A "=" without a name says nothing.
                rest = if word.is_empty() { after.strip_prefix('=').unwrap_or(after) } else { after };
                if word.is_empty() && rest.is_empty() {
                    return found;
                }
            }
        }
    }
}

/// A token, or a text in quotes; and what follows.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            letter => value.push(letter),
        }
    }
    (value, "")
}

fn known(scheme: &str, pairs: Vec<(String, String)>) -> Option<Challenge> {
    let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => {
            Some(Challenge::Bearer { realm: value("realm")?, service: value("service"), scope: value("scope") })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::tests::fuzz;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let text = |text: &str| text.to_owned();
        Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(text), scope: scope.map(text) })
    }

    #[test]
    fn challenges_are_read() {
        let hub = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:library/x:pull\"";
        for (headers, wanted) in [
            (
                &[hub][..],
                bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:library/x:pull")),
            ),
            (&["Basic realm=\"x\""], Some(Challenge::Basic)),
            (&["basic"], Some(Challenge::Basic)),
            (&["Basic realm=\"x\", Bearer realm=\"y\""], bearer("y", None, None)),
            (&["Basic realm=x", "BEARER Realm = y , service=z"], bearer("y", Some("z"), None)),
            (&["Negotiate, Basic realm=\"a, b\""], Some(Challenge::Basic)),
            (&["Bearer realm=\"a\\\"b,c=d\",scope=\"r:x:pull,push\""], bearer("a\"b,c=d", None, Some("r:x:pull,push"))),
            (&["Bearer realm=\"open"], bearer("open", None, None)),
            (&["Bearer service=x"], None),
            (&["Negotiate abc=="], None),
            (&["=,=\"", "", " ,, "], None),
            (&[], None),
        ] {
            assert_eq!(Challenge::choose(headers.iter().copied()), wanted, "{headers:?}");
        }
    }

    /// Whatever a registry wants: it is understood or not.
    #[test]
    fn changed_challenges_do_no_harm() {
        let texts = [
            "Bearer realm=\"https://auth.example/token\",service=\"a\\\"b\",scope=\"r:x:pull\"",
            "Basic realm=x, Negotiate a==",
        ];
        fuzz::live(&texts, fuzz::WORDS, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let _ = Challenge::choose([&*text, "Basic"].into_iter());
            Ok(())
        });
    }
}
