//! The archive: entries in and out, with limits on what a stranger may send.
//!
//! Every limit is checked on what really comes out, not on what the archive says of itself.

use std::collections::HashSet;
use std::io::{Cursor, Read, Write};

use zip::read::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::{Error, Package, Solution, WebResource, customizations, manifest};
use crate::xml::{self, Element};

const CONTENT_TYPES: &str = "[Content_Types].xml";
const MANIFEST: &str = "solution.xml";
const CUSTOMIZATIONS: &str = "customizations.xml";
const WEB_RESOURCES: &str = "WebResources/";

/// What a reader takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The archive itself.
    pub bytes: u64,
    pub entries: usize,
    /// All entries unpacked.
    pub unpacked: u64,
    /// How many times larger than packed an entry may be, once it is larger than a megabyte.
    pub ratio: u64,
    pub depth: usize,
    /// Elements and attributes in one file.
    pub nodes: usize,
}

impl Default for Limits {
    /// Four times the platform's 32 MB of a solution, for what unpacks well.
    fn default() -> Self {
        Limits {
            bytes: 32 << 20,
            entries: 4096,
            unpacked: 128 << 20,
            ratio: 250,
            depth: 64,
            nodes: 2_000_000,
        }
    }
}

/// Only entries above this size are held to [`Limits::ratio`]: small texts of blanks pack well.
const SMALL: u64 = 1 << 20;

/// Reads a solution file.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Solution, Error> {
    let entries = unpack(bytes, limits)?;
    let find = |name: &'static str| {
        let entry = entries.iter().find(|(known, _)| known == name);
        entry.map(|(_, bytes)| bytes.as_slice()).ok_or(Error::MissingFile(name))
    };
    find(CONTENT_TYPES)?;
    let manifest = manifest::read(&document(MANIFEST, find(MANIFEST)?, limits)?)?;
    let root = document(CUSTOMIZATIONS, find(CUSTOMIZATIONS)?, limits)?;
    let mut solution = customizations::read(manifest, &root)?;
    let mut used = vec![CONTENT_TYPES.to_owned(), MANIFEST.to_owned(), CUSTOMIZATIONS.to_owned()];
    for (resource, file) in solution.web_resources.iter_mut().zip(customizations::web_resource_files(&root)) {
        let Some(file) = file else { continue };
        let entry = entries.iter().find(|(name, _)| *name == file);
        let missing = || Error::Missing { component: resource.name.clone(), element: "FileName" };
        resource.content = entry.ok_or_else(missing)?.1.clone();
        used.push(file);
    }
    let more = entries.iter().map(|(name, _)| name).filter(|name| !used.contains(name));
    solution.left_out.extend(more.cloned());
    Ok(solution)
}

fn document(file: &'static str, bytes: &[u8], limits: &Limits) -> Result<Element, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::Encoding { file })?;
    let limits = xml::Limits { bytes: bytes.len().max(1), nodes: limits.nodes, depth: limits.depth };
    let root = xml::read(text, &limits).map_err(|source| Error::Xml { file, source })?;
    match root.name.local == "ImportExportXml" {
        true => Ok(root),
        false => Err(Error::Missing { component: file.to_owned(), element: "ImportExportXml" }),
    }
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Zip(error.to_string())
}

