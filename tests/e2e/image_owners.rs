//! Images in pods of an ordinary user with subordinate ids (docs/rootless.md).

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;

use crate::harness::image::{Layer, busybox, write};
use crate::harness::user::{FIRST, Ids, UID};
use crate::harness::{Case, good};

/// An image's files have the owners and modes inside that they have in the image, and on the disk the user's own ids; who may read
/// them follows from that. The user verifies and removes the image without help.
#[test]
fn files_have_their_owners() {
    let Some(case) = Case::of_user("user-image", Ids::Subordinate) else { return };
    let layer = Layer::default()
        .owned("of-root", (0, 0), 0o600, b"root's\n")
        .owned("of-app", (1000, 1001), 0o600, b"app's\n")
        .owned("of-nobody", (65_534, 65_534), 0o640, b"")
        .owned("set", (1000, 1001), 0o4755, b"");
    write(&case.dir().join("images"), "one", &json!({"User": "1000:1001"}), vec![busybox(), layer]);
    let look =
        "stat -c '%n %u %g %a' /of-root /of-app /of-nobody /set; id -u; cat /of-app; cat /of-root || echo refused";
    let container = |name: &str| json!({"name": name, "image": "oci:images:one", "command": ["/bin/sh", "-c", look]});
    let mut as_root = container("root");
    as_root["securityContext"] = json!({"runAsUser": 0, "runAsGroup": 0});
    let mut run = case.start(&case.pod().container(container("app")).container(as_root));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    let shown = "/of-root 0 0 600\n/of-app 1000 1001 600\n/of-nobody 65534 65534 640\n/set 1000 1001 4755\n";
    let out = |name: &str| -> String {
        let all = case.logs(name, &[]);
        all.lines().filter(|line| !line.starts_with("cat: ")).map(|line| format!("{line}\n")).collect()
    };
    assert_eq!(out("app"), format!("{shown}1000\napp's\nrefused\n"));
    assert_eq!(out("root"), format!("{shown}0\napp's\nroot's\n"));
    let layers = case.root().join("data/images/layers");
    let owner = |name: &str| -> Vec<(u32, u32)> {
        let trees = fs::read_dir(&layers).unwrap().map(|layer| layer.unwrap().path().join("tree").join(name));
        trees.filter_map(|path| fs::metadata(path).ok()).map(|found| (found.uid(), found.gid())).collect()
    };
    assert_eq!(owner("of-root"), [(UID, UID)]);
    assert_eq!(owner("of-app"), [(FIRST + 999, FIRST + 1000)]);
    assert_eq!(owner("of-nobody"), [(FIRST + 65_533, FIRST + 65_533)]);
    let image = good(&case, &["image", "ls", "-o", "name"]);
    assert_eq!(good(&case, &["image", "verify"]), format!("{} is whole\n", image.trim_end()));
    assert_eq!(good(&case, &["image", "rm", image.trim_end()]), image);
    assert_eq!(fs::read_dir(&layers).unwrap().count(), 0);
    case.nothing_left();
}
