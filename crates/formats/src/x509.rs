//! What a person wants to know of a server's certificate (RFC 5280): fingerprint and last day. Reads as much DER (X.690) as
//! that needs; it judges nothing.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use postroom_core::Fingerprint;

/// A certificate as the server showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    pub fingerprint: Fingerprint,
    /// When it ends; `None` when that cannot be read.
    pub not_after: Option<Timestamp>,
}

impl Certificate {
    /// Reads a certificate in DER.
    pub fn read(der: &[u8]) -> Self {
        Certificate { fingerprint: Fingerprint::of(der), not_after: not_after(der) }
    }

    /// Whole days from `now` to its end; negative when it has ended.
    pub fn days_left(&self, now: Timestamp) -> Option<i64> {
        Some((self.not_after?.as_second() - now.as_second()).div_euclid(86_400))
    }
}

/// RFC 5280 4.1: Certificate { tbsCertificate { [0] version, serial, signature, issuer, validity { before, after } … } }.
fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(der)?;
    let (_, mut body, _) = element(certificate)?;
    if element(body)?.0 == 0xA0 {
        body = element(body)?.2;
    }
    for _serial_signature_issuer in 0..3 {
        body = element(body)?.2;
    }
    let (_, validity, _) = element(body)?;
    let (_, _, after) = element(validity)?;
    let (tag, text, _) = element(after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// The tag, the contents, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (contents, after) = rest.split_at_checked(length)?;
    Some((tag, contents, after))
}

/// UTCTime `YYMMDDHHMMSSZ` or GeneralizedTime `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let full = match tag {
        0x17 => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%SZ", full).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_tells_its_end() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let read = Certificate::read(made.cert.der());
        // rcgen's own default.
        assert_eq!(read.not_after, Some("4096-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(time(0x17, "261121120000Z"), Some("2026-11-21T12:00:00Z".parse().unwrap()));
        assert_eq!(read.days_left("4095-12-30T12:00:00Z".parse().unwrap()), Some(1));
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        for end in 0..made.cert.der().len().min(200) {
            assert_eq!(Certificate::read(&made.cert.der()[..end]).not_after, None);
        }
    }
}
