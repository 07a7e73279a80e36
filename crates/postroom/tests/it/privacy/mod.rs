//! What is not kept for ever: bodies that age out, people who asked to be erased. On both databases, with the embedded CRM.

mod bench;
mod crash;
mod erase;
mod outgoing;
mod purge;
