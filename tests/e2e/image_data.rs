//! Places for data that an image's config names (`Volumes`).

use serde_json::json;

use crate::harness::Case;
use crate::harness::image::{Layer, busybox, write};

/// They have what the image has there, are written to though the root isn't, and are new at each start; what isn't there is made, and
/// what the manifest mounts counts.
#[test]
fn volumes_of_the_config() {
    for (name, host_users) in [("image-data", true), ("image-data-ns", false)] {
        let Some(case) = Case::new(name) else { return };
        let layout = case.dir().join("images");
        let process =
            json!({"Volumes": {"/data": {}, "/made/deep": {}, "/mounted": {}, "/link/in": {}, "/": {}, "/proc": {}}});
        let layer = Layer::default()
            .folder("data/", 0o1777)
            .file("data/file", b"of the image\n")
            .folder("mounted/", 0o755)
            .file("mounted/file", b"hidden\n")
            .folder("real/", 0o755)
            .folder("real/in/", 0o750)
            .link("link", "/real");
        write(&layout, "web", &process, vec![busybox(), layer]);
        let script = "cat /data/file >> /t/log; echo $(ls /data) $(ls /mounted) >> /t/log; \
            echo $(stat -c %a /data /made/deep /real/in) >> /t/log; \
            for place in /data /made/deep /mounted /real/in; do echo x > $place/new || echo no $place >> /t/log; done; \
            (echo x > /real/new) 2>/dev/null && echo written >> /t/log; echo $(cat /data/new /real/in/new) >> /t/log; exit 1";
        let pod = case
            .pod()
            .spec(json!({"hostUsers": host_users, "restartPolicy": "OnFailure", "volumes": [{"name": "v", "emptyDir": {}}]}))
            .container(json!({
                "name": "main", "image": "oci:images:web", "command": ["/bin/sh", "-c", script],
                "securityContext": {"readOnlyRootFilesystem": true},
                "volumeMounts": [{"name": "t", "mountPath": "/t"}, {"name": "v", "mountPath": "/mounted"}]
            }));
        let mut run = case.start(&pod);
        // The first restart comes at once.
        crate::harness::wait("two rounds", || case.times_said("x x") == 2);
        run.signal(rustix::process::Signal::TERM);
        run.end();
        let first = ["of the image", "file", "1777 755 750", "x x"];
        let again = ["of the image", "file new", "1777 755 750", "x x"];
        assert_eq!(case.trace(), [first, again].concat(), "{}", run.stderr());
        case.nothing_left();
    }
}
