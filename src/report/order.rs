//! The order of objects by something that they have, as `kubectl get --sort-by` has it (kubectl pkg/cmd/get sorter.go).
//!
//! It differs from kubectl's in one thing: how values compare is decided by all of them, not by two at a time, so that there is
//! always one order. Numbers and quantities are in the order of their amounts only where all are so.

use serde_json::Value;

use super::jsonpath::{Missing, Template};

/// Items in the order of what the path leads to in the object of each; those where it leads nowhere come first. Equal ones
/// keep their order. `amount` says how much a quantity is (`64Mi`), and of what is none nothing.
///
/// # Errors
/// Where the path leads nowhere in any of them, or to what has no order.
pub fn sort<T>(items: Vec<(T, Value)>, by: &Template, amount: impl Fn(&str) -> Option<i128>) -> Result<Vec<T>, String> {
    let mut found = Vec::new();
    for (item, object) in items {
        let values = by.find(&object, Missing::Ignored).map_err(|why| format!("--sort-by {}: {why}", by.text()))?;
        found.push((item, values.concat().first().filter(|value| !value.is_null()).map(|value| (*value).clone())));
    }
    if found.iter().all(|(_, value)| value.is_none()) && !found.is_empty() {
        return Err(format!("--sort-by {}: no pod has such a field", by.text()));
    }
    if found.iter().any(|(_, value)| matches!(value, Some(Value::Array(_) | Value::Object(_)))) {
        return Err(format!("--sort-by {}: that is an object or a list, which has no order", by.text()));
    }
    let values: Vec<&Value> = found.iter().filter_map(|(_, value)| value.as_ref()).collect();
    if values.iter().all(|value| value.is_number()) {
        let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_f64).unwrap_or(f64::NEG_INFINITY);
        found.sort_by(|(_, a), (_, b)| number(a).total_cmp(&number(b)));
    } else if values.iter().all(|value| value.as_str().and_then(&amount).is_some()) {
        found.sort_by_key(|(_, value)| value.as_ref().and_then(Value::as_str).and_then(&amount));
    } else {
        found.sort_by_key(|(_, value)| value.as_ref().map(text).map(|text| (chunks(&text), text)));
    }
    Ok(found.into_iter().map(|(item, _)| item).collect())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A part of a text. Numbers in it are in the order of their amounts: `web-2` comes before `web-10`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Chunk {
    /// How many digits there are without leading zeros, and these.
    Number(usize, String),
    Text(String),
}

fn chunks(text: &str) -> Vec<Chunk> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_number = first.is_ascii_digit();
        let end = rest.find(|one: char| one.is_ascii_digit() != is_number).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        all.push(if is_number {
            let digits = part.trim_start_matches('0');
            Chunk::Number(digits.len(), digits.to_owned())
        } else {
            Chunk::Text(part.to_owned())
        });
        rest = behind;
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sorted(values: &[Value], path: &str) -> Result<String, String> {
        let objects = values.iter().enumerate().map(|(at, value)| (at, json!({"a": value}))).collect();
        // Of quantities it is enough that they are told from what is none.
        let amount = |text: &str| match text {
            "1k" => Some(1_000),
            "900Mi" => Some(900 << 20),
            "1Gi" => Some(1 << 30),
            _ => None,
        };
        let order = sort(objects, &Template::parse_path(path).unwrap(), amount)?;
        Ok(order.iter().map(|at| text(&values[*at])).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_comes_first() {
        for (values, expected) in [
            (vec![json!("web-10"), json!("web-2"), json!("web-02"), json!("db")], "db web-02 web-2 web-10"),
            (vec![json!(10), json!(9.5), json!(-1)], "-1 9.5 10"),
            (vec![json!("1Gi"), json!("900Mi"), json!("1k")], "1k 900Mi 1Gi"),
            (vec![json!("900Mi"), json!("1k"), json!("web")], "1k 900Mi web"),
            (vec![json!("10.0.0.10"), json!("10.0.0.9")], "10.0.0.9 10.0.0.10"),
            (
                vec![json!("2026-11-30T12:00:00Z"), json!("2026-09-30T12:00:00Z")],
                "2026-09-30T12:00:00Z 2026-11-30T12:00:00Z",
            ),
            (vec![json!(true), json!(false)], "false true"),
            // Those that have none come first, in the order in which they are.
            (vec![json!("b"), json!(null), json!("a")], "null a b"),
        ] {
            assert_eq!(sorted(&values, ".a").unwrap(), expected);
        }
        assert_eq!(sorted(&[], "{.a}").unwrap(), "");
    }

    #[test]
    fn what_has_no_order() {
        for (value, path, why) in [
            (json!("a"), "b", "no pod has such a field"),
            (json!(null), "a", "no pod has such a field"),
            (json!([1]), "a", "an object or a list"),
            (json!([1]), "a[3]", "index 3"),
        ] {
            let error = sorted(&[value], path).unwrap_err();
            assert!(error.starts_with("--sort-by {.") && error.contains(why), "{error}");
        }
    }
}
