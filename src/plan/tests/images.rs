//! Which images have to be there before the pod starts.

use super::*;

/// Fields of the images that have to be there.
fn given(pod: &v1::Pod) -> Vec<String> {
    let mut options = options();
    options.claims = BTreeMap::from([("disk".to_owned(), PathBuf::from("/claimed"))]);
    let plan = super::pod(pod, &node(), &options).unwrap();
    given_images(pod, &plan).iter().map(|image| format!("{} {}", image.field, image.value)).collect()
}

#[test]
fn images_of_all_containers_and_volumes_have_to_be_there() {
    let pod = v1_pod(json!({
        "volumes": [{"name": "e", "emptyDir": {}}, {"name": "i", "image": {"reference": "rootfs:/data"}}],
        "initContainers": [
            {"name": "a", "image": "bundle:a"}, {"name": "s", "image": "bundle:s", "restartPolicy": "Always"}],
        "containers": [{"name": "m", "image": "bundle:m"}, {"name": "n", "image": "rootfs:/n"}]
    }));
    let all = [
        "spec.initContainers[0].image bundle:a",
        "spec.initContainers[1].image bundle:s",
        "spec.containers[0].image bundle:m",
        "spec.containers[1].image rootfs:/n",
        "spec.volumes[1].image.reference rootfs:/data",
    ];
    assert_eq!(given(&pod), all);
}

/// What an init container may unpack to a folder of the box comes when it comes.
#[test]
fn images_in_folders_that_the_pod_mounts_need_not() {
    for (image, is_given) in [
        ("rootfs:/srv/images/web", false),
        ("rootfs:/srv/images", false),
        ("bundle:/srv/x/../images/web", false),
        ("bundle:../srv/images/web", false),
        ("rootfs:/claimed/web", false),
        ("rootfs:/srv", true),
        ("rootfs:/srv/images-of-others", true),
        ("rootfs:/srv/images/../web", true),
        ("bundle:web", true),
    ] {
        let pod = v1_pod(json!({
            "volumes": [
                {"name": "h", "hostPath": {"path": "/srv/images/"}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "disk"}}
            ],
            "containers": [{"name": "m", "image": image}]
        }));
        let expected = if is_given { vec![format!("spec.containers[0].image {image}")] } else { Vec::new() };
        assert_eq!(given(&pod), expected, "{image}");
    }
}
