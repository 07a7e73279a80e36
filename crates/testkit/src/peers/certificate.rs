//! A certificate of a test's own for the peers' TLS.

use std::path::Path;

/// A self-signed certificate and its key.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: String,
    /// The certificate's bytes, for a root store or a fingerprint.
    pub der: Vec<u8>,
}

impl Certificate {
    /// A certificate for these host names and addresses.
    ///
    /// # Panics
    /// When one of them is no host name.
    pub fn for_names(names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("the names are host names or addresses");
        Certificate {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            der: made.cert.der().to_vec(),
        }
    }

    /// A certificate for this machine: `localhost`, `127.0.0.1` and `127.0.0.2`.
    pub fn local() -> Certificate {
        Certificate::for_names(&["localhost", "127.0.0.1", "127.0.0.2"])
    }

    /// Writes `certificate.pem` and `key.pem` into a folder.
    pub(super) fn write(&self, folder: &Path) {
        std::fs::write(folder.join("certificate.pem"), &self.certificate).expect("the folder is ours");
        std::fs::write(folder.join("key.pem"), &self.key).expect("the folder is ours");
    }
}
