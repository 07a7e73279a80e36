//! The configuration: places, precedence, mistakes, secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Place, Run};

const STORAGE: &str = "[storage]\nurl = \"sqlite:///tmp/postroom.db\"\n";

/// What `config validate` says about this file (after a valid `[storage]` in lines 1 and 2).
fn validate(rest: &str) -> Run {
    Place::with(&format!("{STORAGE}{rest}")).run(&["config", "validate"])
}

/// The file is refused, and every one of the texts is said.
#[track_caller]
fn refused(rest: &str, texts: &[&str]) {
    let run = validate(rest).fails(3, "PR-1001");
    for text in texts {
        assert!(run.out.contains(text), "no {text:?} in\n{}", run.out);
    }
    assert_eq!(run.out.lines().count(), texts.len(), "one line a problem:\n{}", run.out);
}

/// The effective value of a key and where it came from.
#[track_caller]
fn shown(place: &Place, arguments: &[&str], key: &str) -> (serde_json::Value, String) {
    let all = [&["config", "show", "--origin", "--json"], arguments].concat();
    let lines = place.run(&all).exits(0).json_lines();
    let line = lines.iter().find(|line| line["key"] == key).unwrap_or_else(|| panic!("no {key}"));
    (line["value"].clone(), line["origin"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn the_example_is_valid_as_it_is_and_complete() {
    let place = Place::new();
    let example = place.run(&["config", "example"]).exits(0).out;
    place.write("postroom.toml", &example);
    place.run(&["config", "validate"]).exits(0);
    for line in place.run(&["config", "show", "--json"]).exits(0).json_lines() {
        let key = line["key"].as_str().expect("a key");
        let name = key.rsplit('.').next().expect("a name");
        let shown = [format!("{name} = "), format!("[{name}"), format!(".{name}]")];
        assert!(shown.iter().any(|shown| example.contains(shown)), "{key}");
    }
}

#[test]
fn storage_alone_is_enough() {
    let run = validate("").exits(0);
    assert!(run.out.contains("valid") && run.err.is_empty(), "{}{}", run.out, run.err);
}

#[test]
fn an_unknown_key_names_the_nearest_with_line_and_column() {
    refused(
        "[http]\n  lissen = \"127.0.0.1:1\"\n",
        &["postroom.toml:4:3: [http] has no key \"lissen\": did you mean \"listen\"?"],
    );
    refused("[htttp]\n", &["postroom.toml:3:2: there is no section \"htttp\": did you mean \"http\"?"]);
    refused(
        "[mailboxes.a]\naddress = \"a@b.example\"\ntrak = \"all\"\n",
        &["[mailboxes.a] has no key \"trak\": did you mean \"track\"?"],
    );
    refused(
        "[mailboxes.a]\naddress = \"a@b.example\"\nimap = { hots = \"h\" }\n",
        &["did you mean \"host\"?", "imap.host is missing"],
    );
}

#[test]
fn all_problems_are_told_at_once() {
    refused(
        "[jobs]\nlease = 30\nworkers = -1\n[token]\ntrust = \"sead\"\n[http]\ntls_cert = \"/c.pem\"\n[crm]\nkind = \"webapi\"\n",
        &[
            "postroom.toml:4:9: jobs.lease takes a duration",
            "jobs.workers takes a whole number, 0 or more, not -1",
            "did you mean \"seed\"?",
            "http.tls_cert needs http.tls_key",
            "crm.org_url is missing: kind = \"webapi\" needs the organisation's address",
            "crm.sign_in is missing",
        ],
    );
}

#[test]
fn problems_are_json_when_asked() {
    let run = Place::with("[storage]\nurl = 7\n").run(&["config", "validate", "--json"]).exits(3);
    let report = &run.json_lines()[0];
    assert_eq!(report["valid"], false);
    let problem = &report["problems"][0];
    assert_eq!((&problem["key"], &problem["place"]["line"]), (&"storage.url".into(), &2.into()));
}

#[test]
fn other_commands_say_the_first_problem_and_how_many_more() {
    let place = Place::with(&format!("{STORAGE}[http]\nlissen = 1\n[jobs]\nlease = 1\n"));
    let run = place.run(&["config", "show"]).fails(3, "PR-1001");
    assert!(run.err.contains("postroom.toml:4:1") && run.err.contains("(and 1 more:"), "{}", run.err);
}

#[test]
fn broken_toml_names_its_line_and_quotes_nothing() {
    let run = validate("[smtp_out]\nhost = \"h\"\npassword = canary-one\n").fails(3, "PR-1001");
    assert!(run.out.contains("postroom.toml:5:"), "{}", run.out);
    assert!(!run.out.contains("canary") && !run.err.contains("canary"));
}

#[test]
fn nothing_found_says_where_it_looked() {
    let run = Place::new().run(&["config", "show"]).fails(3, "PR-1002");
    assert!(run.err.contains("./postroom.toml") && run.err.contains("home/.config/postroom"), "{}", run.err);
    Place::new().run(&["config", "show", "-v"]).fails(3, "PR-1002");
    Place::new().run(&["config", "show", "-c", "gone.toml"]).fails(3, "PR-1002");
}

#[test]
fn the_first_place_that_has_a_file_wins() {
    let file = |port: u16| format!("{STORAGE}[http]\nlisten = \"127.0.0.1:{port}\"\n");
    let place = Place::new();
    let listen = |place: &Place, arguments: &[&str]| shown(place, arguments, "http.listen").0;
    place.write("home/.config/postroom/postroom.toml", &file(1));
    assert_eq!(listen(&place, &[]), "127.0.0.1:1");
    let xdg = place.write("xdg/postroom/postroom.toml", &file(2));
    let xdg = xdg.parent().and_then(|folder| folder.parent()).expect("two folders up").display().to_string();
    let place = place.variable("XDG_CONFIG_HOME", &xdg);
    assert_eq!(listen(&place, &[]), "127.0.0.1:2");
    place.write("postroom.toml", &file(3));
    assert_eq!(listen(&place, &[]), "127.0.0.1:3");
    place.write("named.toml", &file(4));
    let place = place.variable("POSTROOM_CONFIG", "named.toml");
    assert_eq!(listen(&place, &[]), "127.0.0.1:4");
    place.write("flag.toml", &file(5));
    assert_eq!(listen(&place, &["-c", "flag.toml"]), "127.0.0.1:5");
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let place = Place::with(&format!("{STORAGE}[jobs]\nworkers = 2\n"));
    let workers = |place: &Place, arguments: &[&str]| shown(place, arguments, "jobs.workers");
    let (value, origin) = workers(&place, &[]);
    assert_eq!((value, origin.as_str()), (2.into(), "./postroom.toml:4:11"));
    let place = place.variable("POSTROOM_JOBS__WORKERS", "3");
    assert_eq!(workers(&place, &[]), (3.into(), "environment POSTROOM_JOBS__WORKERS".to_owned()));
    assert_eq!(
        workers(&place, &["--set", "jobs.workers=5"]),
        (5.into(), "flag --set jobs.workers".to_owned())
    );
    assert_eq!(shown(&place, &[], "jobs.lease"), ("15s".into(), "default".to_owned()));
    assert_eq!(shown(&place, &["-v"], "logs.level"), ("debug".into(), "flag -v".to_owned()));
}

#[test]
fn the_environment_alone_is_enough_and_takes_every_type() {
    let place = Place::new()
        .variable("POSTROOM_STORAGE__URL", "sqlite:///tmp/x.db")
        .variable("POSTROOM_SMTP_IN__ENABLED", "true")
        .variable("POSTROOM_SMTP_IN__ACCEPT_DOMAINS", "One.example, two.example")
        .variable("POSTROOM_LMTP_IN__ACCEPT_DOMAINS", "[\"three.example\"]")
        .variable("POSTROOM_MAILBOXES__SUPPORT__ADDRESS", "a@b.example")
        .variable("POSTROOM_SMTP_OUT__HOST", "mail.example.org")
        .variable("POSTROOM_SMTP_OUT__USERNAME", "postroom")
        .variable("POSTROOM_SMTP_OUT__PASSWORD_FILE", "/run/secret");
    let value = |key| shown(&place, &[], key).0;
    assert_eq!(value("smtp_in.enabled"), true);
    assert_eq!(value("smtp_in.accept_domains"), serde_json::json!(["one.example", "two.example"]));
    assert_eq!(value("lmtp_in.accept_domains"), serde_json::json!(["three.example"]));
    assert_eq!(value("mailboxes.support.address"), "a@b.example");
    assert_eq!(value("smtp_out.password"), serde_json::json!({ "file": "/run/secret" }));
}

#[test]
fn a_variable_finds_the_mailbox_of_the_file() {
    let place = Place::with(&format!("{STORAGE}[mailboxes.Support-DE]\naddress = \"a@b.example\"\n"))
        .variable("POSTROOM_MAILBOXES__SUPPORT_DE__TRACK", "replies");
    assert_eq!(shown(&place, &[], "mailboxes.Support-DE.track").0, "replies");
}

#[test]
fn variables_that_are_slips_are_refused_and_strangers_are_left_alone() {
    let run =
        |name: &str, value: &str| Place::with(STORAGE).variable(name, value).run(&["config", "validate"]);
    let single = run("POSTROOM_HTTP_LISTEN", "127.0.0.1:1").fails(3, "PR-1001");
    assert!(single.out.contains("write POSTROOM_HTTP__LISTEN"), "{}", single.out);
    let unknown = run("POSTROOM_HTTP__LISSEN", "canary").fails(3, "PR-1001");
    assert!(
        unknown.out.contains("did you mean \"listen\"?") && !unknown.out.contains("canary"),
        "{}",
        unknown.out
    );
    for (name, value) in [("POSTROOM_HTTP_PORT", "tcp://10.0.0.1:80"), ("POSTROOM_SERVICE_HOST", "10.0.0.1")]
    {
        run(name, value).exits(0);
    }
}

#[test]
fn parts_are_merged_and_a_key_in_two_files_is_an_error() {
    let place = Place::with(STORAGE);
    place.write("conf.d/10-http.toml", "[http]\nlisten = \"127.0.0.1:1\"\n");
    place.write("conf.d/20-mail.toml", "[http]\nmax_message = \"1MiB\"\n");
    place.write("conf.d/readme.txt", "not TOML");
    let (_, origin) = shown(&place, &[], "http.max_message");
    assert!(origin.ends_with("conf.d/20-mail.toml:2:15"), "{origin}");
    place.write("conf.d/30-again.toml", "[http]\nlisten = \"127.0.0.1:2\"\n");
    let run = place.run(&["config", "validate"]).fails(3, "PR-1001");
    assert!(run.out.contains("30-again.toml:2:1") && run.out.contains("10-http.toml:2:1"), "{}", run.out);
}

#[test]
fn an_open_page_without_tls_is_refused_with_its_own_code() {
    let place = Place::with(&format!("{STORAGE}[http]\nlisten = \"0.0.0.0:8080\"\n"));
    let run = place.run(&["config", "validate"]).fails(3, "PR-1005");
    assert!(run.out.starts_with("PR-1005: ./postroom.toml:4:10: "), "{}", run.out);
    let tls = "tls_cert = \"/c.pem\"\ntls_key = \"/k.pem\"\n";
    Place::with(&format!("{STORAGE}[http]\nlisten = \"0.0.0.0:8080\"\n{tls}"))
        .run(&["config", "show"])
        .exits(0);
    for loopback in ["127.0.0.1:0", "[::1]:8080", "localhost:8080"] {
        validate(&format!("[http]\nlisten = \"{loopback}\"\n")).exits(0);
    }
}

#[test]
fn rules_between_keys() {
    refused("[smtp_out]\nhost = \"mail.example.org\"\ntls = \"none\"\n", &["is for loopback only"]);
    refused("[jobs]\nworkers = 0\n", &["jobs.workers takes 1 to 256"]);
    refused("[smtp_in]\nmax_recipients = 5\n", &["RFC 5321"]);
    refused("[smtp_in]\nmax_message = \"1GiB\"\n", &["has no room for one mail of smtp_in.max_message"]);
    refused("[logs]\npii = \"full\"\n", &["logs.pii_until"]);
    refused("[token]\ntables = []\n", &["token.tables is empty"]);
    refused(
        "[http]\nlisten = \"127.0.0.1:2525\"\n[smtp_in]\nenabled = true\n",
        &["is the address of http.listen"],
    );
    refused(
        "[mailboxes.a]\naddress = \"x@b.example\"\n[mailboxes.b]\naddress = \"c@b.example\"\naddresses = [\"X@B.example\"]\n",
        &["x@b.example belongs to mailboxes.a already"],
    );
    refused("password = { file = \"/p\" }\n", &["storage.password is for PostgreSQL"]);
}

#[test]
fn keys_of_later_versions_are_taken_with_a_warning() {
    let run =
        validate("[crm]\nkind = \"embedded\"\norg_url = \"https://example.crm4.dynamics.com\"\n").exits(0);
    let warnings: Vec<&str> = run.err.lines().collect();
    assert!(warnings.len() == 1 && warnings[0].contains("crm.org_url is not used"), "{}", run.err);
}

#[test]
fn the_keys_of_a_mailbox_and_of_the_way_out() {
    let mailbox = |imap: &str, more: &str| {
        format!(
            "[mailboxes.support]\naddress = \"support@example.org\"\nstart_at = 2026-01-31\n{more}\
             imap = {{ host = \"domino.example.org\", port = 993, tls = \"implicit\", {imap} }}\n"
        )
    };
    let signed_in = "username = \"support\", password = { file = \"/p\" }";
    let taken = |config: String| {
        let run = Place::with(&format!("{STORAGE}{config}")).run(&["config", "show"]).exits(0);
        assert!(run.err.is_empty(), "{}", run.err);
    };
    taken(mailbox(&format!("{signed_in}, folders = [\"INBOX\"]"), "touch = \"nothing\"\n"));
    let record = "records = [\"CRM/A = b = account/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"]";
    taken(mailbox(&format!("{signed_in}, {record}"), ""));
    refused(&mailbox("username = \"support\"", ""), &["are needed to sign in"]);
    refused(&mailbox(signed_in, "touch = \"move\"\n"), &["imap.move_to is missing"]);
    refused(&mailbox(&format!("{signed_in}, records = [\"CRM/Acme\"]"), ""), &["a folder and a record"]);
    refused(&mailbox(&format!("{signed_in}, tls_pin = \"3A\""), ""), &["SHA-256"]);
    refused("[smtp_out]\nhost = \"mail.example.org\"\nusername = \"u\"\n", &["belong together"]);
    refused("[smtp_out]\nhost = \"mail.example.org\"\ndkim_domain = \"example.org\"\n", &["belong together"]);
    refused("[relay]\nenabled = true\n", &["relay.next_host is missing"]);
    refused("[relay]\nclients = [\"10.0.0.0/40\"]\n", &["a network such as"]);
    refused("[relay]\nnext_host = \"127.0.0.1\"\nnext_username = \"u\"\n", &["belong together"]);
    refused("[relay]\ntls_cert = \"/cert.pem\"\n", &["needs relay.tls_key"]);
}

#[test]
fn secrets_are_never_taken_inline_and_never_printed() {
    let refused = [
        "[smtp_out]\nhost = \"h\"\npassword = \"canary\"\n",
        "[smtp_out]\nhost = \"h\"\npassword = [\"canary\"]\n",
        "[smtp_out]\nhost = \"h\"\npassword = { value = \"canary\" }\n",
        "[smtp_out]\nhost = \"h\"\npassword = { file = \"/p\", command = [\"canary\"] }\n",
        "[smtp_out]\nhost = \"h\"\npasword = \"canary\"\n",
        "[crm]\nclient_secret = \"canary\"\n",
        "[http]\ntls_key = \"-----BEGIN PRIVATE KEY-----\\ncanary\"\ntls_cert = \"/c\"\n",
        "[mailboxes.a]\naddress = \"a@b.example\"\nimap = { host = \"h\", password = \"canary\" }\n",
    ];
    for config in refused {
        for arguments in [&["config", "validate"][..], &["config", "validate", "--json"], &["config", "show"]]
        {
            let run = Place::with(&format!("{STORAGE}{config}")).run(arguments).exits(3);
            assert!(
                !run.out.contains("canary") && !run.err.contains("canary"),
                "{config}\n{}{}",
                run.out,
                run.err
            );
        }
    }
    for (name, value) in
        [("POSTROOM_SMTP_OUT__PASSWORD", "canary"), ("POSTROOM_STORAGE__URL", "postgras://u:canary@h/d")]
    {
        let run = Place::with(STORAGE).variable(name, value).run(&["config", "show"]).exits(3);
        assert!(!run.out.contains("canary") && !run.err.contains("canary"), "{}{}", run.out, run.err);
    }
    let run = Place::with(STORAGE).run(&["config", "show", "--set", "smtp_out.password=canary"]).exits(3);
    assert!(!run.err.contains("canary") && run.err.contains("password_file"), "{}", run.err);
}

#[test]
fn a_password_in_the_database_address_is_taken_and_never_shown() {
    let place = Place::with("[storage]\nurl = \"postgres://postroom:canary@db.example.org/postroom\"\n");
    for arguments in
        [&["config", "show"][..], &["config", "show", "--json", "--origin"], &["config", "validate"]]
    {
        let run = place.run(arguments).exits(0);
        assert!(!run.out.contains("canary") && !run.err.contains("canary"), "{}{}", run.out, run.err);
    }
    let run = place.run(&["config", "validate"]);
    assert!(run.err.contains("storage.url holds a password"), "{}", run.err);
}

#[test]
fn a_secret_file_that_others_can_read_is_refused_with_the_exact_chmod() {
    let place = Place::new();
    let secret = place.write("postgres", "canary\n");
    let config = format!(
        "[storage]\nurl = \"postgres://u@db.example.org/d\"\npassword = {{ file = \"{}\" }}\n",
        secret.display()
    );
    place.write("postroom.toml", &config);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).expect("chmod");
    let run = place.run(&["config", "validate"]).fails(3, "PR-1003");
    assert!(run.out.contains(&format!("run chmod 600 {}", secret.display())), "{}", run.out);
    assert!(!run.out.contains("canary") && !run.err.contains("canary"));
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("chmod");
    place.run(&["config", "validate"]).exits(0);
    fs::remove_file(&secret).expect("remove");
    place.run(&["config", "validate"]).fails(3, "PR-1003");
    // Showing needs no secret.
    place.run(&["config", "show"]).exits(0);
}

#[test]
fn show_can_be_narrowed() {
    let place = Place::with(STORAGE);
    let run = place.run(&["config", "show", "jobs", "--plain"]).exits(0);
    assert_eq!(run.out, "jobs.workers\t2\njobs.lease\t\"15s\"\njobs.poll\t\"500ms\"\n");
    place.run(&["config", "show", "jobz"]).fails(5, "PR-8004");
}

/// The configuration of a CRM outside with these keys.
fn outside(keys: &str) -> String {
    format!("[crm]\nkind = \"webapi\"\norg_url = \"https://crm.example.org/Acme\"\n{keys}\n")
}

#[test]
fn each_way_into_a_crm_outside_says_what_it_needs() {
    let secret = |key: &str| format!("{key} = {{ command = [\"cat\"] }}\n");
    let user = format!("username = \"postroom\"\n{}", secret("password"));
    let application = format!("client_id = \"c\"\n{}", secret("client_secret"));
    for keys in [
        secret("token"),
        application.clone(),
        format!("tenant = \"t\"\nauthority = \"https://login.example.org\"\n{application}"),
        format!("client_id = \"c\"\nclient_certificate = \"/dev/null\"\n{}", secret("client_private_key")),
        format!("sign_in = \"adfs\"\nclient_id = \"c\"\n{user}"),
        format!("sign_in = \"windows\"\ndomain = \"EXAMPLE\"\n{user}"),
        user.clone(),
    ] {
        let run = validate(&outside(&keys)).exits(0);
        assert!(run.err.is_empty(), "{keys}: {}", run.err);
    }
    for (keys, problem) in [
        (String::new(), "crm.sign_in is missing"),
        ("sign_in = \"client_secret\"\nclient_id = \"c\"".into(), "crm.client_secret is missing"),
        (
            format!("sign_in = \"client_certificate\"\nclient_id = \"c\"\n{}", secret("client_private_key")),
            "crm.client_certificate is missing",
        ),
        (format!("sign_in = \"adfs\"\n{user}"), "crm.client_id is missing"),
        ("sign_in = \"windows\"\nusername = \"u\"".into(), "crm.password is missing"),
        ("sign_in = \"token\"".into(), "crm.token is missing"),
        (format!("sign_in = \"ws_trust\"\n{user}"), "set kind = \"soap\""),
        (format!("sign_in = \"window\"\n{user}"), "did you mean \"windows\"?"),
        (format!("authority = \"https://login.example.org\"\n{application}"), "crm.tenant is missing"),
        (format!("domain = \"D\"\nusername = \"D\\\\u\"\n{}", secret("password")), "keep one of them"),
        (format!("leave_to_others = 100\n{application}"), "from 0 to 95"),
        (format!("proxy_username = \"u\"\n{application}"), "need crm.proxy"),
        ("token = \"prm_1\"".into(), "is a secret and is not written here"),
    ] {
        refused(&outside(&keys), &[problem]);
    }
    let open = outside(&secret("token")).replace("https://", "http://");
    refused(&open, &["is not protected: write https://"]);
    let token_service = "authority = \"https://sts.example.org/adfs/services/trust/13/usernamemixed\"\n";
    for keys in [
        secret("token"),
        application.clone(),
        format!("sign_in = \"windows\"\ndomain = \"EXAMPLE\"\n{user}"),
        format!("sign_in = \"ws_trust\"\n{user}"),
        format!("{token_service}{user}"),
    ] {
        let run = validate(&outside(&keys).replace("webapi", "soap")).exits(0);
        assert!(run.err.is_empty(), "{keys}: {}", run.err);
    }
    let lacks = outside("sign_in = \"ws_trust\"\nusername = \"u\"").replace("webapi", "soap");
    refused(&lacks, &["crm.password is missing: sign_in = \"ws_trust\" needs it"]);
    let copied = outside(&secret("token")).replace("webapi", "soap");
    let copied = copied.replace("/Acme", "/Acme/XRMServices/2011/Organization.svc");
    validate(&copied).exits(0);
}

#[test]
fn what_a_way_into_the_crm_does_not_use_is_warned_of() {
    let keys = "token = { command = [\"cat\"] }\nclient_id = \"c\"\nusername = \"u\"\nservice_protection = true\nsoap_deployment = \"none\"";
    let run = validate(&outside(keys)).exits(0);
    for part in [
        "crm.client_id is not used: sign_in = \"token\" needs none",
        "crm.username is not used",
        "crm.service_protection is not used: only the embedded CRM has doors",
        "crm.soap_deployment is not used: only the embedded CRM has doors",
    ] {
        assert!(run.err.contains(part), "{part} is not in {}", run.err);
    }
    assert_eq!(run.err.lines().count(), 4, "{}", run.err);
    let soap = outside("token = { command = [\"cat\"] }\napi_version = \"9.2\"").replace("webapi", "soap");
    let run = validate(&soap).exits(0);
    assert!(run.err.contains("crm.api_version is not used: kind = \"soap\" has none"), "{}", run.err);
}

#[test]
fn what_the_soap_description_says_of_signing_in_is_complete() {
    let crm = |keys: &str| format!("[crm]\n{keys}\n");
    let issuer = "soap_issuer = \"http://sts.example.org/adfs/services/trust\"\n";
    let missing = "crm.soap_issuer is missing: soap_deployment = \"federation\" needs it";
    refused(&crm("soap_deployment = \"federation\""), &[missing]);
    let online = crm(&format!("soap_deployment = \"online\"\n{issuer}"));
    refused(&online, &["crm.soap_applies_to is missing", "crm.soap_endpoint is missing"]);
    let run = validate(&crm(&format!("soap_deployment = \"federation\"\n{issuer}"))).exits(0);
    assert!(run.err.is_empty(), "{}", run.err);
    let run = validate(&crm(&format!("soap_deployment = \"active_directory\"\n{issuer}"))).exits(0);
    assert!(run.err.contains("crm.soap_issuer is not used"), "{}", run.err);
}
