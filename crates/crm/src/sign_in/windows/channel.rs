//! The hash of a server's certificate that binds a sign-in to its TLS connection (RFC 5929 section 4.1).

use ring::digest::{SHA256, SHA384, SHA512, digest};

/// Hashes with the algorithm of the certificate's own signature, but never with less than SHA-256.
pub(super) fn certificate_hash(der: &[u8]) -> Vec<u8> {
    let algorithm = match signature_algorithm(der) {
        // sha384WithRSAEncryption, ecdsa-with-SHA384
        Some([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12] | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]) => {
            &SHA384
        }
        // sha512WithRSAEncryption, ecdsa-with-SHA512
        Some([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13] | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4]) => {
            &SHA512
        }
        // MD5 and SHA-1 count as SHA-256; RSASSA-PSS, whose hash is a parameter, is taken for its default with CAs.
        _ => &SHA256,
    };
    digest(algorithm, der).as_ref().to_vec()
}

/// The object identifier in `Certificate.signatureAlgorithm`.
fn signature_algorithm(der: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = value(der, 0x30)?;
    let (_, rest) = value(certificate, 0x30)?;
    let (algorithm, _) = value(rest, 0x30)?;
    value(algorithm, 0x06).map(|(id, _)| id)
}

/// The content of a DER value with this tag, and what comes after it.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = der else { return None };
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (*found == tag).then_some((content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};

    use super::*;

    #[track_caller]
    fn check(algorithm: &'static rcgen::SignatureAlgorithm, length: usize) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate =
            CertificateParams::new(vec!["crm.example.org".into()]).unwrap().self_signed(&key).unwrap();
        assert_eq!(certificate_hash(certificate.der()).len(), length);
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        check(&PKCS_ECDSA_P256_SHA256, 32);
        check(&PKCS_ECDSA_P384_SHA384, 48);
        assert_eq!(certificate_hash(b"no certificate").len(), 32);
    }
}
