//! Bodies: files on their way in; on the way out the parts and the display body of a stored mail, made again from its raw
//! bytes.

use bytes::Bytes;
use postroom_core::{BodyHash, Change, ChangeSet, Code, Content, Fault, Value};
use postroom_formats::html;
use postroom_formats::mime::{Limits, Mail};
use postroom_store::Store;
use postroom_store::body::{self, Body};

/// Files up to this size stay in their row; larger ones are kept as bodies of the store, compressed and once.
const INLINE: usize = 4096;

/// Turns large files into handles; answers the bodies to be written with the sets. Hashing and compressing happen here,
/// outside any unit.
pub(crate) fn store_files(sets: &mut [ChangeSet]) -> Vec<Body> {
    let mut bodies = Vec::new();
    for change in sets.iter_mut().flat_map(|set| &mut set.changes) {
        let record = match change {
            Change::Create(record)
            | Change::CreateNew(record)
            | Change::Update(record)
            | Change::UpdateIf(record, _)
            | Change::Upsert(record) => record,
            Change::Delete(_) | Change::DeleteIf(..) => continue,
        };
        // Display bodies that are not handles stay in their rows: they are read with every list.
        for (_, value) in record.columns.iter_mut().filter(|(column, _)| column != "description") {
            let Value::Content(Content::Bytes(bytes)) = value else { continue };
            if bytes.len() > INLINE {
                let body = Body::prepare(bytes);
                *value = Value::Content(Content::Stored { body: body.hash, size: body.size });
                bodies.push(body);
            }
        }
    }
    bodies
}

/// The bytes behind a handle.
pub async fn read(store: &Store, content: &Content) -> Result<Bytes, Fault> {
    match content {
        Content::Bytes(bytes) => Ok(bytes.clone()),
        Content::Stored { body, .. } => Ok(Bytes::from(raw(store, *body).await?)),
        Content::MailPart { mail, part, .. } => {
            let (raw, part) = (raw(store, *mail).await?, *part);
            let found = apart(move || part_of(&raw, part)).await?;
            found.ok_or_else(|| {
                Fault::reject(Code::CRM_NOT_FOUND, format!("the stored mail {mail} has no part {part}"))
            })
        }
        Content::MailBody { mail } => {
            let raw = raw(store, *mail).await?;
            apart(move || display_body(&raw)).await
        }
    }
}

async fn raw(store: &Store, mail: BodyHash) -> Result<Vec<u8>, Fault> {
    let mut bodies = body::get(store, vec![mail]).await?;
    bodies.pop().ok_or_else(|| Fault::bug("one body was asked for and none answered"))
}

/// Parsing a large mail costs CPU: off the threads that serve sockets.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    let answer = tokio::task::spawn_blocking(work).await;
    answer.map_err(|error| Fault::bug("a mail could not be read: the reader stopped").with_source(error))
}

fn part_of(raw: &[u8], part: u32) -> Option<Bytes> {
    let mail = Mail::parse(raw, &Limits::default());
    mail.parts.get(part as usize).map(|part| Bytes::copy_from_slice(&part.body))
}

/// Cleaned HTML; of a plain mail, HTML made from its text. Inline images keep their `cid:` when the mail has that part.
fn display_body(raw: &[u8]) -> Bytes {
    let mail = Mail::parse(raw, &Limits::default());
    let has = |id: &str| mail.parts.iter().any(|part| part.content_id.as_deref() == Some(id));
    let shown = match mail.html_body() {
        Some(body) => html::clean_with(&body, |id| has(id).then(|| format!("cid:{id}"))),
        None => html::from_text(&mail.text_body().unwrap_or_default()),
    };
    Bytes::from(shown)
}
