//! Files that come in pieces: InitializeAttachmentBlocksUpload, InitializeFileBlocksUpload, UploadBlock, the two commits,
//! DeleteFile; and the chunked uploads of the Web API (dataverse.md A19).
//!
//! Pieces are kept in this process's memory, within limits, for an hour after the last one: a client whose server was
//! started anew, or who reaches another process, begins again. What is committed is durable.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};
use postroom_core::metadata::ColumnKind;
use postroom_core::{Change, Content, Filter, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::ask::{Ask, table};
use super::{Parameter, Prepared, codes, refuse};
use crate::definitions;
use crate::failure::Failure;
use crate::rules::Refusal;
use crate::schema::Column;
use crate::session::Session;

/// Bytes of one file.
pub(crate) const FILE: usize = 128 * 1024 * 1024;
/// Bytes of all uploads under way.
const ALL: usize = 512 * 1024 * 1024;
/// Uploads under way.
const MOST: usize = 256;
/// An upload that nobody touches is forgotten.
const IDLE: SignedDuration = SignedDuration::from_hours(1);
/// Of a file's name.
const NAME: u32 = 255;

/// Where a file is to go.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Goal {
    Attachment,
    /// A file column of a row.
    Column {
        at: RecordRef,
        column: String,
    },
}

/// One file on its way.
#[derive(Debug)]
pub(crate) struct Upload {
    user: Uuid,
    pub goal: Goal,
    pub name: String,
    pieces: Vec<(String, Bytes)>,
    touched: Timestamp,
    /// It was put down: a repeat of the last piece is no error.
    done: bool,
}

/// The uploads under way in this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uploads(Arc<Mutex<HashMap<Uuid, Upload>>>);

impl Upload {
    pub(crate) fn size(&self) -> usize {
        self.pieces.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// The pieces one after the other, in the order in which they came.
    pub(crate) fn whole(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.size());
        self.pieces.iter().for_each(|(_, bytes)| whole.extend_from_slice(bytes));
        whole.freeze()
    }

    /// The pieces that a list names, in its order.
    fn listed(&self, names: &[String]) -> Option<Bytes> {
        let mut whole = BytesMut::with_capacity(self.size());
        for name in names {
            let (_, bytes) = self.pieces.iter().find(|(known, _)| known == name)?;
            whole.extend_from_slice(bytes);
            if whole.len() > FILE {
                return None;
            }
        }
        Some(whole.freeze())
    }
}

impl Uploads {
    pub(crate) fn begin(
        &self,
        session: &Session,
        goal: Goal,
        name: &str,
        token: Uuid,
    ) -> Result<(), Failure> {
        let now = session.now();
        let mut all = self.0.lock().expect("nobody panics while holding it");
        all.retain(|_, upload| upload.touched + IDLE > now);
        if all.len() >= MOST {
            return Err(too_many());
        }
        let (user, name) = (session.user(), name.to_owned());
        all.insert(token, Upload { user, goal, name, pieces: Vec::new(), touched: now, done: false });
        Ok(())
    }

    /// One piece. A piece that came before under this name is replaced.
    pub(crate) fn put(
        &self,
        session: &Session,
        token: Uuid,
        name: &str,
        bytes: Bytes,
    ) -> Result<(), Failure> {
        let mut all = self.0.lock().expect("nobody panics while holding it");
        let used: usize = all.values().map(Upload::size).sum();
        let upload = own(&mut all, session, token)?;
        if upload.size() + bytes.len() > FILE {
            return Err(too_large(FILE / 1024));
        }
        if used + bytes.len() > ALL {
            return Err(too_many());
        }
        upload.touched = session.now();
        match upload.pieces.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = bytes,
            None => upload.pieces.push((name.to_owned(), bytes)),
        }
        Ok(())
    }

    /// Looks at an upload of the caller's own.
    pub(crate) fn look<T>(
        &self,
        session: &Session,
        token: Uuid,
        look: impl FnOnce(&Upload) -> T,
    ) -> Result<T, Failure> {
        let mut all = self.0.lock().expect("nobody panics while holding it");
        own(&mut all, session, token).map(|upload| look(upload))
    }

    /// The upload was put down: its pieces are let go.
    pub(crate) fn done(&self, session: &Session, token: Uuid) -> Result<(), Failure> {
        let mut all = self.0.lock().expect("nobody panics while holding it");
        let upload = own(&mut all, session, token)?;
        upload.pieces.clear();
        upload.done = true;
        Ok(())
    }
}

