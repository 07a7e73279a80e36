//! Whether this connector may work now, asked before every run and once more before a send's intent.
//!
//! Nothing leaves a database that came from a backup until its reconciliation is confirmed: what it believes to be unsent may
//! have been sent since. And the organisation must bear this connector's mark ([`crate::solution::mark`]); one that bears none
//! gets it. The mark is looked at every few minutes, and the time of that look is what others read as its heartbeat.

use std::sync::Mutex;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Crm, Fault};

use crate::engine::Engine;
use crate::solution::mark::{self, Connector};

/// Between two looks at the mark.
const LOOK: SignedDuration = SignedDuration::from_mins(5);

/// Whether anything may leave this database.
#[async_trait]
pub trait Outlet: Send + Sync {
    /// # Errors
    /// Why nothing leaves, and what opens it again ([`postroom_core::Code::SAFE_MODE`]); those of the store.
    async fn open(&self) -> Result<(), Fault>;
}

/// An outlet that is never shut.
pub struct Open;

#[async_trait]
impl Outlet for Open {
    async fn open(&self) -> Result<(), Fault> {
        Ok(())
    }
}

/// What gives this connector the right to work.
pub struct Mandate {
    connector: Connector,
    outlet: Box<dyn Outlet>,
    /// When the organisation was last found to be ours.
    seen: Mutex<Option<Timestamp>>,
}

impl Mandate {
    pub fn new(connector: Connector, outlet: impl Outlet + 'static) -> Self {
        Mandate { connector, outlet: Box::new(outlet), seen: Mutex::new(None) }
    }

    /// Looks at the mark, unless that was done within `age`.
    async fn of_organisation(&self, crm: &dyn Crm, now: Timestamp, age: SignedDuration) -> Result<(), Fault> {
        let seen = *self.seen.lock().expect("nothing panics while it is held");
        let young = seen.is_some_and(|seen| {
            let past = now.duration_since(seen);
            !past.is_negative() && past < age
        });
        if young {
            return Ok(());
        }
        match mark::read(crm).await? {
            Some(mark) => {
                self.connector.may_work(Some(&mark))?;
                if mark.heartbeat.is_none_or(|beat| now.duration_since(beat) >= LOOK) {
                    mark::beat(crm, now).await?;
                }
            }
            None => mark::write(crm, &self.connector, now, false).await?,
        }
        *self.seen.lock().expect("nothing panics while it is held") = Some(now);
        Ok(())
    }
}

impl Engine {
    /// Whether anything may leave this database at all.
    ///
    /// # Errors
    /// As [`Outlet::open`].
    pub async fn may_leave(&self) -> Result<(), Fault> {
        self.mandate.outlet.open().await
    }

    /// Whether this connector may work, as far as it was known a few minutes ago.
    ///
    /// # Errors
    /// As [`Engine::may_leave`] and [`Connector::may_work`]; those of the CRM.
    pub async fn may_work(&self) -> Result<(), Fault> {
        self.may_leave().await?;
        self.mandate.of_organisation(&*self.crm, self.clock.now(), LOOK).await
    }

    /// Whether this connector may work, asked now.
    ///
    /// # Errors
    /// As [`Engine::may_work`].
    pub async fn may_work_now(&self) -> Result<(), Fault> {
        self.may_leave().await?;
        self.mandate.of_organisation(&*self.crm, self.clock.now(), SignedDuration::ZERO).await
    }
}
