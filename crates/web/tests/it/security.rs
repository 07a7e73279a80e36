//! What protects the pages: headers, cookies, forged forms, hostile mail, TLS.

use std::sync::Arc;

use postroom_operations::{Role, Scope};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::Call;
use crate::house::House;

pub const HOSTILE: &str = "From: \"</a><script>window.ran=1</script>\u{202e}moc.elpmaxe\" <evil@x.example>\nTo: support@demo.example\n\
    Message-ID: <evil@x.example>\nSubject: <script>window.ran=1</script><img src=x onerror=window.ran=1>\n\
    MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
    --b\nContent-Type: text/html; charset=utf-8\n\n<p onclick=\"window.ran=1\">Hello<script>window.ran=1</script>\
    <img src=\"https://tracker.example/p.gif\"><a href=\"javascript:window.ran=1\">x</a></p>\n\
    --b\nContent-Type: text/html; name=\"<script>window.ran=1<script>.html\"\nContent-Disposition: attachment; filename=\"<img src=x onerror=window.ran=1>.html\"\n\n<script>window.ran=1</script>\n--b--\n";

#[tokio::test]
async fn every_answer_has_its_headers() {
    let house = House::open().await;
    let token = house.token(Scope::Api).await;
    let viewer = house.browser(Role::Viewer).await;
    let answers = [
        house.look(&viewer, "/").send().await,
        house.get("/sign-in").send().await,
        house.get("/nowhere").send().await,
        house.get("/api/v1/today").bearer(&token).send().await,
        house.get("/api/v1/today").send().await,
        house.get("/healthz").send().await,
    ];
    for answer in answers {
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with(
                "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
            ),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert!(!answer.header("permissions-policy").is_empty());
        assert_eq!(answer.header("strict-transport-security"), "");
    }
}