impl Upload {
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }
}

fn own<'u>(
    all: &'u mut HashMap<Uuid, Upload>,
    session: &Session,
    token: Uuid,
) -> Result<&'u mut Upload, Failure> {
    let found = all.get_mut(&token).filter(|upload| upload.user == session.user());
    found.ok_or_else(|| {
        let text = "There is no upload with this token, or it was forgotten: begin it again.";
        refuse(codes::INVALID_ARGUMENT, text)
    })
}

fn too_many() -> Failure {
    refuse(codes::FILE_TOO_LARGE, "Too many uploads are under way: finish some of them, or wait.")
}

pub(crate) fn too_large(kilobytes: usize) -> Failure {
    refuse(codes::FILE_TOO_LARGE, format!("The file is too large: at most {kilobytes} KB are taken."))
}

/// What a file column is called and how much it takes; refuses other columns.
pub(crate) async fn column(session: &Session, at: &RecordRef, name: &str) -> Result<usize, Failure> {
    let schema = session.crm().schema().await?;
    let metadata = definitions::metadata(&schema);
    let column = metadata.table(&at.table).and_then(|table| table.column(name));
    match column.map(|column| &column.kind) {
        Some(ColumnKind::File { max_kb } | ColumnKind::Image { max_kb }) => Ok(*max_kb as usize * 1024),
        _ => Err(refuse(codes::INVALID_ARGUMENT, format!("{}.{name} is no file column.", at.table))),
    }
}

/// The column that keeps the name of a file.
pub(crate) fn name_column(column: &str) -> String {
    format!("{column}_name")
}

/// The id of the file in a row's column: the same for as long as the row is there.
pub(crate) fn file_id(row: Uuid, column: &str) -> Uuid {
    Uuid::new_v5(&row, format!("file:{column}").as_bytes())
}

/// The change that puts a file into its column, with its name beside it.
pub(crate) async fn file_change(
    session: &Session,
    at: &RecordRef,
    name: &str,
    file: &str,
    bytes: Bytes,
) -> Result<Change, Failure> {
    let most = column(session, at, name).await?.min(FILE);
    if bytes.len() > most {
        return Err(too_large(most / 1024));
    }
    if file.is_empty() || file.contains(['/', '\\', '\0']) || file.encode_utf16().count() > NAME as usize {
        return Err(refuse(
            codes::FILE_NAME,
            "The file needs a name of at most 255 characters, without a path.",
        ));
    }
    let table = table(session, &at.table).await?;
    let beside = name_column(name);
    if table.column(&beside).is_none() {
        session.crm().add_columns(&at.table, vec![Column::text(beside.as_str(), NAME)]).await?;
    }
    let row = Record::new(at.clone()).with(name, Content::Bytes(bytes)).with(beside, file);
    Ok(Change::Update(row))
}

/// The change that empties a file column.
pub(crate) async fn empty_change(session: &Session, at: &RecordRef, name: &str) -> Result<Change, Failure> {
    column(session, at, name).await?;
    let table = table(session, &at.table).await?;
    let mut row = Record::new(at.clone()).with(name, Value::Null);
    if table.column(&name_column(name)).is_some() {
        row = row.with(name_column(name), Value::Null);
    }
    Ok(Change::Update(row))
}

pub(super) async fn begin(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let target = ask.given("Target")?.map(|given| given.record);
    let (goal, name) = match ask.message.name.as_str() {
        "InitializeFileBlocksUpload" => {
            let at = ask.needed("Target", None)?;
            ask.need("FileAttributeName")?;
            let name = ask.text("FileAttributeName")?.unwrap_or_default().to_owned();
            column(ask.session, &at, &name).await?;
            ask.row(&at, &[]).await?;
            (Goal::Column { at, column: name }, ask.text("FileName")?.unwrap_or_default().to_owned())
        }
        _ => {
            let name = target.and_then(|row| row.text("filename").map(str::to_owned)).unwrap_or_default();
            (Goal::Attachment, name)
        }
    };
    let token = ask.ids.next();
    ask.session.crm().uploads.begin(ask.session, goal, &name, token)?;
    Ok(Prepared::answer(vec![("FileContinuationToken", Parameter::Text(token.to_string()))]))
}

