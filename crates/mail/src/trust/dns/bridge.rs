//! A name server on loopback that answers from a [`Dns`]: `mail-auth` asks through hickory's own sockets and has no other
//! seam. TCP, so that answers of any size fit and nobody else on this machine can slip one in.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Dns, Missing};

/// How long hickory keeps an answer of ours, in seconds: a new key or record counts after that.
const KEEP: u32 = 300;
/// Answers kept.
const CACHE: u64 = 4096;
/// Longest string in a TXT record (RFC 1035 3.3).
const STRING: usize = 255;
/// Answers on their way back over one connection.
const QUEUE: usize = 64;

/// The name server, stopped when dropped.
pub(in crate::trust) struct Bridge {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Bridge {
    /// Takes a port of the kernel's and answers there.
    pub async fn start(dns: Arc<dyn Dns>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Bridge { address, task: tokio::spawn(serve(listener, dns)) })
    }

    /// A resolver that asks this server and nobody else.
    pub fn resolver(&self) -> Result<TokioResolver, NetError> {
        let mut server = NameServerConfig::tcp(self.address.ip());
        server.connections.iter_mut().for_each(|connection| connection.port = self.address.port());
        let mut options = ResolverOpts::default();
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = CACHE;
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, dns: Arc<dyn Dns>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream, dns.clone()));
            }
            // Out of files: the question goes unanswered and counts as trouble.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
}

/// Questions and answers, each with two bytes of length (RFC 1035 4.2.2); a slow answer holds up no other.
async fn converse(stream: TcpStream, dns: Arc<dyn Dns>) {
    let (mut read, mut write) = stream.into_split();
    let (answers, mut waiting) = mpsc::channel::<Vec<u8>>(QUEUE);
    tokio::spawn(async move {
        while let Some(answer) = waiting.recv().await {
            if write.write_all(&answer).await.is_err() {
                break;
            }
        }
    });
    while let Ok(length) = read.read_u16().await {
        let mut question = vec![0; usize::from(length)];
        if read.read_exact(&mut question).await.is_err() {
            return;
        }
        let (dns, answers) = (dns.clone(), answers.clone());
        tokio::spawn(async move {
            if let Some(answer) = answer(&*dns, &question).await {
                // Nobody waits any more when the connection is gone.
                let _ = answers.send(answer).await;
            }
        });
    }
}

/// The answer with its length, or nothing for what is no question.
async fn answer(dns: &dyn Dns, question: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?;
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    match look_up(dns, query.name(), query.query_type()).await {
        Ok(found) => {
            answer.add_answers(
                found.into_iter().map(|data| Record::from_rdata(query.name().clone(), KEEP, data)),
            );
        }
        Err(Missing::Record) => {}
        Err(Missing::Name) => answer.metadata.response_code = ResponseCode::NXDomain,
        Err(Missing::Trouble(_)) => answer.metadata.response_code = ResponseCode::ServFail,
    }
    let bytes = answer.to_vec().ok()?;
    let length = u16::try_from(bytes.len()).ok()?;
    Some([&length.to_be_bytes()[..], &bytes].concat())
}

async fn look_up(dns: &dyn Dns, name: &Name, kind: RecordType) -> Result<Vec<RData>, Missing> {
    let text = name.to_ascii();
    let text = text.trim_end_matches('.');
    let host = |host: &str| Name::from_ascii(format!("{}.", host.trim_end_matches('.'))).ok();
    Ok(match kind {
        RecordType::TXT => dns.txt(text).await?.iter().map(|record| RData::TXT(strings(record))).collect(),
        RecordType::A => dns.a(text).await?.into_iter().map(|address| RData::A(A(address))).collect(),
        RecordType::AAAA => {
            dns.aaaa(text).await?.into_iter().map(|address| RData::AAAA(AAAA(address))).collect()
        }
        RecordType::MX => {
            let found = dns.mx(text).await?;
            found
                .iter()
                .filter_map(|(preference, to)| Some(RData::MX(MX::new(*preference, host(to)?))))
                .collect()
        }
        RecordType::PTR => {
            let address: IpAddr = name.parse_arpa_name().map_err(|_| Missing::Name)?.addr();
            dns.ptr(address).await?.iter().filter_map(|to| Some(RData::PTR(PTR(host(to)?)))).collect()
        }
        _ => return Err(Missing::Record),
    })
}

fn strings(record: &[u8]) -> TXT {
    TXT::from_bytes(record.chunks(STRING).collect())
}