/// Every file of the archive with its bytes.
fn unpack(bytes: &[u8], limits: &Limits) -> Result<Vec<(String, Vec<u8>)>, Error> {
    if bytes.len() as u64 > limits.bytes {
        return Err(Error::Limit { what: "bytes", most: limits.bytes });
    }
    let counted = counted(bytes)?;
    if counted > limits.entries {
        return Err(Error::Limit { what: "entries", most: limits.entries as u64 });
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    if archive.len() != counted {
        // The reader keeps the last of several entries of one name, other readers the first.
        return Err(Error::Duplicate("…".to_owned()));
    }
    let mut seen = HashSet::new();
    let mut left = limits.unpacked;
    let mut all = Vec::with_capacity(archive.len());
    for place in 0..archive.len() {
        let entry = archive.by_index(place).map_err(broken)?;
        let name = entry.name().map_err(broken)?.replace('\\', "/");
        check_name(&name)?;
        if !seen.insert(name.to_lowercase()) {
            return Err(Error::Duplicate(name));
        }
        if entry.is_dir() {
            continue;
        }
        let grown = entry.compressed_size().max(1).saturating_mul(limits.ratio).max(SMALL);
        let most = left.min(grown);
        let mut content = Vec::new();
        entry.take(most + 1).read_to_end(&mut content).map_err(broken)?;
        let size = content.len() as u64;
        if size > left {
            return Err(Error::Limit { what: "bytes when it is unpacked", most: limits.unpacked });
        }
        if size > grown {
            return Err(Error::Limit { what: "an entry that grows more times", most: limits.ratio });
        }
        left -= size;
        all.push((name, content));
    }
    Ok(all)
}

/// How many entries the end of the archive says that there are.
fn counted(bytes: &[u8]) -> Result<usize, Error> {
    const SIGNATURE: [u8; 4] = [b'P', b'K', 5, 6];
    const LENGTH: usize = 22;
    let earliest = bytes.len().saturating_sub(LENGTH + usize::from(u16::MAX));
    let tail = &bytes[earliest..];
    let end = tail.windows(LENGTH).rposition(|window| window.starts_with(&SIGNATURE));
    let end = end.ok_or_else(|| broken("its end is missing"))?;
    let count = u16::from_le_bytes([tail[end + 10], tail[end + 11]]);
    match count {
        u16::MAX => Err(Error::Limit { what: "entries", most: u64::from(u16::MAX) - 1 }),
        count => Ok(usize::from(count)),
    }
}

/// Nothing is ever written under these names; a name that only an attacker would choose is refused all the same.
fn check_name(name: &str) -> Result<(), Error> {
    let odd = name.is_empty()
        || name.len() > 512
        || name.starts_with('/')
        || name.contains(':')
        || name.chars().any(char::is_control)
        || name.split('/').any(|part| part == "..");
    if odd { Err(Error::EntryName(name.chars().take(80).collect())) } else { Ok(()) }
}

/// Writes a solution for servers of this package version and newer ones; the same solution gives the same bytes.
///
/// # Errors
/// [`Error::TooOld`] for what that version cannot hold.
pub fn write(solution: &Solution, package: Package) -> Result<Vec<u8>, Error> {
    let files: Vec<String> = solution.web_resources.iter().map(file_name).collect();
    let root = customizations::write(solution, package, &files)?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    put(&mut zip, CUSTOMIZATIONS, text(&root).as_bytes())?;
    put(&mut zip, CONTENT_TYPES, content_types(&files).as_bytes())?;
    put(&mut zip, MANIFEST, text(&manifest::write(&solution.manifest, package)).as_bytes())?;
    for (file, resource) in files.iter().zip(&solution.web_resources) {
        put(&mut zip, file, &resource.content)?;
    }
    Ok(zip.finish().map_err(broken)?.into_inner())
}

fn text(root: &Element) -> String {
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{}", xml::write(root))
}

fn put(zip: &mut ZipWriter<Cursor<Vec<u8>>>, name: &str, bytes: &[u8]) -> Result<(), Error> {
    // The time of an entry is the format's first day: two exports of the same are the same.
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    zip.start_file(name, options).map_err(broken)?;
    zip.write_all(bytes).map_err(broken)
}

/// The name without `/` and `.`, then the id: names of web resources are paths and may differ by case only.
fn file_name(resource: &WebResource) -> String {
    let name: String = resource.name.chars().filter(|letter| !matches!(letter, '/' | '.')).collect();
    format!("{WEB_RESOURCES}{name}{}", resource.id.to_string().to_uppercase())
}

/// Each part without an extension is named by itself.
fn content_types(files: &[String]) -> String {
    let types = "http://schemas.openxmlformats.org/package/2006/content-types";
    let any = "application/octet-stream";
    let mut root = Element::new(types, "Types").plain();
    root = root.with(
        Element::new(types, "Default").plain().attribute("Extension", "xml").attribute("ContentType", any),
    );
    for file in files {
        let part = format!("/{file}");
        root = root.with(
            Element::new(types, "Override").plain().attribute("PartName", part).attribute("ContentType", any),
        );
    }
    text(&root)
}
