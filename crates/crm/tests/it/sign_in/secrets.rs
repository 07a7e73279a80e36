//! No secret is in what can be printed: debug output of every value that holds one, and every fault.

use std::fmt::Debug;

use async_trait::async_trait;
use postroom_core::{Fault, Secret};
use postroom_crm::sign_in::claims::Signer as _;
use postroom_crm::sign_in::oauth::{Endpoint, Grant};
use postroom_crm::sign_in::windows::person;
use postroom_crm::sign_in::{Connection, Issued, Kept, Proxy, Token};
use postroom_sandbox::identity::Trouble;

use super::claims::{claims, service};
use super::windows::{front, windows};
use super::{PAIR, PASSWORD, SECRET, TENANT, USER, clock, get, oauth, provider, secret, user};

/// A token that somebody gave.
pub struct Given(pub &'static str);

#[async_trait]
impl Token for Given {
    async fn bearer(&self) -> Result<Secret, Fault> {
        Ok(Secret::new(self.0))
    }
}

#[track_caller]
fn silent(value: &dyn Debug) {
    let text = format!("{value:?}{value:#?}");
    assert!(!text.contains("canary") && !text.contains("PRIVATE KEY"), "{text}");
}

#[tokio::test]
async fn nothing_that_is_printed_holds_a_secret() {
    let (pair, clock) = (&*PAIR, clock());
    silent(&secret());
    silent(&pair.grant());
    silent(&Grant::Password { user: USER.into(), password: Secret::new(PASSWORD) });
    silent(&person(USER, &Secret::new(PASSWORD)));
    silent(&Issued { token: Secret::new("canary"), expires: clock.now() });
    silent(&user());
    let proxy = Proxy { url: "http://squid".into(), user: Some(("squid".into(), Secret::new("canary"))) };
    silent(&Connection { proxy: Some(proxy), ..Connection::default() });
}

#[tokio::test]
async fn no_fault_holds_a_secret() {
    let (pair, clock) = (&*PAIR, clock());
    let identity = provider(&clock, Vec::new());
    let mut faults: Vec<Fault> = Vec::new();
    let troubles = [Trouble::Failing(500), Trouble::Nonsense, Trouble::ExpiredSecret];
    for trouble in troubles.into_iter().map(Some).chain([None]) {
        identity.trouble(trouble);
        for grant in
            [secret(), pair.grant(), Grant::Password { user: USER.into(), password: Secret::new(PASSWORD) }]
        {
            for endpoint in [
                Endpoint::v2(&identity.url(), "other"),
                Endpoint::v1(&identity.url(), TENANT),
                Endpoint::adfs("http://127.0.0.1:1"),
            ] {
                faults.extend(
                    Kept::new(oauth(endpoint, grant.clone(), &clock), clock.clone()).bearer().await.err(),
                );
            }
        }
        faults.extend(claims(&identity, &clock, "canary-too", &service()).header().await.err());
    }
    let front = front(Default::default());
    faults.extend(get(&windows(USER, "canary-too", None), &front.url()).await.err());
    faults.extend(get(&windows(USER, SECRET, None), "http://127.0.0.1:1").await.err());
    assert!(faults.len() > 30, "{}", faults.len());
    for fault in &faults {
        silent(fault);
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
}
