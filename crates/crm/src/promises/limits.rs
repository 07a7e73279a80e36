//! What this organisation takes no attachments of: too large, or of a blocked kind. They stay here, and the mail says so.

use postroom_core::{Content, Fault, Query, Record, Value};

use super::Reads;

/// The organisation's own settings; without them everything is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// `maxuploadfilesize`, in bytes.
    pub largest: Option<usize>,
    /// `blockedattachments`: endings without a dot, in lower case.
    pub blocked: Vec<String>,
}

impl Limits {
    /// Whether an attachment stays here.
    pub(crate) fn keep(&self, attachment: &Record) -> bool {
        let name = attachment.text("filename").unwrap_or_default().to_lowercase();
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        let blocked = ending.is_some_and(|ending| self.blocked.iter().any(|blocked| blocked == ending));
        let size = match attachment.get("body") {
            Some(Value::Content(Content::Bytes(bytes))) => bytes.len(),
            Some(Value::Content(Content::MailPart { size, .. } | Content::Stored { size, .. })) => {
                usize::try_from(*size).unwrap_or(usize::MAX)
            }
            _ => 0,
        };
        blocked || self.largest.is_some_and(|largest| size > largest)
    }
}

/// Asks for them.
pub(crate) async fn ask(reads: &impl Reads) -> Result<Limits, Fault> {
    let names = ["maxuploadfilesize", "blockedattachments"];
    let metadata = reads.metadata(&["organization"]).await?;
    let known =
        |name: &&str| metadata.table("organization").is_some_and(|table| table.column(name).is_some());
    let columns: Vec<&str> = names.into_iter().filter(|name| known(name)).collect();
    if columns.is_empty() {
        return Ok(Limits::default());
    }
    let rows = reads.all(&Query::of("organization").select(&columns)).await?;
    let Some(row) = rows.first() else { return Ok(Limits::default()) };
    let blocked = row.text("blockedattachments").unwrap_or_default();
    Ok(Limits {
        largest: row.int("maxuploadfilesize").and_then(|size| usize::try_from(size).ok()),
        blocked: blocked
            .split(';')
            .map(|ending| ending.trim().to_lowercase())
            .filter(|ending| !ending.is_empty())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use postroom_core::RecordRef;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_stays_here() {
        let limits = Limits { largest: Some(10), blocked: vec!["exe".into(), "js".into()] };
        let check = |name: &str, size: usize, expected: bool| {
            let row =
                Record::new(RecordRef::new("activitymimeattachment", Uuid::nil())).with("filename", name);
            let row = row.with("body", Content::Bytes(vec![0; size].into()));
            assert_eq!(limits.keep(&row), expected, "{name} of {size}");
        };
        check("a.pdf", 10, false);
        check("a.pdf", 11, true);
        check("a.EXE", 1, true);
        check("a.js.txt", 1, false);
        check("exe", 1, false);
    }
}
