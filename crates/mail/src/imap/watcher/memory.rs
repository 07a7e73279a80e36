//! How much mail is in memory at once, over all mailboxes: light loads and heavy ones have room of their own, so that a large
//! mail from a server that crawls holds up no mailbox with ordinary ones.

use postroom_core::Fault;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Loads of so many bytes are light.
pub const LIGHT: u64 = 1 << 20;

/// Counted in KiB.
#[derive(Debug)]
pub struct Memory {
    light: Lane,
    heavy: Lane,
}

#[derive(Debug)]
struct Lane {
    room: Semaphore,
    size: u32,
}

impl Lane {
    fn new(kib: u64) -> Self {
        let size = u32::try_from(kib.max(1)).unwrap_or(u32::MAX >> 4);
        Lane { room: Semaphore::new(size as usize), size }
    }

    /// What a load takes of this lane: all of it when it is larger.
    fn kib(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, self.size)
    }
}

impl Memory {
    /// An eighth is for light loads.
    pub fn new(bytes: u64) -> Self {
        let light = bytes / 1024 / 8;
        Memory { light: Lane::new(light), heavy: Lane::new(bytes / 1024 - light) }
    }

    fn lane(&self, bytes: u64) -> &Lane {
        if bytes <= LIGHT { &self.light } else { &self.heavy }
    }

    /// Whether a load need not wait. Nobody else may have come in between, or it waits all the same.
    pub fn has_room(&self, bytes: u64) -> bool {
        let lane = self.lane(bytes);
        // Whoever waits has taken all that is free, so none is left to be seen here.
        lane.room.available_permits() >= lane.kib(bytes) as usize
    }

    /// Waits until a load has room, and holds it until this is dropped.
    pub async fn room(&self, bytes: u64) -> Result<SemaphorePermit<'_>, Fault> {
        let lane = self.lane(bytes);
        let kib = lane.kib(bytes);
        lane.room.acquire_many(kib).await.map_err(|_| Fault::bug("the memory budget was closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[tokio::test]
    async fn a_heavy_load_that_waits_holds_up_no_light_one() {
        let memory = Memory::new(64 * MIB);
        let first = memory.room(50 * MIB).await.unwrap();
        let mut second = std::pin::pin!(memory.room(50 * MIB));
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        assert!(!memory.has_room(2 * MIB), "whoever waits comes first");
        assert!(memory.has_room(MIB));
        let _light = memory.room(MIB).await.unwrap();
        drop(first);
        drop(second.await.unwrap());
    }

    #[tokio::test]
    async fn a_load_larger_than_all_there_is_comes_in_alone() {
        let memory = Memory::new(8 * MIB);
        let all = memory.room(50 * MIB).await.unwrap();
        assert!(!memory.has_room(2 * MIB));
        drop(all);
        assert!(memory.has_room(50 * MIB));
    }
}
