//! `[http]`: the pages, the REST API, the doors of the embedded CRM, health and metrics.

use std::path::PathBuf;

use postroom_core::Code;

use super::origin::Problem;
use super::setting::{Check, Reading, optional, section};
use super::units::Size;
use super::values::{HttpUrl, Listen, Network};

section! {
    /// Pages, REST API, the agents' front end, the doors of the embedded CRM, health and metrics.
    /// Nothing listens when `listen` is not set.
    pub struct Http {
        /// Where to listen. Anything but loopback needs tls_cert and tls_key.
        pub listen: Option<Listen> = optional(), "\"127.0.0.1:8080\"";
        /// The address that people and programs use, for links and sign-in.
        pub public_url: Option<HttpUrl> = optional(), "\"https://postroom.example.org\"";
        /// The certificate chain, PEM.
        pub tls_cert: Option<PathBuf> = optional(), "\"/etc/postroom/tls/cert.pem\"";
        /// The certificate's private key, PEM.
        pub tls_key: Option<PathBuf> = optional(), "\"/etc/postroom/tls/key.pem\"";
        /// Proxies of your own before this listener: what they say of their clients (X-Forwarded-For, -Proto, -Host) is
        /// believed at the doors of the embedded CRM.
        pub proxies: Vec<Network> = Some(Vec::new()), "[\"127.0.0.1\"]";
        /// The largest mail that POST /agent/v1/messages takes; larger ones are answered 413.
        pub max_message: Size = Some(Size::mib(35)), "\"35MiB\"";
    }
}

impl Check for Http {
    fn check(&self, cx: &mut Reading) {
        tls_pair("http", &self.tls_cert, &self.tls_key, cx);
        let Some(listen) = self.listen else { return };
        if !listen.0.ip().is_loopback() && (self.tls_cert.is_none() || self.tls_key.is_none()) {
            let text = format!(
                "http.listen = \"{listen}\" is open to other machines without TLS: set [http] tls_cert and tls_key, \
                 or listen on 127.0.0.1"
            );
            let origin = cx.origin("http.listen");
            cx.problems.push(Problem::new("http.listen", origin, text).with_code(Code::LISTEN_OPEN));
        }
    }
}

/// A certificate without its key, or a key without its certificate, is a slip.
pub(super) fn tls_pair(section: &str, cert: &Option<PathBuf>, key: &Option<PathBuf>, cx: &mut Reading) {
    let (given, missing) = match (cert, key) {
        (Some(_), None) => ("tls_cert", "tls_key"),
        (None, Some(_)) => ("tls_key", "tls_cert"),
        _ => return,
    };
    cx.refuse(
        &format!("{section}.{given}"),
        format!("{section}.{given} needs {section}.{missing} beside it"),
    );
}
