//! The client against servers that answer as the service's documents say, and against what goes wrong on the way.

mod calls;
mod contract;
mod faults;
mod imports;
mod server;
mod stand_in;
mod story;
