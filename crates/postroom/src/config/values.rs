//! Plain value types of keys: flags, numbers, texts, paths, addresses, lists and named tables.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::setting::{Inside, Leaf, Reading, Setting};
use super::tree::{Node, Value, join};

/// A text as TOML.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A key type read from text by `$parse: fn(&str) -> Option<Self>` and shown by its `Display`.
macro_rules! from_text {
    ($type:ty, $expects:expr, $parse:expr) => {
        impl $crate::config::setting::Setting for $type {
            fn expects() -> String {
                $expects.to_owned()
            }

            fn read(
                node: &$crate::config::tree::Node,
                key: &str,
                cx: &mut $crate::config::setting::Reading,
            ) -> Option<Self> {
                let parse: fn(&str) -> Option<Self> = $parse;
                let parsed = match &node.value {
                    $crate::config::tree::Value::Text(text) => parse(text),
                    _ => None,
                };
                if parsed.is_none() {
                    cx.mismatch(node, key, &<Self as $crate::config::setting::Setting>::expects());
                }
                parsed
            }

            fn literal(&self) -> Option<String> {
                Some($crate::config::values::quoted(&self.to_string()))
            }
        }
    };
}
pub(super) use from_text;

/// A text newtype: keeps what `$parse` makes of the text.
macro_rules! text_type {
    ($(#[doc = $doc:literal])+ $type:ident, $expects:expr, $parse:expr) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $type(pub String);

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        $crate::config::values::from_text!($type, $expects, |text| {
            let parse: fn(&str) -> Option<String> = $parse;
            parse(text).map($type)
        });
    };
}

text_type!(/// An e-mail address in normal form.
Email, "an e-mail address such as \"support@example.org\"", |text| {
    let normal = postroom_core::address::normal(text);
    let (local, domain) = normal.rsplit_once('@')?;
    (!local.is_empty() && is_domain(domain) && !local.contains(char::is_whitespace)).then_some(normal.clone())
});
text_type!(/// A mail domain in lower case.
Domain, "a domain such as \"crm.example.org\"", |text| {
    let lower = text.trim().trim_end_matches('.').to_lowercase();
    is_domain(&lower).then_some(lower)
});
text_type!(/// An http or https address without query.
HttpUrl, "an address such as \"https://postroom.example.org\"", |text| {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split('/').next().unwrap_or_default();
    let plain = !rest.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#' | '@' | '"' | '<' | '>'));
    (!host.is_empty() && plain).then(|| text.trim_end_matches('/').to_owned())
});
text_type!(/// The name of a mail header field.
HeaderName, "a header name such as \"X-CRM-Record\"", |text| {
    // RFC 5322 section 3.6.8: printable US-ASCII without the colon.
    let fits = !text.is_empty() && text.bytes().all(|byte| (33..=126).contains(&byte) && byte != b':');
    fits.then(|| text.to_owned())
});
text_type!(/// The logical name of a CRM table: singular, lower case.
TableName, "the logical name of a table such as \"incident\"", |text| {
    let first = text.bytes().next()?;
    let rest = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (first.is_ascii_lowercase() && rest).then(|| text.to_owned())
});
text_type!(/// A record of the CRM.
RecordName, "a record such as \"incident/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"", |text| {
    text.parse::<postroom_core::RecordRef>().ok().map(|record| record.to_string())
});
text_type!(/// The SHA-256 of a server's certificate.
Fingerprint, "the 64 hexadecimal digits of a SHA-256, as `openssl x509 -fingerprint -sha256` shows them", |text| {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let fits = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| digits.to_uppercase())
});
text_type!(/// A folder tied to a record.
FolderRecord, "a folder and a record such as \"CRM/Acme = account/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"", |text| {
    let (folder, record) = text.rsplit_once('=')?;
    let record = record.trim().parse::<postroom_core::RecordRef>().ok()?;
    (!folder.trim().is_empty()).then(|| format!("{} = {record}", folder.trim()))
});
text_type!(/// A Notes name and the internet address of the one it means.
NotesAlias, "a name and an address such as \"CN=John Doe/O=Acme = john.doe@acme.example\"", |text| {
    let (name, address) = text.rsplit_once(" = ")?;
    let fits = !name.trim().is_empty() && postroom_core::address::domain(address).is_some();
    fits.then(|| format!("{} = {}", name.trim(), address.trim()))
});
text_type!(/// An address or a range of addresses.
Network, "an address or a network such as \"10.0.0.0/8\"", |text| {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address = address.trim().parse::<IpAddr>().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let fits = bits.is_none_or(|bits| bits.trim().parse::<u8>().is_ok_and(|bits| bits <= most));
    fits.then(|| text.trim().to_owned())
});
text_type!(/// The name of a computer.
Host, "a host name such as \"mail.example.org\"", |text| {
    let fits = text.parse::<IpAddr>().is_ok() || is_domain(text);
    fits.then(|| text.to_lowercase())
});

impl NotesAlias {
    /// The name, and the address.
    pub fn parts(&self) -> Option<(&str, &str)> {
        self.0.rsplit_once(" = ")
    }
}

