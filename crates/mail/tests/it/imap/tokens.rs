//! XOAUTH2 on a Dovecot that asks a token server about each token, and tokens that are renewed in time.

use std::sync::Arc;

use jiff::SignedDuration;
use postroom_core::{Clock, Secret};
use postroom_mail::imap::{Account, Auth, Client, Dialer, Error, Patience, Remedy};
use postroom_mail::oauth::{Fixed, Issued, Options, Tokens};
use postroom_testkit::net;
use postroom_testkit::peers::{Dovecot, DovecotOptions, PASSWORD};
use postroom_testkit::token_server::{CLIENT, CLIENT_SECRET, TokenServer};

use super::book::{account, now};

fn options(token_url: String) -> Options {
    Options {
        token_url,
        client_id: CLIENT.into(),
        client_secret: Secret::new(CLIENT_SECRET),
        scope: Some("imap".into()),
        roots: Vec::new(),
    }
}

fn issued(server: &TokenServer, clock: &Clock) -> Arc<Issued> {
    Arc::new(Issued::new(options(server.token_url()), clock.clone()).unwrap())
}

async fn sign_in(dovecot: &Dovecot, user: &str, tokens: Arc<dyn Tokens>) -> Result<(), Error> {
    let auth = Auth::Token { user: user.into(), tokens };
    let account = Account { auth: auth.clone(), ..account(dovecot.imap(), user, PASSWORD) };
    let mut client = Client::connect(&account, &Dialer::default(), Patience::default()).await?;
    client.sign_in(&auth).await?;
    client.examine(b"INBOX").await.map(drop)
}

fn dovecot(server: &TokenServer) -> Dovecot {
    let settings = server.dovecot_settings();
    Dovecot::start(DovecotOptions { settings, ..DovecotOptions::users(["anna", "ben"]) })
}

#[tokio::test]
async fn a_server_that_checks_lets_good_tokens_in_and_no_others() {
    let server = TokenServer::start("anna", 3600);
    let dovecot = dovecot(&server);
    let fixed = |token: &str| Arc::new(Fixed(Secret::new(token)));
    server.grant("good");
    sign_in(&dovecot, "anna", fixed("good"))
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", dovecot.log()));
    assert!(server.checks() > 0, "Dovecot asked");
    let refused = sign_in(&dovecot, "anna", fixed("bad")).await.unwrap_err();
    assert!(matches!(refused, Error::SignIn { .. }), "{refused}");
    let other = sign_in(&dovecot, "ben", fixed("good")).await.unwrap_err();
    assert!(matches!(other, Error::SignIn { .. }), "the token is Anna's: {other}");
}

#[tokio::test]
async fn one_token_serves_until_shortly_before_its_end() {
    let server = TokenServer::start("anna", 3600);
    let (dovecot, clock) = (dovecot(&server), Clock::manual(now()));
    let tokens = issued(&server, &clock);
    sign_in(&dovecot, "anna", tokens.clone()).await.unwrap();
    clock.advance(SignedDuration::from_mins(54));
    sign_in(&dovecot, "anna", tokens.clone()).await.unwrap();
    assert_eq!(server.issued(), 1, "it is good for six minutes yet");
    clock.advance(SignedDuration::from_mins(2));
    sign_in(&dovecot, "anna", tokens.clone()).await.unwrap();
    assert_eq!(server.issued(), 2, "renewed four minutes before its end");
    clock.advance(SignedDuration::from_hours(-72));
    sign_in(&dovecot, "anna", tokens.clone()).await.unwrap();
    assert_eq!(server.issued(), 3, "a clock that was set back tells nothing about it");
    server.revoke_all();
    sign_in(&dovecot, "anna", tokens).await.unwrap();
    assert_eq!(server.issued(), 4, "taken back before its time, another one is asked for at once");
}

#[tokio::test]
async fn many_who_need_a_token_ask_once() {
    let server = TokenServer::start("anna", 3600);
    let tokens = issued(&server, &Clock::manual(now()));
    let all = (0..20).map(|_| tokens.token());
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(|token| token.as_ref().is_ok_and(|token| token.expose() == "token-1")));
    assert_eq!(server.issued(), 1);
}

#[tokio::test]
async fn what_stands_in_the_way_is_told() {
    let server = TokenServer::start("anna", 3600);
    let clock = Clock::manual(now());
    let ask = async |options: Options| {
        let tokens = Issued::new(options, clock.clone()).unwrap();
        Error::from(tokens.token().await.unwrap_err())
    };
    let wrong = Options { client_secret: Secret::new("wrong"), ..options(server.token_url()) };
    let refused = ask(wrong).await;
    assert_eq!(refused.remedy(), Remedy::SignIn);
    let text = refused.sentence();
    assert!(text.contains("401 unknown client or secret") && !text.contains("wrong\""), "{text}");
    let away = ask(options(format!("http://127.0.0.1:{}/token", net::free_port()))).await;
    assert_eq!(away.remedy(), Remedy::Reconnect, "{away}");
    let lost = ask(options(server.token_url().replace("/token", "/nowhere"))).await;
    assert!(lost.sentence().contains("404"), "{lost}");
    let clear = ask(options("http://192.0.2.1/token".into())).await;
    assert!(clear.sentence().contains("needs https"), "{}", clear.sentence());
    assert!(Issued::new(options("login.example/token".into()), clock.clone()).is_err());
}
