//! Which images have to be there before the pod starts.

use super::*;

/// Fields of the images that have to be there.
fn given(pod: &v1::Pod) -> Vec<String> {
    let mut options = options();
    options.claims = BTreeMap::from([("disk".to_owned(), PathBuf::from("/claimed"))]);
    let plan = super::pod(pod, &node(), &options).unwrap();
    let images = images(pod, &plan);
    let given = images.iter().filter(|image| image.origin == Origin::Given);
    given.map(|image| format!("{} {}", image.field, image.value)).collect()
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

/// What neither the manifest nor a bundle will ever come to say is known without a sandbox.
#[test]
fn what_no_retry_can_mend_is_known_by_manifest_and_image() {
    let of_bundle = |more: Value| {
        let mut config = json!({"ociVersion": "1.2.0", "process": {"cwd": "/", "user": {}, "args": ["/bin/app"]}});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let found = |container: Value, config: &Value| {
        let pod = one(container);
        hopeless(&pod, &planned(&pod), &node(), ContainerIndex(0), &image(config.clone())).map(|found| match found {
            Hopeless::NoCommand => "no command".to_owned(),
            Hopeless::Config(error) => error.field,
        })
    };
    let plain = of_bundle(json!({}));
    let silent = of_bundle(json!({"process": {"cwd": "/", "user": {}}}));
    for (container, config, expected) in [
        (json!({}), &plain, None),
        (json!({"command": ["a"]}), &silent, None),
        (json!({"args": ["a"]}), &silent, None),
        (json!({}), &silent, Some("no command")),
        (json!({"command": [""]}), &plain, Some("no command")),
    ] {
        assert_eq!(found(container.clone(), config).as_deref(), expected, "{container}");
    }
    let relative = of_bundle(json!({"process": {"cwd": "srv", "user": {}, "args": ["a"]}}));
    assert_eq!(found(json!({}), &relative).as_deref(), Some("bundle:/m/b: process.cwd"));
    assert_eq!(found(json!({"workingDir": "/srv"}), &relative), None);
    let group = of_bundle(json!({"linux": {"intelRdt": {"closID": "x"}}}));
    assert_eq!(found(json!({}), &group).as_deref(), Some("bundle:/m/b: linux.intelRdt"));
    // What the kubelet shows as a container that waits isn't it.
    for waits in [
        json!({"securityContext": {"runAsNonRoot": true}}),
        json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}),
    ] {
        assert_eq!(found(waits.clone(), &plain), None, "{waits}");
    }
}

/// R8.17: a volume of the store's image is made of its layers, and read-only; of a folder's it is that folder.
#[test]
fn a_volume_of_layers() {
    let pod = v1_pod(json!({
        "volumes": [{"name": "shown", "image": {"reference": "data:1"}}],
        "containers": [{"name": "m", "image": "bundle:m", "volumeMounts": [
            {"name": "shown", "mountPath": "/v"}, {"name": "shown", "mountPath": "/s", "subPath": "a/b"}]}]
    }));
    let facts = image(json!({"ociVersion": "1.2.0", "process": {"cwd": "/", "user": {}, "args": ["a"]}}));
    let plan = container(&pod, &planned(&pod), &node(), ContainerIndex(0), Attempt(0), &facts, &sandbox()).unwrap();
    let mounts = plan.spec.mounts().as_deref().unwrap();
    let at = |place: &str| mounts.iter().position(|mount| mount.destination() == std::path::Path::new(place)).unwrap();
    for place in ["/v", "/s"] {
        let options = mounts[at(place)].options().as_deref().unwrap();
        assert!(["ro", "noexec"].iter().all(|one| options.iter().any(|option| option == one)), "{place}: {options:?}");
    }
    let layers = vec![PathBuf::from("/layers/2"), PathBuf::from("/layers/1")];
    let mut shown: Vec<usize> = plan.images.iter().map(|one| one.mount).collect();
    shown.sort_unstable();
    let mut expected = vec![at("/v"), at("/s")];
    expected.sort_unstable();
    assert_eq!(shown, expected);
    assert!(plan.images.iter().all(|one| one.layers == layers));
    assert_eq!(plan.sub_paths.iter().map(|one| one.mount).collect::<Vec<_>>(), [at("/s")]);
}

/// Whatever an image is for, its name may stand for another one on this box.
#[test]
fn images_that_can_be_exchanged() {
    let pod = v1_pod(json!({
        "containers": [{"name": "main", "image": "a"}],
        "volumes": [{"name": "v", "image": {"reference": "b"}}, {"name": "e", "emptyDir": {}}],
    }));
    let mut plan = planned(&pod);
    for image in plan.images_mut() {
        *image = ImageSource::Rootfs(format!("/{}", image.id()).into());
    }
    assert_eq!(plan.image(ContainerIndex(0)).id(), "rootfs:/a");
    let found: Vec<String> = super::super::images(&pod, &plan).iter().map(|one| one.source.id()).collect();
    assert_eq!(found, ["rootfs:/a", "rootfs:/b"]);
}

/// Places for data of the image's config are mounts that are written to, unless something else is mounted there; what is the
/// kernel's is none.
#[test]
fn places_for_data() {
    let pod = v1_pod(json!({
        "volumes": [{"name": "data", "emptyDir": {}}],
        "containers": [{"name": "m", "image": "app", "securityContext": {"readOnlyRootFilesystem": true},
            "volumeMounts": [{"name": "data", "mountPath": "/cache/"}]}]
    }));
    let named = ["/data", "/cache", "/srv/../data/", "relative", "/", "/proc", "/sys/fs/x", "/dev/shm", "/devices"];
    let facts = ImageFacts { volumes: named.map(Into::into).to_vec(), ..plain() };
    let plan = container(&pod, &planned(&pod), &node(), ContainerIndex(0), Attempt(0), &facts, &sandbox()).unwrap();
    let mounts = plan.spec.mounts().as_deref().unwrap();
    let places: Vec<&str> = plan.data.iter().map(|one| one.path.to_str().unwrap()).collect();
    assert_eq!(places, ["/data", "/relative", "/devices"]);
    for one in &plan.data {
        let mount = &mounts[one.mount];
        assert_eq!((mount.destination(), mount.typ().as_deref()), (&one.path, Some("bind")));
        assert!(mount.options().as_deref().unwrap().iter().any(|option| option == "rw"));
    }
    assert_eq!(mounts.iter().filter(|mount| mount.destination().ends_with("cache")).count(), 1);
}
