//! Where answers go: whole, or in pieces while they arrive.

use postroom_core::{Code, Fault};

use crate::wire::Row;

/// Of an answer that is taken as a whole.
const LARGEST: usize = 64 << 20;

/// Where an answer goes while it arrives.
pub(crate) trait Sink: Send {
    /// Another try begins: what came is forgotten.
    fn begin(&mut self);
    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault>;
    /// The answer is whole.
    fn end(&mut self) -> Result<(), Fault>;
}

/// Takes an answer as it is.
#[derive(Default)]
pub(crate) struct Whole {
    pub bytes: Vec<u8>,
    /// The route of an answer that must be an object.
    object_of: Option<&'static str>,
}

impl Whole {
    pub(crate) fn object(route: &'static str) -> Whole {
        Whole { bytes: Vec::new(), object_of: Some(route) }
    }
}

impl Sink for Whole {
    fn begin(&mut self) {
        self.bytes.clear();
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.bytes.len() + bytes.len() > LARGEST {
            let text = format!("an answer of Dotdigital is larger than {} MB", LARGEST >> 20);
            return Err(Fault::reject(Code::MARKETING_REFUSED, text));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self.object_of {
            Some(route) if Row::read(&self.bytes).is_err() => Err(unreadable(route)),
            _ => Ok(()),
        }
    }
}

/// An answer that makes no sense.
pub(crate) fn unreadable(route: &str) -> Fault {
    Fault::retry(Code::MARKETING_AWAY, format!("the answer of Dotdigital to {route} cannot be read"))
}
