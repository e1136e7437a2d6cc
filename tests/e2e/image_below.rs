//! A store of images that came with the box, on a file system that nobody writes to.

use std::fs;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;

use crate::harness::image::{Layer, busybox, write};
use crate::harness::{Case, own_mounts, said};

/// Its images run, are verified and shown; layers of theirs aren't brought again; nothing removes them.
#[test]
fn images_that_came_with_the_box() {
    let Some(case) = Case::new("shipped") else { return };
    let layout = case.dir().join("images");
    write(&layout, "web", &json!({}), vec![busybox(), Layer::default().file("word", b"shipped\n")]);
    let [web, more] = ["web", "more"].map(|name| format!("oci:{}:{name}", layout.display()));
    assert_eq!(said(&case, &["image", "pull", "-q", &web]).0, Some(0));
    let (store, shipped) = (case.root().join("data/images"), case.dir().join("shipped"));
    fs::rename(&store, &shipped).unwrap();
    own_mounts();
    mount(Some(&shipped), &shipped, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, &shipped, None::<&str>, read_only, None::<&str>).unwrap();

    let option = ["--image-store-ro", shipped.to_str().unwrap()];
    let image = |words: &[&str]| said(&case, &[&["image"], words, &option].concat());
    assert_eq!(said(&case, &["image", "ls", "-o", "name"]).1, "");
    assert_eq!(image(&["ls", "-o", "name"]).1, format!("{web}\n"));
    assert!(image(&["ls"]).1.lines().last().unwrap().trim_end().ends_with("read-only"));
    assert_eq!(image(&["verify"]), (Some(0), format!("{web} is whole\n"), String::new()));
    let (code, _, err) = image(&["rm", &web]);
    assert!(code == Some(1) && err.contains("a store that is never changed"), "{err}");
    let (code, out, err) = image(&["prune", "--all"]);
    assert!(
        (code, out.as_str()) == (Some(0), "") && err.contains("images of stores that are never changed stay: 1"),
        "{err}"
    );

    let run = |image: &str, script: &str| {
        let pod = case.pod().container(json!({
            "name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["/bin/sh", "-c", script],
            "volumeMounts": [{"name": "t", "mountPath": "/t"}]
        }));
        let mut run = case.start_with(&pod, &option);
        assert_eq!(run.end(), 0, "{}", run.stderr());
    };
    let layers = || fs::read_dir(store.join("layers")).map_or(0, Iterator::count);
    fs::rename(&layout, case.dir().join("away")).unwrap();
    run(&web, "cat /word >> /t/log; echo mine > /word; cat /word >> /t/log");
    assert_eq!((case.trace(), layers()), (vec!["shipped".to_owned(), "mine".to_owned()], 0));
    fs::rename(case.dir().join("away"), &layout).unwrap();
    write(&layout, "more", &json!({}), vec![busybox(), Layer::default().file("word", b"more\n")]);
    run(&more, "cat /word >> /t/log");
    assert_eq!((case.trace().last().unwrap().as_str(), layers()), ("more", 1));
    assert_eq!(image(&["verify"]).1.lines().count(), 2);
    assert_eq!(image(&["prune", "--all"]).1, format!("{more}\n"));
    assert_eq!((image(&["ls", "-o", "name"]).1, layers()), (format!("{web}\n"), 0));
    // What isn't a store, or may be changed by others, is refused before anything is made.
    let (code, _, err) = said(&case, &["image", "ls", "--image-store-ro", "/proc"]);
    assert!(code != Some(0) && err.contains("image store /proc: layout/index.json: "), "{err}");
    umount2(&shipped, MntFlags::MNT_DETACH).unwrap();
    fs::set_permissions(&shipped, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let (code, _, err) = image(&["ls"]);
    assert!(code != Some(0) && err.contains("shipped"), "{err}");
    case.nothing_left();
}
