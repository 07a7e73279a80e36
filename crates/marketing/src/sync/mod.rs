//! What runs, and when.
//!
//! # Design
//!
//! * A [`SyncType`] of an account runs on its own: its own interval, cursor and counts, so that one that fails holds up no
//!   other, and one account no other. [`plan`] finds what is due and writes the run's row with its job in one unit; *sync now*
//!   only makes the same row due.
//! * The [`worker`] makes a [`Turn`] of the job and calls the flow. A flow works in pages; each page, the counts so far and
//!   the [`cursor`] are one unit, so a run that is cut goes on where it was.
//! * [`since`] reads a stream of the service on from its mark.
//! * [`run`] is the ledger: counts that add up, and every row that was rejected, with both payloads.
//! * [`forecast`] is what a dry run shows beside its counts.
//! * [`look`] is the same ledger as people look at it, [`replay`] gives rejected rows another try.
//! * A flow ends well, with a [`Halt::Fault`] (tried again if that helps, else the run has failed and the next one tries), or
//!   with [`Halt::Asks`]: it would change more than is done without a person's word. Nothing was changed then; the same run
//!   confirmed goes on.

pub mod cursor;
pub mod forecast;
pub mod look;
pub mod plan;
pub mod replay;
pub mod run;
pub mod since;
pub mod turn;
pub mod types;
pub mod window;
pub mod worker;

use postroom_core::Fault;
use postroom_store::Error;

pub use forecast::{Act, Cell, FieldChange, Sample, To, Trial};
pub use run::{Counts, Reject, Run, RunState, Side};
pub use turn::Turn;
pub use types::SyncType;
pub use window::Window;

/// Why a run did not reach its end.
#[derive(Debug)]
pub enum Halt {
    Fault(Fault),
    /// A person has to say yes; the text says to what.
    Asks(String),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Halt::Fault(fault)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Halt::Fault(error.into())
    }
}
