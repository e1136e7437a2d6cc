//! Templates and what they print. The cases restate what client-go's tests say of the language.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn nodes() -> Value {
    json!({
        "kind": "List",
        "items": [
            {
                "kind": "None",
                "metadata": {"name": "127.0.0.1", "labels": {"kubernetes.io/hostname": "127.0.0.1"}},
                "status": {
                    "capacity": {"cpu": "4"}, "ready": true,
                    "addresses": [{"type": "LegacyHostIP", "address": "127.0.0.1"}],
                },
            },
            {
                "kind": "None",
                "metadata": {"name": "127.0.0.2", "labels": {"kubernetes.io/hostname": "127.0.0.2"}},
                "status": {
                    "capacity": {"cpu": "8"}, "ready": false,
                    "addresses": [
                        {"type": "LegacyHostIP", "address": "127.0.0.2"}, {"type": "another", "address": "127.0.0.3"},
                    ],
                },
            },
        ],
        "users": [
            {"name": "myself", "user": {}},
            {"name": "e2e", "user": {"username": "admin", "password": "secret"}},
        ],
        "bools": [true, false, true, false],
        "strings": ["one", "two", "three", "four"],
        "numbers": [0, 1, 2, 3, 4, 5],
        "empty": [],
        "null": null,
        "command": ["sh", "-c", "a && b > c"],
    })
}

/// With what is said where a field is missing, if that is asked for.
fn fill_in(template: &str, missing: Missing) -> Result<String, String> {
    let template = Template::parse(template).map_err(|error| error.to_string())?;
    template.fill_in(&nodes(), missing).map_err(|error| error.to_string())
}

