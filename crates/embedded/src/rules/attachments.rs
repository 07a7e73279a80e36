//! Which attachments the organisation takes: none that are too large, none of a blocked kind (dataverse.md A3).

use super::Refusal;

/// The columns of the organisation that say so.
pub(crate) const SETTINGS: [&str; 2] = ["maxuploadfilesize", "blockedattachments"];

/// The organisation's own settings; without them everything is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// In bytes.
    pub largest: Option<i64>,
    /// Endings without a dot, in lower case.
    blocked: Vec<String>,
}

impl Limits {
    /// By the values of [`SETTINGS`].
    pub(crate) fn of(largest: Option<i64>, blocked: Option<&str>) -> Self {
        let endings = blocked.unwrap_or_default().split(';').map(|one| one.trim().to_lowercase());
        Limits {
            largest: largest.filter(|most| *most > 0),
            blocked: endings.filter(|one| !one.is_empty()).collect(),
        }
    }

    pub(crate) fn blocks(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        ending.is_some_and(|ending| self.blocked.iter().any(|blocked| blocked == ending))
    }

    /// Refuses a file by its name or by its size in bytes.
    pub(crate) fn check(&self, name: &str, size: i64) -> Result<(), Refusal> {
        if self.blocks(name) {
            return Err(Refusal::FileBlocked);
        }
        match self.largest {
            Some(most) if size > most => Err(Refusal::FileTooLarge { kilobytes: most / 1024 }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken() {
        let limits = Limits::of(Some(10), Some(" EXE;js;"));
        let check = |name: &str, size: i64, expected: Result<(), Refusal>| {
            assert_eq!(limits.check(name, size), expected, "{name} of {size}");
        };
        check("a.pdf", 10, Ok(()));
        check("a.pdf", 11, Err(Refusal::FileTooLarge { kilobytes: 0 }));
        check("a.Exe", 1, Err(Refusal::FileBlocked));
        check("a.js.txt", 1, Ok(()));
        check("exe", 1, Ok(()));
        check("", 1, Ok(()));
        assert_eq!(Limits::of(Some(0), None), Limits::default());
        assert_eq!(Limits::default().check("a.exe", i64::MAX), Ok(()));
    }
}
