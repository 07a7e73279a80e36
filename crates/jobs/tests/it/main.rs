//! The queue on both databases.

mod harness;
mod killed;
mod queue;
mod running;
mod schedules;
mod set_back;
mod shelved;
mod told;
