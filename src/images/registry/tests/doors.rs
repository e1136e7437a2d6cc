//! Registries that want a login, by themselves or by a token server.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn password() -> Option<Login> {
    Some(Login::Password { user: "some".to_owned(), password: "secret:one".to_owned() })
}

/// `some:secret:one`
const BASIC: &str = "Basic c29tZTpzZWNyZXQ6b25l";

fn door(realm: &str) -> Answer {
    let wanted = format!("Bearer realm=\"{realm}\",service=\"reg\",scope=\"repository:team/app:pull\"");
    Answer::new(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#)
        .with("WWW-Authenticate", &wanted)
}

/// A token server whose tokens are numbered.
fn token_server() -> Server {
    let given = AtomicUsize::new(0);
    Server::tls(move |_| {
        let number = given.fetch_add(1, Ordering::SeqCst);
        Answer::ok(format!("{{\"token\":\"t{number}\",\"expires_in\":60}}"))
    })
}

#[test]
fn a_token_is_fetched_and_used_until_it_expires() {
    let tokens = token_server();
    let realm = format!("https://{}/token?a=b", tokens.host());
    // From the third request on the first token counts no more.
    let registry = Server::tls(move |request| match (request.header("authorization"), request.number) {
        ("Bearer t0", 0..=2) | ("Bearer t1", _) => manifest(),
        _ => door(&realm),
    });
    let (client, of) = (client(), repository(&registry));
    for _ in 0..3 {
        fetch(&client, &of, "latest").unwrap();
    }
    let asked: Vec<String> = registry.asked().iter().map(|one| one.header("authorization").to_owned()).collect();
    assert_eq!(asked, ["", "Bearer t0", "Bearer t0", "Bearer t0", "Bearer t1"]);
    let asked = tokens.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].path, "/token?a=b&scope=repository%3Ateam%2Fapp%3Apull&service=reg");
    assert!(!asked[0].headers.contains_key("authorization"), "as anybody");
}

#[test]
fn a_login_goes_to_the_token_server_alone() {
    let tokens = Server::tls(|request| match (request.method.as_str(), request.header("authorization")) {
        ("GET", BASIC) => Answer::ok(r#"{"access_token":"good"}"#),
        ("POST", "") if request.body.contains("refresh_token=identity") && request.body.contains("service=reg") => {
            Answer::ok(r#"{"access_token":"good"}"#)
        }
        _ => Answer::new(401, r#"{"details":"incorrect username or password"}"#),
    });
    let realm = format!("https://{}/token", tokens.host());
    let registry =
        Server::tls(
            move |request| if request.header("authorization") == "Bearer good" { manifest() } else { door(&realm) },
        );
    let as_who = |login: Option<Login>| fetch(&client(), &Repository { login, ..repository(&registry) }, "latest");
    as_who(password()).unwrap();
    as_who(Some(Login::IdentityToken("identity".to_owned()))).unwrap();
    assert!(registry.asked().iter().all(|request| request.header("authorization") != BASIC));
    let wrong = Login::Password { user: "x".to_owned(), password: "y".to_owned() };
    assert!(!format!("{wrong:?}").contains('y'), "secrets are not shown");
    let told = as_who(Some(wrong)).unwrap_err().to_string();
    let words = format!(
        "{} answers 401 Unauthorized (incorrect username or password); the login isn't accepted",
        tokens.host()
    );
    assert!(told.contains(&words), "{told}");
}

#[test]
fn a_password_may_be_enough() {
    let registry = Server::tls(|request| match request.header("authorization") {
        BASIC => manifest(),
        _ => Answer::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let of = Repository { login: password(), ..repository(&registry) };
    let client = client();
    fetch(&client, &of, "latest").unwrap();
    fetch(&client, &of, "latest").unwrap();
    assert_eq!(registry.asked().len(), 3, "known from then on");
    let told = fetch(&client, &repository(&registry), "latest").unwrap_err().to_string();
    assert!(told.contains("401 Unauthorized; log in (docker login"), "{told}");
}

#[test]
fn what_opens_nothing_comes_to_an_end() {
    let tokens = token_server();
    let realm = format!("https://{}/token", tokens.host());
    let registry = Server::tls(move |_| door(&realm));
    let of = Repository { login: password(), ..repository(&registry) };
    let told = fetch(&client(), &of, "latest").unwrap_err().to_string();
    assert!(told.contains("(UNAUTHORIZED: authentication required); the login isn't accepted"), "{told}");
    assert_eq!((registry.asked().len(), tokens.asked().len()), (2, 1));
    for (header, words) in [
        ("Negotiate", "wants a login of an unknown kind (Negotiate)"),
        (
            "Bearer realm=\"http://127.0.0.1:1/token\"",
            "sends logins to http://127.0.0.1:1/token, where they could be overheard",
        ),
        ("Bearer realm=\"/token\"", "the token server /token gives no token: it has no address"),
    ] {
        let told = refusal(move |_| Answer::new(401, "").with("WWW-Authenticate", header));
        assert!(told.contains(words), "{told}");
    }
    for (answer, words) in [
        ("{}", "there is none in its answer"),
        ("<html>", "expected value"),
        (r#"{"token":"a\nb"}"#, "letters that no token has"),
    ] {
        let tokens = Server::tls(move |_| Answer::ok(answer));
        let realm = format!("https://{}/token", tokens.host());
        let told = refusal(move |_| door(&realm));
        assert!(told.contains("gives no token") && told.contains(words), "{told}");
    }
}

/// A registry's token is not for the store of blobs that it sends us to.
#[test]
fn a_redirect_loses_the_secret() {
    let other = Server::tls(|request| match request.header("authorization") {
        "" => Answer::ok("blob"),
        _ => Answer::new(400, "a secret, thank you"),
    });
    let to = format!("https://{}/signed?x=y", other.host());
    let registry = Server::tls(move |request| match request.header("authorization") {
        BASIC => Answer::new(307, "").with("Location", &to),
        _ => Answer::new(401, "").with("WWW-Authenticate", "Basic"),
    });
    let of = Repository { login: password(), ..repository(&registry) };
    let mut blob = client().blob(&of, &Digest::of(b"blob"), 4).unwrap();
    let mut found = String::new();
    std::io::Read::read_to_string(&mut blob, &mut found).unwrap();
    assert_eq!(found, "blob");
    // One that wants a login there doesn't get it.
    let other = Server::tls(|_| Answer::new(401, "").with("WWW-Authenticate", "Basic"));
    let to = format!("https://{}/", other.host());
    let registry = Server::tls(move |_| Answer::new(302, "").with("Location", &to));
    let of = Repository { login: password(), ..repository(&registry) };
    assert!(fetch(&client(), &of, "latest").is_err());
    assert_eq!(other.asked().len(), 1);
}

/// Who waits for another one's token takes that.
#[test]
fn threads_share_a_token() {
    let tokens = token_server();
    let realm = format!("https://{}/token", tokens.host());
    let registry = Server::tls(
        move |request| if request.header("authorization") == "Bearer t0" { manifest() } else { door(&realm) },
    );
    let (client, of) = (client(), repository(&registry));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| fetch(&client, &of, "latest").unwrap());
        }
    });
    assert_eq!(tokens.asked().len(), 1);
}
