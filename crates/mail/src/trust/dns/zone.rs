//! Names from a text: for tests, and for machines without a resolver.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;

use super::{Dns, Missing};

/// Records read from lines of `NAME TYPE VALUE`, for example `x.example TXT v=spf1 -all` or `x.example MX 10 mx.example`.
/// The types are TXT, MX, A, AAAA, PTR (the name is an address) and FAIL (whatever is asked about the name fails).
#[derive(Debug, Clone, Default)]
pub struct Zone {
    records: HashMap<String, Vec<Data>>,
}

#[derive(Debug, Clone)]
enum Data {
    Txt(Vec<u8>),
    Mx(u16, String),
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Ptr(String),
    Fail,
}

/// A line that is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not a record: write NAME TYPE VALUE with a type of TXT, MX, A, AAAA, PTR or FAIL")]
pub struct BadZone {
    pub line: usize,
}

impl Zone {
    /// Empty lines and lines that begin with `;` or `#` are skipped.
    pub fn parse(text: &str) -> Result<Self, BadZone> {
        let mut zone = Zone::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            let (name, data) = record(line).ok_or(BadZone { line: number + 1 })?;
            zone.records.entry(name).or_default().push(data);
        }
        Ok(zone)
    }

    fn find<T>(&self, name: &str, of: impl Fn(&Data) -> Option<T>) -> Result<Vec<T>, Missing> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let all = self.records.get(&name).ok_or(Missing::Name)?;
        if all.iter().any(|data| matches!(data, Data::Fail)) {
            return Err(Missing::Trouble("the zone says so".to_owned()));
        }
        let found: Vec<T> = all.iter().filter_map(of).collect();
        if found.is_empty() { Err(Missing::Record) } else { Ok(found) }
    }
}

fn record(line: &str) -> Option<(String, Data)> {
    let (name, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (kind, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let value = value.trim();
    let data = match kind {
        "TXT" => Data::Txt(value.trim_matches('"').as_bytes().to_vec()),
        "MX" => {
            let (preference, host) = value.split_once(' ')?;
            Data::Mx(preference.parse().ok()?, host.trim().to_owned())
        }
        "A" => Data::A(value.parse().ok()?),
        "AAAA" => Data::Aaaa(value.parse().ok()?),
        "PTR" => Data::Ptr(value.to_owned()),
        "FAIL" => Data::Fail,
        _ => return None,
    };
    Some((name.trim_end_matches('.').to_ascii_lowercase(), data))
}

#[async_trait]
impl Dns for Zone {
    async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, Missing> {
        self.find(name, |data| if let Data::Txt(text) = data { Some(text.clone()) } else { None })
    }

    async fn mx(&self, name: &str) -> Result<Vec<(u16, String)>, Missing> {
        self.find(name, |data| {
            if let Data::Mx(preference, host) = data { Some((*preference, host.clone())) } else { None }
        })
    }

    async fn a(&self, name: &str) -> Result<Vec<Ipv4Addr>, Missing> {
        self.find(name, |data| if let Data::A(address) = data { Some(*address) } else { None })
    }

    async fn aaaa(&self, name: &str) -> Result<Vec<Ipv6Addr>, Missing> {
        self.find(name, |data| if let Data::Aaaa(address) = data { Some(*address) } else { None })
    }

    async fn ptr(&self, address: IpAddr) -> Result<Vec<String>, Missing> {
        self.find(
            &address.to_string(),
            |data| if let Data::Ptr(host) = data { Some(host.clone()) } else { None },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn records_are_found_by_kind() {
        let zone = Zone::parse(
            "; a zone\n\nX.example. TXT \"v=spf1 mx -all\"\nx.example MX 10 mx.x.example\nf.example FAIL\n",
        );
        let zone = zone.unwrap();
        assert_eq!(zone.txt("x.EXAMPLE").await, Ok(vec![b"v=spf1 mx -all".to_vec()]));
        assert_eq!(zone.mx("x.example.").await, Ok(vec![(10, "mx.x.example".to_owned())]));
        assert_eq!(zone.a("x.example").await, Err(Missing::Record));
        assert_eq!(zone.a("y.example").await, Err(Missing::Name));
        assert!(matches!(zone.a("f.example").await, Err(Missing::Trouble(_))));
        for bad in ["x", "x.example NS y", "x.example MX y", "x.example A 1.2.3"] {
            assert_eq!(Zone::parse(&format!("\n{bad}")).unwrap_err(), BadZone { line: 2 }, "{bad}");
        }
    }
}