#[tokio::test]
async fn pages_have_no_inline_script_or_style() {
    let house = House::open().await;
    let owner = house.browser(Role::Owner).await;
    let (mail, _) = (house.tracked().await, house.shelve().await);
    let record = house.story.case_pump.to_string();
    for path in [
        "/".into(),
        "/messages".into(),
        format!("/messages/{mail}"),
        "/records".into(),
        format!("/records/{record}"),
        "/shelf".into(),
    ] {
        let page = house.look(&owner, &path).send().await;
        assert_eq!(page.status, 200, "{path}");
        let text = page.page();
        assert!(
            !text.contains(" style=") && !text.contains("<style") && !text.contains(" onclick"),
            "{path}"
        );
        assert!(
            !text.contains("<script>") && !text.contains("http://") && !text.contains("https://"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_link_is_used_by_its_button_and_once() {
    let house = House::open().await;
    let link = house.link(Role::Operator).await;
    for _ in 0..3 {
        let page = house.get(&format!("/sign-in?link={link}")).send().await;
        assert!(page.status == 200 && page.page().contains("<button"), "opening uses nothing up");
    }
    let enter = |site: &str| {
        let call = house.post("/sign-in").header("Sec-Fetch-Site", site);
        call.body("application/x-www-form-urlencoded", format!("link={link}")).send()
    };
    assert_eq!(enter("cross-site").await.status, 403);
    let entered = enter("same-origin").await;
    assert_eq!((entered.status, entered.header("location")), (303, "/"));
    let cookie = entered.header("set-cookie");
    assert!(
        cookie.starts_with("postroom=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(enter("same-origin").await.status, 403);
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let house = House::open().await;
    let browser = house.browser(Role::Viewer).await;
    assert_eq!(house.look(&browser, "/").send().await.status, 200);
    let left = house.submit(&browser, "/sign-out", "").send().await;
    assert!(left.status == 303 && left.header("set-cookie").contains("Max-Age=0"));
    let after = house.look(&browser, "/").send().await;
    assert_eq!((after.status, after.header("location")), (303, "/sign-in"));
}

#[tokio::test]
async fn forged_forms_do_nothing() {
    let house = House::open().await;
    let operator = house.browser(Role::Operator).await;
    let id = house.review().await;
    let path = format!("/messages/{id}/reject");
    let own = format!("http://{}", house.at);
    let cases = [
        ("Origin", "http://evil.example", operator.csrf.as_str()),
        ("Sec-Fetch-Site", "cross-site", operator.csrf.as_str()),
        ("Sec-Fetch-Site", "same-site", operator.csrf.as_str()),
        ("X-Nothing", "x", operator.csrf.as_str()),
        ("Origin", own.as_str(), "wrong"),
        ("Origin", own.as_str(), ""),
    ];
    for (name, value, csrf) in cases {
        let call = house.post(&path).header("Cookie", &operator.cookie).header(name, value);
        let answer = call.body("application/x-www-form-urlencoded", format!("csrf={csrf}")).send().await;
        assert_eq!(answer.status, 403, "{name}: {value}, {csrf:?}");
        let call =
            house.post(&format!("/api/v1{path}")).header("Cookie", &operator.cookie).header(name, value);
        let answer = call.header("X-CSRF-Token", csrf).send().await;
        assert_eq!(answer.status, 403, "API with {name}: {value}, {csrf:?}");
    }
    assert_eq!(house.submit(&operator, &path, "").send().await.status, 303);
}

#[tokio::test]
async fn hostile_mail_stays_inert() {
    let house = House::open().await;
    let owner = house.browser(Role::Owner).await;
    let id = house.mail(HOSTILE).await;
    for path in ["/".to_owned(), "/messages".into(), format!("/messages/{id}"), format!("/messages/{id}/raw")]
    {
        let page = house.look(&owner, &path).send().await.page();
        assert!(!page.contains("<script>") && !page.contains("<img src=x"), "{path}");
        assert!(!page.contains('\u{202e}'), "{path} turns text around");
        assert!(page.contains("&lt;script&gt;"), "{path} shows the text as text");
    }
    let body = house.look(&owner, &format!("/messages/{id}/body")).send().await;
    let policy = body.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'")
            && policy.contains("sandbox")
            && !policy.contains("allow-scripts"),
        "{policy}"
    );
    assert!(!policy.contains("allow-same-origin"));
    let html = body.page();
    assert!(
        !html.contains("window.ran") && !html.contains("tracker.example") && html.contains("Hello"),
        "{html}"
    );
}

#[tokio::test]
async fn attachments_are_files_and_nothing_else() {
    let house = House::open().await;
    let owner = house.browser(Role::Owner).await;
    let id = house.mail(HOSTILE).await;
    let page = house.look(&owner, &format!("/messages/{id}")).send().await.page();
    let start = page.find(&format!("/messages/{id}/parts/")).unwrap();
    let path = page[start..].split('"').next().unwrap();
    let file = house.look(&owner, path).send().await;
    assert_eq!(file.header("content-type"), "application/octet-stream");
    assert!(file.header("content-disposition").starts_with("attachment; filename*=UTF-8''"));
    assert!(file.header("content-security-policy").contains("sandbox"));
    assert_eq!(file.header("x-content-type-options"), "nosniff");
    assert_eq!(file.text().trim(), "<script>window.ran=1</script>");
    assert_eq!(house.look(&owner, &format!("/messages/{id}/parts/99")).send().await.status, 404);
}

#[tokio::test]
async fn over_tls_cookies_are_bound_to_it() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let house = House::open_with(Some(Arc::new(server))).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let connect = |config: rustls::ClientConfig| async move {
        let stream = TcpStream::connect(house.at).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    };
    let h2 = connect(client.clone()).await;
    assert_eq!(h2.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let link = house.link(Role::Viewer).await;
    let call = Call::new(house.at, "POST", "/sign-in").header("Sec-Fetch-Site", "same-origin");
    let call = call.body("application/x-www-form-urlencoded", format!("link={link}"));
    let answer = call.send_over(connect(client).await).await;
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-postroom=") && cookie.contains("; Secure") && cookie.contains("Path=/"),
        "{cookie}"
    );
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
}
