//! What this organisation takes no attachments of: too large, or of a blocked kind. They stay here, and the mail says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use postroom_core::{ChangeSet, Content, Fault, Query, Record, Value};

use super::lot;
use super::{Reads, Writes};

/// The organisation's own settings; without them everything is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// `maxuploadfilesize`, in bytes.
    pub largest: Option<usize>,
    /// `blockedattachments`: endings without a dot, in lower case.
    pub blocked: Vec<String>,
    /// No attachment is taken.
    pub nothing: bool,
}

impl Limits {
    /// Nothing is taken.
    fn nothing() -> Limits {
        Limits { nothing: true, ..Limits::default() }
    }

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
        self.nothing || blocked || self.largest.is_some_and(|largest| size > largest)
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
        nothing: false,
    })
}

/// What the attachments of a lot are measured by.
pub(crate) struct Measure {
    limits: Arc<Limits>,
    /// Sets whose attachments all stay here, by their places.
    bare: BTreeSet<usize>,
    nothing: Limits,
}

impl Measure {
    /// Asks for the limits where a set has an attachment.
    pub(crate) async fn of(
        make: &impl Writes,
        mut sets: impl Iterator<Item = &ChangeSet>,
    ) -> Result<Measure, Fault> {
        let limits = match sets.any(|set| attachments(set).next().is_some()) {
            true => make.limits().await?,
            false => Arc::default(),
        };
        Ok(Measure { limits, bare: BTreeSet::new(), nothing: Limits::nothing() })
    }

    /// For the set at this place.
    pub(crate) fn at(&self, at: usize) -> &Limits {
        if self.bare.contains(&at) { &self.nothing } else { &self.limits }
    }

    /// Attachments of these sets were refused: the limits are others now. Where they do not say which attachments stay here,
    /// all do, so that the mail itself goes on its way.
    pub(crate) async fn again(
        &mut self,
        make: &impl Writes,
        sets: &[ChangeSet],
        refused: &[usize],
    ) -> Result<(), Fault> {
        if refused.is_empty() {
            return Ok(());
        }
        make.forget_limits();
        let limits = make.limits().await?;
        for at in refused {
            let stay = |limits: &Limits| attachments(&sets[*at]).filter(|row| limits.keep(row)).count();
            if stay(&limits) == stay(&self.limits) {
                self.bare.insert(*at);
            }
        }
        self.limits = limits;
        Ok(())
    }
}

/// The attachments that a set writes.
pub(crate) fn attachments(set: &ChangeSet) -> impl Iterator<Item = &Record> {
    set.changes.iter().filter_map(lot::record).filter(|row| lot::is_attachment(&row.at))
}

#[cfg(test)]
mod tests {
    use postroom_core::RecordRef;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_stays_here() {
        let limits = Limits { largest: Some(10), blocked: vec!["exe".into(), "js".into()], nothing: false };
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
