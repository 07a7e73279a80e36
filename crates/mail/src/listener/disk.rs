//! How much room the data volume has left.

use std::io;
use std::path::PathBuf;

/// Tells the free bytes of the place where mail is kept. Asked for each mail, so it must be quick.
pub trait DiskRoom: Send + Sync {
    fn free(&self) -> io::Result<u64>;
}

/// Any closure will do.
impl<F: Fn() -> io::Result<u64> + Send + Sync> DiskRoom for F {
    fn free(&self) -> io::Result<u64> {
        self()
    }
}

/// The volume of a folder: what an ordinary user may still write there.
#[derive(Debug, Clone)]
pub struct DataFolder(pub PathBuf);

impl DiskRoom for DataFolder {
    fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.0)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_room_and_a_missing_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(DataFolder(folder.path().to_owned()).free().unwrap() > 0);
        assert!(DataFolder(folder.path().join("missing")).free().is_err());
    }
}
