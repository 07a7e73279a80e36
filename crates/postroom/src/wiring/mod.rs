//! From the configuration to the options of each adapter. One module for each thing that is plugged in.

pub mod crm;
pub mod directory;
pub mod doors;
pub mod issuers;
pub mod marketing;
pub mod outgoing;
pub mod relay;
pub mod watched;
