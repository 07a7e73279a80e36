//! The machine's resolver, asked by hickory: follows `resolv.conf`, keeps answers as long as they may be kept.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData};

use super::{Dns, Missing};

/// The machine's resolver.
#[derive(Clone)]
pub struct System(TokioResolver);

impl System {
    /// Reads the system's configuration.
    pub fn new() -> Result<Self, Missing> {
        let trouble = |error: NetError| Missing::Trouble(error.to_string());
        Ok(System(TokioResolver::builder_tokio().map_err(trouble)?.build().map_err(trouble)?))
    }
}

/// The records of one kind in an answer.
fn records<T>(
    answers: &[hickory_resolver::proto::rr::Record],
    of: impl Fn(&RData) -> Option<T>,
) -> Result<Vec<T>, Missing> {
    let found: Vec<T> = answers.iter().filter_map(|record| of(&record.data)).collect();
    if found.is_empty() { Err(Missing::Record) } else { Ok(found) }
}

/// Absolute: the system's search list has no say here.
fn absolute(name: &str) -> Result<Name, Missing> {
    let mut name = Name::from_str_relaxed(name).map_err(|_| Missing::Name)?;
    name.set_fqdn(true);
    Ok(name)
}

fn host(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

fn missing(error: NetError) -> Missing {
    match &error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Missing::Name,
            ResponseCode::NoError => Missing::Record,
            code => Missing::Trouble(code.to_string()),
        },
        _ => Missing::Trouble(error.to_string()),
    }
}

#[async_trait]
impl Dns for System {
    async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, Missing> {
        let found = self.0.txt_lookup(absolute(name)?).await.map_err(missing)?;
        records(found.answers(), |data| match data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        })
    }

    async fn mx(&self, name: &str) -> Result<Vec<(u16, String)>, Missing> {
        let found = self.0.mx_lookup(absolute(name)?).await.map_err(missing)?;
        records(found.answers(), |data| match data {
            RData::MX(mx) => Some((mx.preference, host(&mx.exchange))),
            _ => None,
        })
    }

    async fn a(&self, name: &str) -> Result<Vec<Ipv4Addr>, Missing> {
        let found = self.0.ipv4_lookup(absolute(name)?).await.map_err(missing)?;
        records(found.answers(), |data| match data {
            RData::A(a) => Some(a.0),
            _ => None,
        })
    }

    async fn aaaa(&self, name: &str) -> Result<Vec<Ipv6Addr>, Missing> {
        let found = self.0.ipv6_lookup(absolute(name)?).await.map_err(missing)?;
        records(found.answers(), |data| match data {
            RData::AAAA(aaaa) => Some(aaaa.0),
            _ => None,
        })
    }

    async fn ptr(&self, address: IpAddr) -> Result<Vec<String>, Missing> {
        let found = self.0.reverse_lookup(address).await.map_err(missing)?;
        records(found.answers(), |data| match data {
            RData::PTR(ptr) => Some(host(&ptr.0)),
            _ => None,
        })
    }
}