impl FolderRecord {
    /// The folder, and the record that what lies in it belongs to.
    pub fn parts(&self) -> Option<(&str, postroom_core::RecordRef)> {
        let (folder, record) = self.0.rsplit_once(" = ")?;
        Some((folder, record.parse().ok()?))
    }
}

impl Host {
    /// Whether it is this machine itself, by name or address.
    pub fn is_loopback(&self) -> bool {
        self.0 == "localhost" || self.0.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    !text.is_empty() && text.len() <= 253 && text.split('.').all(label)
}

/// Where to listen: an IP address (or `localhost`) and a port; port 0 lets the system choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl Listen {
    pub const fn loopback(port: u16) -> Self {
        Listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    pub const fn get(self) -> SocketAddr {
        self.0
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

from_text!(Listen, "an address and port such as \"127.0.0.1:8080\"", |text| {
    if let Some(port) = text.strip_prefix("localhost:") {
        return port.parse().ok().map(Listen::loopback);
    }
    text.parse().ok().map(Listen)
});

impl Setting for String {
    fn expects() -> String {
        "a text in quotes".to_owned()
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        match &node.value {
            Value::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            _ => {
                cx.mismatch(node, key, &Self::expects());
                None
            }
        }
    }

    fn literal(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Setting for PathBuf {
    fn expects() -> String {
        "a path in quotes".to_owned()
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        match &node.value {
            Value::Text(text) if text.contains("-----BEGIN") || text.contains(['\n', '\r', '\0']) => {
                // Not quoted: it is the key itself, not its path.
                cx.refuse(key, format!("{key} takes the path of a file, not what is in it"));
                None
            }
            Value::Text(text) if !text.is_empty() => Some(PathBuf::from(text)),
            _ => {
                cx.mismatch(node, key, &Self::expects());
                None
            }
        }
    }

    fn literal(&self) -> Option<String> {
        Some(quoted(&self.to_string_lossy()))
    }
}

impl Setting for bool {
    fn expects() -> String {
        "true or false".to_owned()
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        let value = match &node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if node.at.is_loose() => text.trim().parse().ok(),
            _ => None,
        };
        if value.is_none() {
            cx.mismatch(node, key, &Self::expects());
        }
        value
    }

    fn literal(&self) -> Option<String> {
        Some(self.to_string())
    }
}

macro_rules! whole_number {
    ($($type:ty, $expects:literal);+) => {$(
        impl Setting for $type {
            fn expects() -> String {
                $expects.to_owned()
            }

            fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
                let value = match &node.value {
                    Value::Integer(number) => <$type>::try_from(*number).ok(),
                    Value::Text(text) if node.at.is_loose() => text.trim().parse().ok(),
                    _ => None,
                };
                if value.is_none() {
                    cx.mismatch(node, key, &Self::expects());
                }
                value
            }

            fn literal(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )+};
}
whole_number!(u16, "a number from 0 to 65535"; u32, "a whole number, 0 or more");

impl<T: Setting> Setting for Option<T> {
    fn expects() -> String {
        T::expects()
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        T::read(node, key, cx).map(Some)
    }

    fn literal(&self) -> Option<String> {
        self.as_ref().and_then(T::literal)
    }

    fn leaves(&self, key: &str, out: &mut Vec<Leaf>) {
        match self {
            Some(value) => value.leaves(key, out),
            None => out.push(Leaf { key: key.to_owned(), literal: None }),
        }
    }

    fn inside() -> Option<Inside> {
        T::inside()
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn expects() -> String {
        format!("a list, each item {}", T::expects())
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        let items = match &node.value {
            Value::List(items) => items.clone(),
            Value::Text(text) if node.at.is_loose() => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.map(|part| Node::loose(Value::Text(part.to_owned()), node.at.clone())).collect()
            }
            _ => {
                cx.mismatch(node, key, &Self::expects());
                return None;
            }
        };
        let read: Vec<Option<T>> = items.iter().map(|item| T::read(item, key, cx)).collect();
        read.into_iter().collect()
    }

    fn literal(&self) -> Option<String> {
        let items: Vec<String> = self.iter().filter_map(T::literal).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

/// Tables whose names the user chooses: `[mailboxes.NAME]`.
impl<T: Setting> Setting for BTreeMap<String, T> {
    fn expects() -> String {
        "a table for each name".to_owned()
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        let Value::Table(table) = &node.value else {
            cx.mismatch(node, key, &Self::expects());
            return None;
        };
        let mut read = BTreeMap::new();
        let mut whole = true;
        for (name, node) in table {
            let key = join(key, name);
            cx.origins.insert(key.clone(), node.key_at.clone());
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
                cx.refuse(&key, format!("{name:?} cannot be a name here: use letters, digits, - and _"));
            }
            match T::read(node, &key, cx) {
                Some(value) => drop(read.insert(name.clone(), value)),
                None => whole = false,
            }
        }
        whole.then_some(read)
    }

    fn literal(&self) -> Option<String> {
        None
    }

    fn leaves(&self, key: &str, out: &mut Vec<Leaf>) {
        for (name, value) in self {
            value.leaves(&join(key, name), out);
        }
    }

    fn inside() -> Option<Inside> {
        T::inside().map(|inside| Inside { named: Some(T::SHOWN_AS), ..inside })
    }
}
