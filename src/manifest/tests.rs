#![allow(clippy::unwrap_used)]
//! What people see for manifests that are wrong, as snapshots; what a good one gives; and that no text makes decoding
//! panic or hang.

use super::*;

mod bad;
mod hostile;

/// A Pod that uses much of what is honoured.
const GOOD: &str = include_str!("tests/good.yaml");

fn rendered(text: &str) -> String {
    match decode("pod.yaml", text.as_bytes()) {
        Ok(manifest) => format!("accepted\n\n{}", render("pod.yaml", text, &manifest.warnings, Colour::Plain)),
        Err(report) => report.to_string(),
    }
}

/// The one snapshot for each of [`bad::CASES`].
#[test]
fn bad_manifests_are_explained() {
    for (name, text) in bad::CASES {
        let settings = insta::Settings::clone_current();
        settings.bind(|| insta::assert_snapshot!(*name, rendered(text)));
    }
}

#[test]
fn all_bad_manifests_but_the_one_with_warnings_are_refused() {
    for (name, text) in bad::CASES {
        let result = decode("pod.yaml", text.as_bytes());
        assert_eq!(result.is_ok(), *name == "warnings-only", "{name}");
        if let Err(report) = result {
            assert!(report.errors() > 0, "{name}");
            let places: Vec<_> = report.diagnostics.iter().map(|d| d.location.as_ref().map(|l| l.span.start)).collect();
            assert!(places.is_sorted(), "{name}: {places:?}");
        }
    }
}

#[test]
fn a_good_manifest_is_taken_as_it_is_written() {
    let manifest = decode("good.yaml", GOOD.as_bytes()).map_err(|report| report.to_string()).unwrap();
    assert_eq!(manifest.warnings, []);
    insta::assert_yaml_snapshot!("good", manifest.pod);
}

#[test]
fn json_is_yaml() {
    let yaml = decode("good.yaml", GOOD.as_bytes()).map_err(|report| report.to_string()).unwrap().pod;
    for json in
        [serde_json::to_string(&yaml).unwrap(), serde_json::to_string_pretty(&yaml).unwrap().replace("  ", "\t")]
    {
        let pod = decode("good.json", json.as_bytes()).map_err(|report| report.to_string()).unwrap().pod;
        assert_eq!(pod, yaml);
    }
}

#[test]
fn strings_of_json_are_read_to_the_letter() {
    let text = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x","annotations":{"a":"\u00e9\ud83d\ude00\/\"\\\n\t"}},
        "spec":{"containers":[{"name":"a","image":"bundle:a"}]}}"#;
    let pod = decode("x.json", text.as_bytes()).map_err(|report| report.to_string()).unwrap().pod;
    assert_eq!(pod.metadata.annotations.unwrap()["a"], "\u{e9}\u{1f600}/\"\\\n\t");
}

/// libyaml's comments need no space before them, and it knows one escape more than YAML 1.2.
#[test]
fn what_libyaml_takes_is_taken() {
    let head = "apiVersion: v1\nkind: Pod\nmetadata: {name: x, annotations: {a: ";
    let good = "spec: {containers: [{name: b, image: 'bundle:b'}]}\n";
    for (value, expected) in [
        (r#""it\'s""#, "it's"),
        (r#""\'\\'\"\'""#, r#"'\'"'"#),
        (r#""\'" , b: "\'""#, "'"),
        ("'it''s'", "it's"),
        (r"'\'''", r"\'"),
        (r"\'", r"\'"),
        ("\"a\"#c\n", "a"),
        ("'a'#c é\n", "a"),
        ("a#c", "a#c"),
    ] {
        for end in ["}}\n", "}}#c \"\\'\"\n", "}#a\n}#b [\n", " #c\n}}\n"] {
            let text = format!("{head}{value}{end}{good}");
            let pod = decode("x", text.as_bytes()).map_err(|report| report.to_string()).unwrap().pod;
            assert_eq!(pod.metadata.annotations.unwrap()["a"], expected, "{text}");
        }
    }
    // Every place behind what was mended is where it was.
    let text = format!("{head}\"\\'\"}}}}#é\nspec: {{containers: [{{name: b, nope: 1, image: 'bundle:b'}}]}}\n");
    let report = decode("x", text.as_bytes()).unwrap_err();
    assert_eq!(&text[report.diagnostics[0].location.clone().unwrap().span], "nope");
    // What no YAML knows is refused as before.
    for value in [r#""\q""#, r#""\'\q""#, "[a]b"] {
        assert!(decode("x", format!("{head}{value}}}}}\n{good}").as_bytes()).is_err(), "{value}");
    }
}

#[test]
fn a_text_may_be_utf_16_with_a_byte_order_mark() {
    let text = "\u{feff}apiVersion: v1\nkind: Pod\nmetadata: {name: x, annotations: {a: \u{1f600}}}\nspec: {containers: [{name: b, image: 'bundle:b'}]}\n";
    let units = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    for bytes in [units(u16::to_le_bytes), units(u16::to_be_bytes), text.as_bytes().to_vec()] {
        let pod = decode("x", &bytes).map_err(|report| report.to_string()).unwrap().pod;
        assert_eq!(pod.metadata.annotations.unwrap()["a"], "\u{1f600}");
        assert_eq!(shown_text(&bytes), text.trim_start_matches('\u{feff}'));
    }
    let mut half = units(u16::to_le_bytes);
    half.push(0x20);
    let report = decode("x", &half).unwrap_err().to_string();
    assert!(report.contains("half a character is missing"), "{report}");
}

/// As `kubectl apply -f` takes them: one document each.
#[test]
fn json_objects_may_stand_in_a_row() {
    let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "b", "nope": 1, "image": "bundle:b"}]}}"#;
    let map = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"A": "}{"}}"#;
    let good = pod.replace("\"nope\": 1, ", "");
    for text in [format!("{map}{good}"), format!(" {good}\n\n{map}\n")] {
        let manifest = decode("x", text.as_bytes()).map_err(|report| report.to_string()).unwrap();
        assert!(manifest.objects.get(ObjectKind::ConfigMap, "default", "c").is_some());
    }
    // Places are those in the whole text.
    let text = format!("{map}\n{pod}");
    let report = decode("x", text.as_bytes()).unwrap_err();
    let place = report.diagnostics[0].location.clone().unwrap();
    assert_eq!((place.line, &text[place.span]), (2, "\"nope\""));
}

