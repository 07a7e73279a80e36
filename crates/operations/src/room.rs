//! Whether there is room for more mail: the HTTP door and `/readyz` answer as the SMTP listener does.

use std::io;
use std::sync::Arc;

use postroom_core::{Code, Fault};

use crate::{Operations, Tried};

/// The free bytes where mail is kept, and how many of them stay free.
#[derive(Clone)]
pub struct Room {
    free: Arc<dyn Fn() -> io::Result<u64> + Send + Sync>,
    reserve: u64,
}

impl Room {
    pub fn new(reserve: u64, free: impl Fn() -> io::Result<u64> + Send + Sync + 'static) -> Self {
        Room { free: Arc::new(free), reserve }
    }

    /// The part of the doctor's findings that is about the disk: it wants room for as much again as stays free.
    pub(crate) fn look(&self) -> Tried {
        match (self.free)() {
            Ok(free) if free > self.reserve.saturating_mul(2) => {
                Tried::well("disk", format!("{} MiB free", free >> 20))
            }
            Ok(free) => Tried::failed(
                "disk",
                format!("only {} MiB free", free >> 20),
                "free space: mail is refused below storage.disk_reserve",
            ),
            Err(error) => Tried::failed("disk", error.to_string(), "check the data folder"),
        }
    }

    /// [`Code::STORE_FULL`] unless so many bytes more leave the reserve as it is.
    fn takes(&self, size: u64) -> Result<(), Fault> {
        let full = |text: String| Err(Fault::retry(Code::STORE_FULL, text));
        match (self.free)() {
            Ok(free) if free >= self.reserve.saturating_add(size) => Ok(()),
            Ok(free) => full(format!(
                "{} MiB are free, and storage.disk_reserve keeps {} MiB of them",
                free >> 20,
                self.reserve >> 20
            )),
            Err(error) => full(format!("the free space cannot be read: {error}")),
        }
    }
}

impl Operations {
    /// Takes no mail when there is no room for it.
    pub fn with_room(self, room: Room) -> Self {
        let parts = Arc::unwrap_or_clone(self.0);
        Operations(Arc::new(crate::Parts { room: Some(room), ..parts }))
    }

    /// [`Code::STORE_FULL`] when a mail of this size should come later.
    pub(crate) fn has_room(&self, size: u64) -> Result<(), Fault> {
        self.0.room.as_ref().map_or(Ok(()), |room| room.takes(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(free: io::Result<u64>, size: u64, expected: bool) {
        let free = free.map_err(|error| error.kind());
        let room = Room::new(1000, move || free.map_err(io::Error::from));
        assert_eq!(room.takes(size).is_ok(), expected, "{size}");
    }

    #[test]
    fn the_doctor_warns_before_mail_is_refused() {
        let look = |free: u64| Room::new(1000, move || Ok(free)).look().ok;
        assert_eq!((look(2001), look(2000)), (true, false));
        assert!(!Room::new(1000, || Err(io::ErrorKind::NotFound.into())).look().ok);
    }

    #[test]
    fn room_for_mail() {
        check(Ok(1000), 0, true);
        check(Ok(999), 0, false);
        check(Ok(1500), 500, true);
        check(Ok(1500), 501, false);
        check(Ok(u64::MAX), u64::MAX, true);
        check(Err(io::ErrorKind::NotFound.into()), 0, false);
    }
}
