//! The catalogue's own texts, changed by chance: disks do that, and other tools that write into the layout.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::json;

use super::{CHOSEN_FROM, Catalogue, Entry, KEPT, PROOFS, REF_NAME, SUMMARIES, Summary};
use crate::images::digest::Digest;
use crate::images::tests::fuzz;

/// A text without the folder of the test, in what is said.
fn said(error: &impl ToString, dir: &Path) -> String {
    error.to_string().replace(&dir.display().to_string(), "DIR")
}

/// Whatever stands in index.json: its names can be read, and each be found, kept and taken away without a change of the others; or it
/// is refused with words, and stays as it is.
#[test]
fn changed_catalogues_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::at(dir.path());
    drop(catalogue.lock().unwrap());
    let path = dir.path().join("layout/index.json");
    let (web, db) = (Digest::of(b"web"), Digest::of(b"db"));
    let of = |digest: &Digest, annotations: serde_json::Value| json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 3, "annotations": annotations});
    let proofs = json!([{"key": web, "digest": db, "name": "reg.example/team/web"}]).to_string();
    let good = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        of(&web, json!({REF_NAME: "reg.example/team/web:1", CHOSEN_FROM: db, PROOFS: proofs, KEPT: ""})),
        of(&db, json!({REF_NAME: "reg.example/team/db:1"})),
        of(&db, json!({})),
    ]})
    .to_string();
    fuzz::live(&[&good, r#"{"schemaVersion": 2, "manifests": []}"#], fuzz::JSON, |text| {
        fs::write(&path, text).unwrap();
        let lock = catalogue.lock().unwrap();
        let all = match catalogue.list() {
            Ok(all) => all,
            Err(error) => {
                fuzz::is_fit(&said(&error, dir.path()), text)?;
                let refused = [
                    catalogue.find("reg.example/team/db:1").is_err(),
                    catalogue.keep_for_good(&lock, "reg.example/team/db:1").is_err(),
                    catalogue.forget(&lock, "reg.example/team/db:1").is_err(),
                    catalogue.sweep(&lock).is_err(),
                ];
                prop_assert_eq!((refused, fs::read(&path).unwrap()), ([true; 4], text.to_vec()));
                return Ok(());
            }
        };
        for entry in &all {
            let found = catalogue.find(&entry.name).unwrap();
            prop_assert_eq!(found.as_ref(), Some(entry));
        }
        for entry in &all {
            catalogue.keep_for_good(&lock, &entry.name).unwrap();
        }
        let kept = catalogue.list().unwrap();
        prop_assert!(kept.iter().all(|entry| entry.is_kept));
        let names = |all: &[Entry]| -> Vec<_> {
            all.iter()
                .map(|one| (one.name.clone(), one.manifest.clone(), one.source.clone(), one.proofs.clone()))
                .collect()
        };
        prop_assert_eq!(names(&kept), names(&all));
        if let Some((first, rest)) = all.split_first() {
            prop_assert!(catalogue.forget(&lock, &first.name).unwrap());
            prop_assert_eq!(names(&catalogue.list().unwrap()), names(rest));
        }
        Ok(())
    });
}

/// Likewise of what is known of an image: read, or refused with words; and a sweep, which can't tell any more what the image needs,
/// removes nothing.
#[test]
fn changed_summaries_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::at(dir.path());
    let lock = catalogue.lock().unwrap();
    let (manifest, config, layer) = (Digest::of(b"manifest"), Digest::of(b"config"), Digest::of(b"layer"));
    let summary = Summary::new(config, vec![layer], 9, ["root:x:0:0::/:\n".into(), "root:x:0:\n".into()]);
    let good = serde_json::to_string(&summary).unwrap();
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "", "digest": manifest, "size": 8, "annotations": {REF_NAME: "web"},
    }]});
    fs::write(dir.path().join("layout/index.json"), index.to_string()).unwrap();
    let path = dir.path().join("layout").join(SUMMARIES).join(manifest.hex());
    fuzz::live(&[&good], fuzz::JSON, |text| {
        fs::write(&path, text).unwrap();
        let swept = catalogue.sweep(&lock).map(|(layers, _)| layers);
        match (catalogue.summary(&manifest), swept) {
            (Ok(summary), Ok(layers)) => {
                let _ = (summary.time(), catalogue.last_use(&manifest));
                prop_assert_eq!(layers, summary.layers);
            }
            (Err(error), Err(_)) => fuzz::is_fit(&said(&error, dir.path()), text)?,
            (read, swept) => return Err(TestCaseError::fail(format!("{read:?}, {swept:?}"))),
        }
        prop_assert!(path.exists());
        Ok(())
    });
}