#[test]
fn anchors_and_merge_keys_are_resolved() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers:\n  - &base\n    name: a\n    image: bundle:a\n    env: &env [{name: A, value: b}]\n  - <<: *base\n    name: b\n";
    let spec = decode("x", text.as_bytes()).map_err(|report| report.to_string()).unwrap().pod.spec.unwrap();
    assert_eq!(spec.containers[1].name, "b");
    assert_eq!(spec.containers[1].image, spec.containers[0].image);
    assert_eq!(spec.containers[1].env, spec.containers[0].env);
}

#[test]
fn values_mean_what_they_mean_in_a_cluster() {
    // YAML 1.1: yes is true, 010 is eight; a limit may be a number.
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  hostNetwork: yes\n  terminationGracePeriodSeconds: 010\n  hostname:\n  containers:\n  - {name: a, image: bundle:a, resources: {limits: {cpu: 0.5, memory: 1e6}}}\n";
    let spec = decode("x", text.as_bytes()).map_err(|report| report.to_string()).unwrap().pod.spec.unwrap();
    assert_eq!((spec.host_network, spec.termination_grace_period_seconds, spec.hostname), (Some(true), Some(8), None));
    let limits = spec.containers[0].resources.clone().unwrap().limits.unwrap();
    assert_eq!((limits["cpu"].0.as_str(), limits["memory"].0.as_str()), ("0.5", "1e6"));
}

#[test]
fn a_list_has_limits() {
    // R1.4
    let rules = |count: usize, codes: usize| {
        let codes: Vec<String> = (0..codes).map(|code| (code % 256).to_string()).collect();
        let rule = format!("{{action: Restart, exitCodes: {{operator: In, values: [{}]}}}}", codes.join(", "));
        let rules = vec![rule; count].join(", ");
        rendered(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec:\n  containers: [{{name: a, image: 'bundle:a', restartPolicy: Never, restartPolicyRules: [{rules}]}}]\n"
        ))
    };
    assert!(rules(20, 1).starts_with("accepted"));
    assert!(rules(21, 1).starts_with("error: Too many: 21: must have at most 20 items"));
    assert!(rules(1, 255).starts_with("accepted"));
    assert!(rules(1, 256).starts_with("error: Too many: 256: must have at most 255 items"));
}

#[test]
fn colour_is_the_callers_choice() {
    let report = decode("pod.yaml", b"apiVersion: v1\nkind: Pd\n").unwrap_err();
    let (plain, colour) = (report.render(Colour::Plain), report.render(Colour::Ansi));
    assert!(!plain.contains('\u{1b}') && colour.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&colour).to_string(), plain);
}

/// What `kubectl get pod -o yaml` gives.
const EXPORTED: &str = include_str!("tests/exported.yaml");

