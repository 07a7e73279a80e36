//! Checks that look at more than one section, and at the files that keys name.

use std::path::Path;

use super::Config;
use super::origin::Problem;
use super::secret::{SecretRef, owner_only};
use super::setting::Reading;

/// What more than one section decides, without looking at the machine.
pub(super) fn check(config: &Config, cx: &mut Reading) {
    check_listeners(config, cx);
    check_somebody_is_taken(config, cx);
    check_room_in_flight(config, cx);
}

fn check_room_in_flight(config: &Config, cx: &mut Reading) {
    let room = config.smtp_in.max_in_flight;
    let largest = [("smtp_in", config.smtp_in.max_message), ("lmtp_in", config.lmtp_in.max_message)];
    for (section, _) in largest.into_iter().filter(|(_, size)| *size > room) {
        let text =
            format!("smtp_in.max_in_flight = \"{room}\" has no room for one mail of {section}.max_message");
        let given = if cx.origins.contains_key("smtp_in.max_in_flight") {
            "smtp_in.max_in_flight".to_owned()
        } else {
            format!("{section}.max_message")
        };
        cx.refuse(&given, text);
    }
}

fn check_listeners(config: &Config, cx: &mut Reading) {
    let listeners = [
        ("http.listen", config.http.listen),
        ("smtp_in.listen", config.smtp_in.enabled.then_some(config.smtp_in.listen)),
        ("lmtp_in.listen", config.lmtp_in.enabled.then_some(config.lmtp_in.listen)),
        ("relay.listen", config.relay.enabled.then_some(config.relay.listen)),
    ];
    let used: Vec<_> = listeners.iter().filter_map(|(key, listen)| Some((*key, (*listen)?))).collect();
    for (at, (key, listen)) in used.iter().enumerate() {
        let twin = used[..at].iter().find(|(_, other)| other == listen && listen.0.port() != 0);
        if let Some((other, _)) = twin {
            cx.refuse(key, format!("{key} = \"{listen}\" is the address of {other}: use another port"));
        }
    }
}

fn check_somebody_is_taken(config: &Config, cx: &mut Reading) {
    let listeners = [
        ("smtp_in", config.smtp_in.enabled, config.smtp_in.accept_domains.as_slice()),
        ("lmtp_in", config.lmtp_in.enabled, config.lmtp_in.domains(&config.smtp_in)),
    ];
    for (section, enabled, domains) in listeners {
        if enabled && domains.is_empty() && config.mailboxes.is_empty() {
            let text = format!("{section} will refuse every recipient: set accept_domains or a mailbox");
            cx.warn(section, text);
        }
    }
}

/// Looks at the files that the configuration names.
pub(super) fn check_files(config: &Config, cx: &mut Reading) {
    for (key, secret) in secrets(config) {
        if let Err(error) = secret.check() {
            let origin = cx.origin(&key);
            cx.problems.push(Problem::new(&key, origin, format!("{key}: {error}")).with_code(error.code()));
        }
    }
    for (key, path) in [
        ("storage.ca_file", &config.storage.ca_file),
        ("crm.ca_file", &config.crm.ca_file),
        ("crm.client_certificate", &config.crm.client_certificate),
    ] {
        let Some(path) = path else { continue };
        check_tls_file(key, path, cx);
    }
    for (name, account) in &config.marketing.accounts {
        let Some(path) = &account.ca_file else { continue };
        check_tls_file(&format!("marketing.accounts.{name}.ca_file"), path, cx);
    }
    for (name, mailbox) in &config.mailboxes {
        let Some(path) = mailbox.imap.as_ref().and_then(|imap| imap.ca_file.as_ref()) else { continue };
        check_tls_file(&format!("mailboxes.{name}.imap.ca_file"), path, cx);
    }
    let tls = [
        ("http", &config.http.tls_cert, &config.http.tls_key),
        ("smtp_in", &config.smtp_in.tls_cert, &config.smtp_in.tls_key),
        ("lmtp_in", &config.lmtp_in.tls_cert, &config.lmtp_in.tls_key),
        ("relay", &config.relay.tls_cert, &config.relay.tls_key),
    ];
    for (section, cert, private) in tls {
        for (name, path) in [("tls_cert", cert), ("tls_key", private)] {
            let Some(path) = path else { continue };
            check_tls_file(&format!("{section}.{name}"), path, cx);
        }
    }
}

fn check_tls_file(key: &str, path: &Path, cx: &mut Reading) {
    if let Err(error) = std::fs::File::open(path) {
        cx.refuse(key, format!("{key}: {} cannot be read: {error}", path.display()));
    } else if let (true, Err(error)) = (key.ends_with("tls_key"), owner_only(path)) {
        cx.warn(key, format!("{key}: {error}"));
    }
}

/// Every secret that is set, with its key.
fn secrets(config: &Config) -> Vec<(String, &SecretRef)> {
    let fixed = [
        ("storage.password", config.storage.password.as_ref()),
        ("smtp_out.password", config.smtp_out.as_ref().and_then(|smtp_out| smtp_out.password.as_ref())),
        ("smtp_out.dkim_private_key", config.smtp_out.as_ref().and_then(|out| out.dkim_private_key.as_ref())),
        ("relay.next_password", config.relay.next_password.as_ref()),
        ("directory.ldap_password", config.directory.ldap_password.as_ref()),
        ("crm.client_secret", config.crm.client_secret.as_ref()),
        ("crm.client_private_key", config.crm.client_private_key.as_ref()),
        ("crm.password", config.crm.password.as_ref()),
        ("crm.token", config.crm.token.as_ref()),
        ("crm.proxy_password", config.crm.proxy_password.as_ref()),
    ];
    let imap = config.mailboxes.iter().map(|(name, mailbox)| {
        let password = mailbox.imap.as_ref().and_then(|imap| imap.password.as_ref());
        (format!("mailboxes.{name}.imap.password"), password)
    });
    let oauth = config.mailboxes.iter().map(|(name, mailbox)| {
        let oauth = mailbox.imap.as_ref().and_then(|imap| imap.oauth.as_ref());
        (format!("mailboxes.{name}.imap.oauth.client_secret"), oauth.map(|oauth| &oauth.client_secret))
    });
    let accounts = config.marketing.accounts.iter().flat_map(|(name, account)| {
        let key = format!("marketing.accounts.{name}");
        let password = (format!("{key}.password"), Some(&account.password));
        [password, (format!("{key}.proxy_password"), account.proxy_password.as_ref())]
    });
    let fixed = fixed.into_iter().map(|(key, secret)| (key.to_owned(), secret));
    fixed.chain(imap).chain(oauth).chain(accounts).filter_map(|(key, secret)| Some((key, secret?))).collect()
}