#[test]
fn what_templates_print() {
    for (template, text) in [
        ("", ""),
        ("hello jsonpath", "hello jsonpath"),
        ("kind is {.kind}", "kind is List"),
        ("{$.kind} {@.kind} {['kind']}", "List List List"),
        ("{.items[*].metadata.name}", "127.0.0.1 127.0.0.2"),
        ("{.items[*]['metadata.name', 'status.capacity']}", r#"127.0.0.1 127.0.0.2 {"cpu":"4"} {"cpu":"8"}"#),
        (r"{.items[0].metadata.labels.kubernetes\.io/hostname}", "127.0.0.1"),
        (r"{.items[1].metadata.labels['kubernetes\.io/hostname']}", "127.0.0.2"),
        ("{range .items[*]}{.metadata.name}, {end}{.kind}", "127.0.0.1, 127.0.0.2, List"),
        (r#"{range .items[*]}{.metadata.name}{"\t"}{end}"#, "127.0.0.1\t127.0.0.2\t"),
        (
            "{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}",
            r#"[127.0.0.1, {"cpu":"4"}] [127.0.0.2, {"cpu":"8"}] "#,
        ),
        (
            r#"{range .items[*]}{.metadata.name}{":"}{range @.status.addresses[*]}{.address}{","}{end}{"+"}{end}"#,
            "127.0.0.1:127.0.0.1,+127.0.0.2:127.0.0.2,127.0.0.3,+",
        ),
        ("{range .empty[*]}{.x}{range .y[*]}{.z}{end}{end}after", "after"),
        ("{range .items[*]}{.nothing}{end}", ""),
        (r#"{.users[?(@.name=="e2e")].user.password}"#, "secret"),
        (r#"{.users[?( @.name != 'e2e' )].name}"#, "myself"),
        (r#"{.items[?(@.metadata.labels.kubernetes\.io/hostname=="127.0.0.1")].kind}"#, "None"),
        ("{.items[?(@..ready==true)].metadata.name}", "127.0.0.1"),
        ("{.users[?(@.user.password)].name}", "e2e"),
        (r#"{range .items[?(.status.ready==true)]}{.metadata.name}{" is ready\n"}{end}"#, "127.0.0.1 is ready\n"),
        ("{.numbers[?(@<2)]} {.numbers[?(@>=4)]} {.numbers[?(@==+3)]} {.numbers[?(@<=1.5)]}", "0 1 4 5 3 0 1"),
        (r#"{.users[?(@.name=="(])\"")].name}"#, ""),
        ("{.bools}", "[true,false,true,false]"),
        ("{.bools[0]} {.bools[-1]} {.bools[0:2]} {.bools[:4:2]}", "true false true false true true"),
        ("{.numbers[1,3,4]}", "1 3 4"),
        (
            "{.strings[::2]}|{.strings[1::2]}|{.strings[-2:]}|{.strings[0:-1]}",
            "one three|two four|three four|one two three",
        ),
        ("{.strings[0:0]}{.strings[9:9]}{.empty[*]}{.null[0]}{.null.x}", ""),
        ("{.null}", "<nil>"),
        ("{..name}", "127.0.0.1 127.0.0.2 myself e2e"),
        ("{...name}", "127.0.0.1 127.0.0.2 myself e2e"),
        ("{..addresses[0].type}", "LegacyHostIP LegacyHostIP"),
        ("{.users[1].user.*}", "secret admin"),
        ("{.users[1].*}", r#"e2e {"password":"secret","username":"admin"}"#),
        (r#"{"{"}{"}"}{ 'a"b' }{5}{1.5}{true}"#, "{}a\"b51.5true"),
        ("{.command}", r#"["sh","-c","a \u0026\u0026 b \u003e c"]"#),
        ("{.command[2]}", "a && b > c"),
        ("before-{.hello}after", "before-after"),
        ("{.users[1].name.x}", ""),
        ("{.users[0].}", r#"{"name":"myself","user":{}}"#),
    ] {
        assert_eq!(fill_in(template, Missing::Ignored).as_deref(), Ok(text), "{template}");
    }
}

#[test]
fn the_object_itself() {
    for template in ["{.}", "{@}", "{$}", "{}"] {
        let found: Value = serde_json::from_str(&fill_in(template, Missing::Refused).unwrap()).unwrap();
        assert_eq!(found, nodes(), "{template}");
    }
}

#[test]
fn what_is_not_there() {
    for (template, why) in [
        ("{.hello}", "hello is not found"),
        ("{.users[*].email}", "email is not found"),
        ("{.kind[0]}", "a string is not array or slice"),
        ("{.items[0].metadata[?(@.x)]}", "an object is not array or slice"),
        ("{.strings[4]}", "array index out of bounds: index 4, length 4"),
        ("{.strings[-5]}", "array index out of bounds: index -5, length 4"),
        ("{.strings[1:9]}", "array index out of bounds: index 9, length 4"),
        ("{.strings[3:1]}", "starting index 3 is greater than ending index 1"),
        ("{.strings[-1:-2]}", "starting index 3 is greater than ending index 2"),
        ("{.strings[0:4:0]}", "step must be > 0"),
        ("{.strings[0:4:-1]}", "step must be > 0"),
        ("{.users[?(@.name==5)]}", "incompatible types for comparison: a string and a number"),
        ("{.bools[?(@<true)]}", "incompatible types for comparison: a bool and a bool"),
        ("{.items[?(@.status.addresses[*].type==\"x\")]}", "can only compare one element at a time"),
        ("{..............x}", "invalid multiple recursive descent"),
    ] {
        let error = fill_in(template, Missing::Refused).unwrap_err();
        assert!(error.contains(why), "{template}: {error}");
    }
    // Where some have it, the others don't matter.
    assert_eq!(fill_in("{.users[*].user.username}", Missing::Refused).as_deref(), Ok("admin"));
    assert_eq!(fill_in("{.users[?(@.name[7])].name}", Missing::Refused).as_deref(), Ok(""));
    // Each step makes four values of one: more than any box has room for.
    let list = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let endless = Template::parse(&format!("{{{}}}", "[0,0,0,0]".repeat(30))).unwrap();
    assert_eq!(endless.find(&list, Missing::Ignored), Err(NotFound::TooMuch));
}

#[test]
fn what_is_no_template() {
    for (template, why) in [
        ("{.hello", "unclosed action, at column 2"),
        ("{.a\n}", "unclosed action"),
        ("two\nlines {*}", "unrecognized character in action: '*', at line 2, column 8"),
        ("{hello}", "unrecognized identifier hello; a field has a dot before it: .hello, at column 2"),
        ("{+12.3.0}", "cannot parse number +12.3.0"),
        ("{[1}", "unterminated array"),
        ("{[x]}", "invalid array index x"),
        ("{[]}", "invalid array index "),
        ("{[1:2:3:4]}", "invalid array index 1:2:3:4"),
        ("{[\"a\"]}", "a key in single quotes"),
        ("{[99999999999999999999]}", "invalid array index"),
        ("{[?(.price]}", "unterminated filter"),
        ("{[?(.price)}", "unclosed array expect ]"),
        ("{[?(.price<>10)]}", "unrecognized filter operator <>; there are == != < <= > >="),
        ("{[?(.name=~\"x\")]}", "unrecognized filter operator ="),
        ("{[?(!.name)]}", "unrecognized filter operator !"),
        ("{[?(.name==)]}", "== compares two values, and one is missing"),
        ("{[?(@.a==1 && @.b==2)]}", "unrecognized character in action: '&'; a filter makes one comparison"),
        ("{........}", "invalid multiple recursive descent"),
        (r"{\\\}", "unrecognized character"),
        (r#"{"abc}"#, "unterminated quoted string, at column 2"),
        (r#"{"\q"}"#, "an escape that isn't one"),
        ("{range .items[*]}{.name}", "a {range} without its {end}, at column 1"),
        ("{.a}{end}", "not in range, nothing to end, at column 5"),
        ("{range .a}{end .b}", "{end} stands alone"),
    ] {
        let error = Template::parse(template).unwrap_err().to_string();
        assert!(error.contains(why), "{template}: {error}");
    }
    assert!(Template::parse(&"{range .a}".repeat(1000)).is_err());
    assert!(Template::parse(&("{range .a}".repeat(32) + &"{end}".repeat(32))).is_ok());
}

#[test]
fn paths_without_braces() {
    for (path, text) in [
        ("kind", "{.kind}"),
        (".kind", "{.kind}"),
        ("{kind}", "{.kind}"),
        ("{.kind}", "{.kind}"),
        ("..name", "{..name}"),
        (".users[?(@.name==\"e2e\")].name", "{.users[?(@.name==\"e2e\")].name}"),
    ] {
        assert_eq!(Template::parse_path(path).unwrap().text(), text, "{path}");
    }
    for path in ["", "{}", "{.a}{.b}", "{.a", "a}b", "a[x]"] {
        assert!(Template::parse_path(path).is_err(), "{path}");
    }
}

#[test]
fn values_as_json() {
    let template = Template::parse("{.users[*].name}{.nothing}").unwrap();
    let text = template.as_json(&nodes(), Missing::Ignored).unwrap();
    assert_eq!(text, "[\n    \"myself\",\n    \"e2e\"\n]\n[]\n");
}

proptest! {
    #[test]
    fn nothing_that_is_written_makes_it_panic(text in any::<String>()) {
        let _ = Template::parse(&text);
        let _ = Template::parse_path(&text);
    }

    /// Of the language's own words and signs.
    #[test]
    fn no_template_makes_it_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", "[?(", ")]", ".", "..", "*", ":", ",", "-1", "2", "1.5", "'", "\"", "\\", "@", "$", " ", "==", "<",
                "range ", "end", "{end}", ".items", ".name", "'a.b'", "true", "x", "ä", "\n", "[0]", "[*]", "{range .items[*]}", ".*",
            ]),
            0..24,
        )
    ) {
        let text = words.concat();
        if let Ok(template) = Template::parse(&text) {
            for missing in [Missing::Ignored, Missing::Refused] {
                let _ = template.fill_in(&nodes(), missing);
                let _ = template.as_json(&nodes(), missing);
            }
        }
    }
}