/// A pod of a cluster runs as it was exported: the account's token is left out with its mounts, and all that means nothing
/// here is one line.
#[test]
fn an_exported_pod_is_taken() {
    let manifest = decode("pod.yaml", EXPORTED.as_bytes()).map_err(|report| report.to_string()).unwrap();
    let spec = manifest.pod.spec.unwrap();
    let volumes: Vec<_> = spec.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
    assert_eq!(volumes, ["data", "own"]);
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        let mounts: Vec<_> = container.volume_mounts.iter().flatten().map(|mount| mount.name.as_str()).collect();
        assert_eq!(mounts, ["data"], "{}", container.name);
    }
    let said: Vec<_> = manifest.warnings.iter().filter(|warning| warning.severity == Severity::Warning).collect();
    assert_eq!(said.len(), 1);
    assert_eq!(
        said[0].message,
        "kube-api-access-x2bvn is left out, with its mounts: there is no API server to issue tokens"
    );
    assert_eq!(&EXPORTED[said[0].location.clone().unwrap().span], "kube-api-access-x2bvn");
    let fields = "metadata.creationTimestamp, metadata.generation, metadata.managedFields, metadata.ownerReferences, \
        metadata.resourceVersion, spec.dnsPolicy, spec.nodeName, spec.preemptionPolicy, spec.priority, spec.schedulerName, \
        spec.serviceAccount, spec.serviceAccountName, spec.tolerations, status";
    let line = format!("pod.yaml: these fields have no effect on one box: {fields} (run --verbose says why each)");
    assert_eq!(without_effect("pod.yaml", &manifest.warnings), Some(line));
    // What is found out later is told in its place all the same.
    let field = FieldPath::root().child("spec.volumes").index(1).child("hostPath.path");
    let wrong = Wrong::Absent { value: "/srv".to_owned() };
    let report = refuse(&named(EXPORTED), 0, &[Finding { field, wrong, help: None }]).unwrap_err();
    assert_eq!(&EXPORTED[report.diagnostics[0].location.clone().unwrap().span], "/srv");
    // A token that somebody wrote into a manifest is asked for.
    let asked = EXPORTED.replace("kube-api-access-x2bvn", "token");
    assert!(decode("pod.yaml", asked.as_bytes()).unwrap_err().to_string().contains("no API server to issue tokens"));
}

fn named(text: &str) -> Text {
    Text { name: "pod.yaml".to_owned(), bytes: text.as_bytes().to_vec() }
}

/// As a node without the device plugin: the container gets none of it. The API server's rules hold all the same.
#[test]
fn what_no_device_plugin_offers_is_left_out() {
    let with = |resources: &str| {
        rendered(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec:\n  containers: [{{name: a, image: 'bundle:a', resources: {resources}}}]\n"
        ))
    };
    let gpu = "warning: nvidia.com/gpu has no effect: this box offers none, so that the container gets none";
    for (resources, expected) in [
        ("{limits: {nvidia.com/gpu: 1}}", gpu),
        ("{limits: {nvidia.com/gpu: 1}, requests: {nvidia.com/gpu: 1}}", gpu),
        (
            "{requests: {nvidia.com/gpu: 1}}",
            "error: Required value: Limit must be set for non overcommitable resources",
        ),
        ("{limits: {nvidia.com/gpu: 2}, requests: {nvidia.com/gpu: 1}}", "must be equal to nvidia.com/gpu limit of 2"),
        ("{limits: {nvidia.com/gpu: 500m}}", "must be an integer"),
        ("{limits: {nvidia.com/g pu: 1}}", "error: Invalid value: \"nvidia.com/g pu\""),
    ] {
        let said = with(resources);
        assert!(said.contains(expected) && said.starts_with("accepted") == (expected == gpu), "{resources}: {said}");
    }
}

/// What is found out later is said as what is wrong with the text is: in its place, also behind other documents.
#[test]
fn findings_are_told_in_their_places() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: hidden}\n---\napiVersion: v1\nkind: Pod\n\
        metadata: {name: x}\nspec:\n  containers:\n  - name: a\n    image: bundle:a\n  - name: b\n    image: bundle:b\n";
    let field = |at: usize, name: &str| FieldPath::root().child("spec.containers").index(at).child(name);
    let absent = Finding {
        field: field(0, "image"),
        wrong: Wrong::Absent { value: "bundle:a".to_owned() },
        help: Some("there is no /m/\u{1b}a".to_owned()),
    };
    let unusable = Finding {
        field: field(1, "image"),
        wrong: Wrong::Unusable { value: "bundle:b".to_owned(), why: "config.json: \u{1b}EOF".to_owned() },
        help: None,
    };
    let wrong = Wrong::Missing { why: "bundle:b doesn't say what to run".to_owned() };
    let missing = Finding { field: field(1, "command"), wrong, help: Some("write one".to_owned()) };
    assert!(refuse(&named(text), 1, &[]).is_ok());
    let report = refuse(&named(text), 1, &[missing, unusable, absent]).unwrap_err();
    assert_eq!(report.errors(), 3);
    insta::assert_snapshot!(report.to_string(), @r###"
    error: Not found: "bundle:a"
      --> pod.yaml:12:12   spec.containers[0].image (document 2)
    12 |     image: bundle:a
       |            ^^^^^^^^ help: there is no /m/\u{1b}a

    error: Required value: bundle:b doesn't say what to run
      --> pod.yaml:13:5   spec.containers[1].command (document 2)
    13 |   - name: b
       |     ^^^^ help: write one

    error: Invalid value: "bundle:b": config.json: \u{1b}EOF
      --> pod.yaml:14:12   spec.containers[1].image (document 2)
    14 |     image: bundle:b
       |            ^^^^^^^^
    "###);
}
