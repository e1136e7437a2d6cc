#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::images::tests::fuzz;

fn password(user: &str, password: &str) -> Login {
    Login::Password { user: user.to_owned(), password: password.to_owned() }
}

fn nothing(_: &str) -> Option<String> {
    None
}

/// Logins by this text alone.
fn by(text: &str) -> Credentials {
    let mut all = Credentials { files: Vec::new(), ..Credentials::new(None, nothing) };
    all.add_secret("s", text.as_bytes()).unwrap();
    all
}

#[test]
fn logins_are_read_and_the_most_specific_is_first() {
    // a:b, c:d:e, and f:g without what pads it.
    let text = r#"{"auths": {
        "reg.example": {"auth": "YTpi"},
        "reg.example/team": {"auth": "YzpkOmU="},
        "reg.example/team/app": {"username": "u", "password": "p"},
        "*.example": {"auth": "Zjpn"},
        "token.example": {"auth": "PHRva2VuPjo=", "identitytoken": "id"},
        "empty.example": {},
        "https://index.docker.io/v1/": {"auth": "YTpiAAA"}
    }, "HttpHeaders": {"User-Agent": "docker"}}"#;
    let all = by(text);
    let find = |registry: &str, repository: &str| all.find(registry, repository).unwrap();
    let wanted = [password("u", "p"), password("c", "d:e"), password("a", "b"), password("f", "g")];
    assert_eq!(find("reg.example", "team/app"), wanted);
    assert_eq!(find("reg.example", "team/application"), wanted[1..]);
    assert_eq!(find("reg.example", "other"), wanted[2..]);
    assert_eq!(find("other.example", "x"), wanted[3..]);
    assert_eq!(find("token.example", "x")[0], Login::IdentityToken("id".to_owned()));
    assert_eq!(find("empty.example", "x"), wanted[3..]);
    assert_eq!(find("docker.io", "library/nginx"), [password("a", "b")]);
    assert!(find("elsewhere.test", "x").is_empty());
    // .dockercfg: what stands below `auths` otherwise.
    assert_eq!(by(r#"{"reg.example": {"auth": "YTpi"}}"#).find("reg.example", "x").unwrap(), [password("a", "b")]);
    for empty in
        ["", " \n", "{}", r#"{"auths": null}"#, r#"{"auths": {}}"#, r#"{"detachKeys": "ctrl-x", "plugins": {"a": {}}}"#]
    {
        assert!(by(empty).find("reg.example", "x").unwrap().is_empty(), "{empty}");
    }
}

/// As the kubelet's keyring: all Secrets are one, and the first that is named counts among equals.
#[test]
fn the_most_specific_login_of_all_secrets_is_first() {
    let mut all = by(r#"{"auths": {"reg.example": {"auth": "YTpi"}, "reg.example/team": {"auth": "Zjpn"}}}"#);
    all.add_secret(
        "t",
        br#"{"auths": {"reg.example/team/app": {"auth": "YzpkOmU="}, "reg.example": {"auth": "dTpw"}}}"#,
    )
    .unwrap();
    let found = all.find("reg.example", "team/app").unwrap();
    assert_eq!(found, [password("c", "d:e"), password("f", "g"), password("a", "b"), password("u", "p")]);
    all.check().unwrap();
    all.add_secret("u", br#"{"auths": {"other.example": {"auth": "hush"}}}"#).unwrap();
    assert!(all.check().unwrap_err().to_string().starts_with("Secret u: auths: other.example: auth: USER:PASSWORD"));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("auth.json");
    let check = || Credentials::new(Some(&file), nothing).check().map_err(|error| error.to_string());
    assert!(check().unwrap_err().contains("auth.json: No such file"), "{:?}", check());
    fs::write(&file, "hush").unwrap();
    assert!(check().unwrap_err().contains("auth.json: line 1, column 1: it is no file of logins"), "{:?}", check());
    fs::write(&file, r#"{"auths": {"reg.example": {"auth": "YTpi"}}}"#).unwrap();
    check().unwrap();
}

#[test]
fn what_is_wrong_is_said_without_the_secret() {
    for text in [r#"{"auths": "hush"}"#, r#"{"auths": {"x": {"auth": "hush"}}"#, "hush", r#"{"auths": {"x": "hush"}}"#]
    {
        let mut all = Credentials::new(None, nothing);
        let told = all.add_secret("s", text.as_bytes()).unwrap_err().to_string();
        assert!(told.starts_with("Secret s: line 1, column ") && !told.contains("hush"), "{told}");
    }
    for (text, words) in [
        (r#"{"auths": {"x": {"auth": "hush!"}}}"#, "Secret s: auths: x: auth: USER:PASSWORD in base64 is wanted"),
        (r#"{"auths": {"x": {"auth": "aHVzaA=="}}}"#, "USER:PASSWORD"),
        (r#"{"auths": {"x": {"registrytoken": "hush"}}}"#, "a registrytoken alone is not supported"),
    ] {
        let told = by(text).find("x", "y").unwrap_err().to_string();
        assert!(told.contains(words) && !told.contains("hush"), "{told}");
    }
    assert!(!format!("{:?}", by(r#"{"auths": {"x": {"auth": "aHVzaA=="}}}"#)).contains("aHVzaA"));
}

#[test]
fn files_are_found_where_podman_and_docker_have_them() {
    let home = tempfile::tempdir().unwrap();
    let at = |rest: &str| home.path().join(rest);
    let write = |rest: &str, user: &str| {
        fs::create_dir_all(at(rest).parent().unwrap()).unwrap();
        fs::write(at(rest), format!(r#"{{"auths": {{"reg.example": {{"username": "{user}", "password": "p"}}}}}}"#))
            .unwrap();
    };
    let set = |name: &str| match name {
        "HOME" => Some(at("").display().to_string()),
        "XDG_RUNTIME_DIR" => Some(at("run").display().to_string()),
        _ => None,
    };
    let users = |all: &Credentials| -> Vec<String> {
        let found = all.find("reg.example", "x").unwrap();
        found
            .iter()
            .map(|login| if let Login::Password { user, .. } = login { user.clone() } else { String::new() })
            .collect()
    };
    assert!(users(&Credentials::new(None, set)).is_empty());
    write(".docker/config.json", "docker");
    write("run/containers/auth.json", "run");
    write(".config/containers/auth.json", "config");
    write(".dockercfg", "old");
    write("given.json", "given");
    let mut all = Credentials::new(None, set);
    assert_eq!(users(&all), ["run", "config", "docker", "old"]);
    all.add_secret("s", br#"{"auths": {"reg.example": {"username": "secret"}}}"#).unwrap();
    assert_eq!(users(&all), ["secret", "run", "config", "docker", "old"], "a pod's own are first");
    assert_eq!(users(&Credentials::new(Some(&at("given.json")), set)), ["given"]);
    let by_name = |name: &str| {
        if name == "REGISTRY_AUTH_FILE" { Some(at("given.json").display().to_string()) } else { set(name) }
    };
    assert_eq!(users(&Credentials::new(None, by_name)), ["given"]);
    let told = Credentials::new(Some(&at("absent.json")), set).find("x", "y").unwrap_err().to_string();
    assert!(told.contains("absent.json: No such file"), "{told}");
}

/// A folder with a helper `docker-credential-test` that does this.
fn helper(script: &str) -> (tempfile::TempDir, Credentials) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("docker-credential-test");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let config = folder.path().join("config.json");
    fs::write(&config, r#"{"credHelpers": {"reg.example": "test"}, "credsStore": "test", "auths": {"docker.io": {}}}"#)
        .unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let all = Credentials::new(Some(&config), move |name| (name == "PATH").then(|| path.clone()));
    (folder, all)
}

#[test]
fn programs_that_keep_logins_are_asked() {
    let (_folder, all) = helper(
        r#"[ "$1" = get ] || exit 1
        case $(cat) in
            reg.example) echo '{"ServerURL": "x", "Username": "u", "Secret": "p"}';;
            https://index.docker.io/v1/) echo '{"Username": "<token>", "Secret": "id"}';;
            broken.example) echo 'hush {'; exit 0;;
            locked.example) echo 'the keychain is locked'; exit 1;;
            *) echo 'credentials not found in native keychain'; exit 1;;
        esac"#,
    );
    assert_eq!(all.find("reg.example", "x").unwrap(), [password("u", "p")]);
    assert_eq!(all.find("docker.io", "x").unwrap(), [Login::IdentityToken("id".to_owned())]);
    assert!(all.find("other.example", "x").unwrap().is_empty());
    let told = |registry: &str| all.find(registry, "x").unwrap_err().to_string();
    assert!(
        told("locked.example")
            .ends_with("docker-credential-test: asked for the login of locked.example: the keychain is locked")
    );
    let broken = told("broken.example");
    assert!(broken.contains("what it says is no login") && !broken.contains("hush"), "{broken}");
}

#[test]
fn a_program_that_hangs_is_ended() {
    // One that is silent, one that leaves its pipe to another, and one that says it and stays.
    for script in [
        "exec sleep 1000",
        "sleep 1000 & echo $! > \"$(dirname \"$0\")/pid\"; exit 0",
        "echo '{}'; exec >&-; exec sleep 1000",
    ] {
        let (folder, mut all) = helper(script);
        all.patience = Duration::from_millis(500);
        let told = all.find("reg.example", "x").unwrap_err().to_string();
        assert!(told.contains("docker-credential-test: no login of reg.example came in 0.5 seconds"), "{told}");
        if let Ok(pid) = fs::read_to_string(folder.path().join("pid")) {
            let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
            let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
            rustix::process::pidfd_send_signal(pidfd, rustix::process::Signal::KILL).unwrap();
        }
    }
}

#[test]
fn a_program_must_be_one() {
    let (folder, _) = helper("");
    for (name, words) in
        [("../x", "\"../x\" is no name of a credential helper"), ("absent", "docker-credential-absent: No such file")]
    {
        let config = folder.path().join("other.json");
        fs::write(&config, format!(r#"{{"credsStore": "{name}"}}"#)).unwrap();
        let told = Credentials::new(Some(&config), nothing).find("x", "y").unwrap_err().to_string();
        assert!(told.contains(words), "{told}");
    }
    // What a Secret names is not run.
    let mut all = Credentials { files: Vec::new(), ..Credentials::new(None, nothing) };
    all.add_secret("s", br#"{"credsStore": "absent", "credHelpers": {"x": "absent"}}"#).unwrap();
    assert!(all.find("x", "y").unwrap().is_empty());
}

/// Whatever stands in it: it is read or refused, and nothing of a secret is said.
#[test]
fn changed_logins_do_no_harm() {
    let texts = [
        r#"{"auths": {"reg.example": {"auth": "aHVzaDpodXNo"}, "*.example/team": {"username": "hush", "password": "hush"},
            "https://index.docker.io/v1/": {"identitytoken": "hush"}, "a": {"registrytoken": "hush"}},
            "credHelpers": {"b.example": "x"}, "credsStore": "y"}"#,
        r#"{"reg.example": {"auth": "aHVzaDpodXNo", "email": "a@example"}}"#,
    ];
    fuzz::live(&texts, fuzz::JSON, |bytes| {
        let fits = |error: CredentialsError| {
            assert!(!error.to_string().contains("hush") && !error.to_string().contains("aHVza"), "{error}");
            fuzz::is_fit(&error, bytes)
        };
        let mut all = Credentials { files: Vec::new(), ..Credentials::new(None, nothing) };
        if let Err(error) = all.add_secret("s", bytes) {
            return fits(error);
        }
        all.check().or_else(fits)?;
        let places =
            [("reg.example", "team/app"), ("docker.io", "library/nginx"), ("b.example", "x"), ("localhost:5000", "a")];
        places.into_iter().try_for_each(|(registry, path)| all.find(registry, path).map(drop).or_else(fits))
    });
}
