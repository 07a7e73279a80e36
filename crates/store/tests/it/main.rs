//! One suite for both databases, and what only one of them can show.

mod bodies;
mod closing;
mod counters;
mod doomed;
mod full;
mod harness;
mod migrations;
mod outage;
mod scrub;
mod sharing;
mod tls;
mod units;
mod values;
