//! Hashes and keys of NTLMv2 (MS-NLMP 3.3.2, 3.4.4, 3.4.5).

use hmac::{Hmac, KeyInit, Mac};
use md4::Md4;
use md5::{Digest, Md5};

use super::utf16;

/// A key or hash of NTLM. All of them are this long.
pub type Key = [u8; 16];

/// `NTOWFv2`: what the server keeps of the password, bound to user and domain.
pub fn owner_key(user: &str, domain: &str, password: &str) -> Key {
    let hash: Key = Md4::digest(utf16(password)).into();
    hmac_md5(&hash, &[&utf16(&user.to_uppercase()), &utf16(domain)])
}

/// The answer to a challenge, and the key that comes with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// `NTProofStr` followed by what it was made over.
    pub nt: Vec<u8>,
    /// `LMv2`; 24 zero bytes when the server has a clock (3.1.5.1.2).
    pub lm: [u8; 24],
    pub session_base: Key,
}

/// Answers a challenge. `time` counts 100 ns since 1601; `targets` are the pairs with which the client answers, whole.
pub fn respond(
    owner: &Key,
    server: &[u8; 8],
    client: &[u8; 8],
    time: u64,
    targets: &[u8],
    clocked: bool,
) -> Response {
    let mut temp = vec![1, 1, 0, 0, 0, 0, 0, 0];
    temp.extend(time.to_le_bytes());
    temp.extend(client);
    temp.extend([0; 4]);
    temp.extend(targets);
    temp.extend([0; 4]);
    let proof = hmac_md5(owner, &[server, &temp]);
    let mut lm = [0; 24];
    if !clocked {
        lm[..16].copy_from_slice(&hmac_md5(owner, &[server, client]));
        lm[16..].copy_from_slice(client);
    }
    Response { nt: [&proof[..], &temp].concat(), lm, session_base: hmac_md5(owner, &[&proof]) }
}

/// Judges an answer. The session's base key when it was made with this owner's key.
pub fn verify(owner: &Key, server: &[u8; 8], nt: &[u8]) -> Option<Key> {
    let (proof, temp) = nt.split_at_checked(16)?;
    let expected = hmac_md5(owner, &[server, temp]);
    // A response of version 1 is 24 bytes long.
    (temp.len() >= 28 && same(proof, &expected)).then(|| hmac_md5(owner, &[proof]))
}

/// The check over all three messages (3.1.5.1.2).
pub fn integrity(session: &Key, negotiate: &[u8], challenge: &[u8], authenticate: &[u8]) -> Key {
    hmac_md5(session, &[negotiate, challenge, authenticate])
}

/// RC4, which wraps the session key; it is its own inverse.
pub fn rc4(key: &[u8], text: &[u8]) -> Vec<u8> {
    Rc4::new(key).apply(text)
}

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// The first signature of a side with extended session security, 128 bits and exchanged keys (3.4.4.2): what SPNEGO puts
/// over its list of mechanisms.
pub fn sign(session: &Key, side: Side, text: &[u8]) -> Key {
    let key = |purpose: &str| -> Key {
        let side = if side == Side::Client { "client-to-server" } else { "server-to-client" };
        let magic = format!("session key to {side} {purpose} key magic constant\0");
        let mut hash = Md5::new();
        hash.update(session);
        hash.update(magic);
        hash.finalize().into()
    };
    let checksum = hmac_md5(&key("signing"), &[&0_u32.to_le_bytes(), text]);
    let mut signature = [0; 16];
    signature[0] = 1;
    signature[4..12].copy_from_slice(&rc4(&key("sealing"), &checksum[..8]));
    signature
}

/// The pair that binds the sign-in to the TLS connection: MD5 of a `gss_channel_bindings_struct` (3.1.5.1.2) whose
/// application data are `tls-server-end-point:` and the hash of the server's certificate (RFC 5929 section 4).
pub fn channel_binding(certificate_hash: &[u8]) -> Key {
    let data = [b"tls-server-end-point:", certificate_hash].concat();
    let mut hash = Md5::new();
    hash.update([0; 16]); // addresses of both sides: none
    hash.update(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    hash.update(&data);
    hash.finalize().into()
}

/// Compares without saying by the time it takes where the difference is.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut hmac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| hmac.update(part));
    hmac.finalize().into_bytes().into()
}

struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    fn new(key: &[u8]) -> Self {
        let mut state: [u8; 256] = std::array::from_fn(|at| u8::try_from(at).unwrap_or(u8::MAX));
        let mut j = 0_u8;
        for at in 0..256 {
            j = j.wrapping_add(state[at]).wrapping_add(key[at % key.len()]);
            state.swap(at, usize::from(j));
        }
        Rc4 { state, i: 0, j: 0 }
    }

    fn apply(&mut self, text: &[u8]) -> Vec<u8> {
        let next = |byte: &u8| {
            self.i = self.i.wrapping_add(1);
            self.j = self.j.wrapping_add(self.state[usize::from(self.i)]);
            self.state.swap(usize::from(self.i), usize::from(self.j));
            let at = self.state[usize::from(self.i)].wrapping_add(self.state[usize::from(self.j)]);
            byte ^ self.state[usize::from(at)]
        };
        text.iter().map(next).collect()
    }
}

/// The published vectors: MS-NLMP 4.2.4.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::ntlm::message::tests::{CHALLENGE, hex, text};

    const SERVER: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    const TARGETS: &str = "02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000";

    fn response() -> Response {
        let owner = owner_key("User", "Domain", "Password");
        respond(&owner, &SERVER, &[0xaa; 8], 0, &hex(TARGETS), false)
    }

    #[test]
    fn the_owners_key() {
        assert_eq!(text(&owner_key("User", "Domain", "Password")), "0c868a403bfd7a93a3001ef22ef02e3f");
    }

    #[test]
    fn the_response() {
        let response = response();
        assert_eq!(text(&response.nt[..16]), "68cd0ab851e51c96aabc927bebef6a1c");
        assert_eq!(response.nt.len(), 84);
        assert_eq!(text(&response.lm), "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa");
        assert_eq!(text(&response.session_base), "8de40ccadbc14a82f15cb0ad0de95ca3");
        assert!(CHALLENGE.contains(TARGETS), "the pairs are the challenge's");
    }

    #[test]
    fn a_response_is_judged() {
        let (owner, response) = (owner_key("User", "Domain", "Password"), response());
        assert_eq!(verify(&owner, &SERVER, &response.nt), Some(response.session_base));
        assert_eq!(verify(&owner_key("User", "Domain", "password"), &SERVER, &response.nt), None);
        assert_eq!(verify(&owner, &[0; 8], &response.nt), None);
        for short in [0, 15, 16, 24, 43] {
            assert_eq!(verify(&owner, &SERVER, &response.nt[..short]), None, "{short}");
        }
    }

    #[test]
    fn the_session_key_is_wrapped() {
        assert_eq!(text(&rc4(&response().session_base, &[0x55; 16])), "c5dad2544fc9799094ce1ce90bc9d03e");
    }

    /// 4.2.4.4: the sealed text comes first out of the same RC4 stream, so the checksum is taken apart by hand there;
    /// the signature alone is that of a first message.
    #[test]
    fn a_signature() {
        let plaintext = utf16("Plaintext");
        let seal = hex("59f600973cc4960a25480a7c196e4c58");
        let mut stream = Rc4::new(&seal);
        assert_eq!(text(&stream.apply(&plaintext)), "54e50165bf1936dc996020c1811b0f06fb5f");
        let sign = hmac_md5(&hex("4788dc861b4782f35d43fd98fe1a2d39"), &[&0_u32.to_le_bytes(), &plaintext]);
        assert_eq!(text(&stream.apply(&sign[..8])), "7fb38ec5c55d4976");
        let alone = super::sign(&[0x55; 16], Side::Client, &plaintext);
        assert_eq!(alone[4..12], rc4(&seal, &sign[..8]));
        assert_ne!(alone, super::sign(&[0x55; 16], Side::Server, &plaintext));
    }
}