pub(super) fn block(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    ask.need("BlockId")?;
    let Parameter::Binary(bytes) = ask.need("BlockData")? else {
        return Err(ask.unfit("BlockData", "base64"));
    };
    let name = ask.text("BlockId")?.unwrap_or_default();
    ask.session.crm().uploads.put(ask.session, token(ask)?, name, bytes.clone())?;
    Ok(Prepared::default())
}

fn token(ask: &Ask<'_>) -> Result<Uuid, Failure> {
    ask.need("FileContinuationToken")?;
    Ok(ask.guid("FileContinuationToken")?.unwrap_or_default())
}

pub(super) async fn commit(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let token = token(ask)?;
    let Parameter::List(names) = ask.need("BlockList")? else {
        return Err(ask.unfit("BlockList", "a list of BlockIds"));
    };
    let names: Vec<String> = names
        .iter()
        .filter_map(|name| match name {
            Parameter::Text(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    let uploads = &ask.session.crm().uploads;
    let look = |upload: &Upload| (upload.goal.clone(), upload.name.clone(), upload.listed(&names));
    let (goal, name, bytes) = uploads.look(ask.session, token, look)?;
    let bytes = bytes.ok_or_else(|| ask.unfit("BlockList", "a list of the blocks that were uploaded"))?;
    let size = Parameter::Int(bytes.len() as i64);
    let prepared = match goal {
        Goal::Attachment => {
            let (change, id) = attachment(ask, bytes).await?;
            let results = vec![("ActivityMimeAttachmentId", Parameter::Guid(id)), ("FileSizeInBytes", size)];
            Prepared::of(vec![change], results)
        }
        Goal::Column { at, column } => {
            let file = ask.text("FileName")?.unwrap_or(&name);
            let change = file_change(ask.session, &at, &column, file, bytes).await?;
            let id = Parameter::Guid(file_id(at.id, &column));
            Prepared::of(vec![change], vec![("FileId", id), ("FileSizeInBytes", size)])
        }
    };
    uploads.done(ask.session, token)?;
    Ok(prepared)
}

/// The attachment, made with its bytes; one that is there already gets them.
async fn attachment(ask: &Ask<'_>, bytes: Bytes) -> Result<(Change, Uuid), Failure> {
    let mut row = ask.given("Target")?.ok_or_else(|| ask.unfit("Target", "an attachment"))?.record;
    row.columns.retain(|(name, _)| name != "body" && name != "activitymimeattachmentid");
    let row = row.with("body", Content::Bytes(bytes));
    if row.at.id.is_nil() {
        let at = RecordRef::new("activitymimeattachment", ask.ids.next());
        return Ok((Change::CreateNew(Record { at: at.clone(), ..row }), at.id));
    }
    let query = Query::of("activitymimeattachment").select(&[]);
    let there = ask.session.all(query.filter(Filter::eq("activitymimeattachmentid", row.at.id))).await?;
    let id = row.at.id;
    Ok((if there.is_empty() { Change::CreateNew(row) } else { Change::Update(row) }, id))
}

/// Looks through the rows that have files: ids of files are made of rows, not kept.
pub(super) async fn delete_file(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    ask.need("FileId")?;
    let wanted = ask.guid("FileId")?.unwrap_or_default();
    let schema = ask.session.crm().schema().await?;
    let metadata = definitions::metadata(&schema);
    for table in &metadata.tables {
        let files = table.columns.iter().filter(|column| matches!(column.kind, ColumnKind::File { .. }));
        for column in files {
            let beside = name_column(&column.logical_name);
            if schema.table(&table.logical_name)?.column(&beside).is_none() {
                continue;
            }
            let named = Filter::Not(Box::new(Filter::Null(beside)));
            let rows = ask.session.all(Query::of(&table.logical_name).select(&[]).filter(named)).await;
            let mut rows = rows.unwrap_or_default().into_iter();
            if let Some(row) = rows.find(|row| file_id(row.at.id, &column.logical_name) == wanted) {
                let change = empty_change(ask.session, &row.at, &column.logical_name).await?;
                return Ok(Prepared::of(vec![change], Vec::new()));
            }
        }
    }
    Err(Refusal::NotFound(RecordRef::new("fileattachment", wanted)).into())
}
