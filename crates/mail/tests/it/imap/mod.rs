//! IMAP from outside: the reader over bytes (`reader`), a scripted server (`scripted`), which folders are read (`folders`), mailboxes
//! that share a server (`neighbours`), TLS (`tls`), the watcher with
//! Dovecot (`dovecot`), and with connections that break (`cuts`).

mod book;
mod cuts;
mod domino;
mod dovecot;
mod folders;
mod neighbours;
mod reader;
mod scripted;
mod tls;
mod tokens;
