//! The help texts: for each command its examples and exit codes, laid out the same everywhere.
//!
//! A test parses every example, so a renamed flag cannot leave a wrong one behind.

use clap::{Command, CommandFactory};

use super::{Cli, marketing, person};
use crate::report::Exit;

/// One command's examples, and the exit codes that it can end with besides 0, 1, 2 and 3.
pub(super) struct Help {
    /// `message review list`; empty for the program itself.
    pub path: &'static str,
    pub examples: &'static [&'static str],
    exits: &'static [Exit],
}

const TEMPLATE: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}\n";

/// The command line's whole definition, help texts included.
pub fn command() -> Command {
    decorate(Cli::command(), "")
}

fn decorate(command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let mut command = command.help_template(TEMPLATE).infer_subcommands(false);
    for name in names {
        let path = format!("{path} {name}").trim_start().to_owned();
        command = command.mut_subcommand(name, |sub| decorate(sub, &path));
    }
    match all().find(|help| help.path == path) {
        Some(help) => command.before_help(examples(help.examples)).after_help(exits(help.exits)),
        None => command,
    }
}

fn examples(lines: &[&str]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
    format!("Examples:\n{}", lines.join("\n"))
}

fn exits(own: &[Exit]) -> String {
    let mut all = vec![Exit::Done, Exit::Failed, Exit::Usage, Exit::ConfigInvalid];
    all.extend(own);
    all.sort_by_key(|exit| exit.number());
    all.dedup();
    let lines: Vec<String> =
        all.into_iter().map(|exit| format!("  {:<3} {}", exit.number(), exit.meaning())).collect();
    format!("Exit codes:\n{}\n\nError codes: postroom explain PR-nnnn", lines.join("\n"))
}

/// The entries of every file.
fn all() -> impl Iterator<Item = &'static Help> {
    HELP.iter().chain(marketing::help::HELP).chain(person::HELP)
}

pub(super) const fn help(
    path: &'static str,
    examples: &'static [&'static str],
    exits: &'static [Exit],
) -> Help {
    Help { path, examples, exits }
}

pub(super) const HELP: &[Help] = &[
    help(
        "",
        &[
            "postroom demo",
            "postroom init",
            "postroom serve -c /etc/postroom/postroom.toml",
            "postroom message list --state review",
        ],
        &[],
    ),
    help(
        "demo",
        &["postroom demo", "postroom demo --mail archive.mbox", "postroom demo --dir ./demo --exit"],
        &[],
    ),
    help(
        "init",
        &[
            "postroom init",
            "postroom init /etc/postroom --database sqlite:///var/lib/postroom/postroom.db",
            "postroom init --dry-run",
        ],
        &[Exit::Conflict],
    ),
    help(
        "serve",
        &[
            "postroom serve",
            "postroom serve -c postroom.toml",
            "postroom serve --set http.listen=127.0.0.1:8081 -v",
        ],
        &[Exit::Unreachable, Exit::Interrupted],
    ),
    help(
        "check",
        &[
            "postroom check",
            "postroom check crm",
            "postroom check mailbox support",
            "postroom check smtp-out --json",
        ],
        &[Exit::NotFound, Exit::Unreachable, Exit::No],
    ),
    help("doctor", &["postroom doctor", "postroom doctor --json"], &[Exit::Unreachable, Exit::No]),
    help(
        "config show",
        &["postroom config show", "postroom config show --origin", "postroom config show http --json"],
        &[Exit::NotFound],
    ),
    help("config example", &["postroom config example", "postroom config example --quiet"], &[]),
    help(
        "config validate",
        &["postroom config validate", "postroom config validate -c postroom.toml --json"],
        &[],
    ),
    help("verify", &["postroom verify", "postroom verify --json"], &[Exit::Unreachable, Exit::No]),
    help(
        "backup",
        &["postroom backup /var/backups/postroom-1.db", "postroom backup postroom.backup --dry-run"],
        &[Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "restore",
        &[
            "postroom restore postroom.backup --dry-run",
            "postroom restore postroom.backup --yes",
            "postroom restore --mark --yes",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Refused],
    ),
    help(
        "reconcile",
        &["postroom reconcile", "postroom reconcile --yes", "postroom reconcile --yes --expect-count 12"],
        &[Exit::Unreachable, Exit::Refused],
    ),
    help(
        "explain",
        &["postroom explain PR-3001", "postroom explain 3001 --json", "postroom explain --all"],
        &[Exit::NotFound],
    ),
    help(
        "completion",
        &["postroom completion bash", "postroom completion zsh", "postroom completion fish"],
        &[],
    ),
    help(
        "message import",
        &[
            "postroom message import inbox.mbox",
            "postroom message import ~/Maildir --mailbox support",
            "postroom message import old.mbox --mbox-quoting mboxo --dry-run",
            "postroom message import -",
        ],
        &[Exit::NotFound, Exit::Unreachable, Exit::PartlyDone, Exit::Interrupted],
    ),
    help(
        "message list",
        &[
            "postroom message list",
            "postroom message list --state review --limit 0",
            "postroom message list --record incident/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11 --json",
        ],
        &[Exit::Unreachable],
    ),
    help(
        "message show",
        &[
            "postroom message show msg_01j8znm0000000000000000001",
            "postroom message show msg_01j8znm0000000000000000001 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "message raw",
        &[
            "postroom message raw msg_01j8znm0000000000000000001",
            "postroom message raw msg_01j8znm0000000000000000001 --quiet",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "message purge",
        &["postroom message purge --dry-run", "postroom message purge --json"],
        &[Exit::Unreachable],
    ),
    help(
        "message why",
        &["postroom message why mail.eml", "postroom message why - --json"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "message write",
        &[
            "postroom message write --record incident/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11 --subject \"Spare seals\" --text letter.txt",
            "postroom message write --record contact/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11 --subject Offer --text - --attach offer.pdf",
            "postroom message write --record lead/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11 --to kim@customer.example --subject Hello --text letter.txt --dry-run",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "message answer",
        &[
            "postroom message answer msg_01j8znm0000000000000000001 --text letter.txt",
            "postroom message answer msg_01j8znm0000000000000000001 --text - --attach list.pdf --dry-run --json",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "message review list",
        &[
            "postroom message review list",
            "postroom message review list --candidates",
            "postroom message review list --limit 0 --json",
        ],
        &[Exit::Unreachable],
    ),
    help(
        "message review attach",
        &[
            "postroom message review attach msg_01j8znm0000000000000000001 contact/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11",
            "postroom message review attach msg_01j8znm0000000000000000001 lead/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11 -n",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "message review reject",
        &[
            "postroom message review reject msg_01j8znm0000000000000000001",
            "postroom message review reject msg_01j8znm0000000000000000001 --reason \"private\"",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "message review skip",
        &[
            "postroom message review skip msg_01j8znm0000000000000000001",
            "postroom message review skip msg_01j8znm0000000000000000001 --dry-run",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "message move",
        &[
            "postroom message move msg_01j8znm0000000000000000001 incident/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11",
            "postroom message move msg_01j8znm0000000000000000001 lead/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11 --dry-run",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "message replay",
        &[
            "postroom message replay msg_01j8znm0000000000000000001",
            "postroom message replay msg_01j8znm0000000000000000001 --dry-run",
            "postroom message replay --all-review --dry-run",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "message undo",
        &[
            "postroom message undo msg_01j8znm0000000000000000001",
            "postroom message undo msg_01j8znm0000000000000000001 --dry-run",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "record import",
        &["postroom record import people.jsonl", "postroom record import people.jsonl --dry-run --json"],
        &[Exit::NotFound, Exit::Unreachable, Exit::PartlyDone],
    ),
    help(
        "record show",
        &[
            "postroom record show contact 6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11",
            "postroom record show incident 6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "record list",
        &[
            "postroom record list contact",
            "postroom record list contact --where lastname=Adler",
            "postroom record list email --limit 0 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "record find",
        &["postroom record find adler", "postroom record find pump leaks --json"],
        &[Exit::Unreachable],
    ),
    help(
        "mailbox add",
        &[
            "postroom mailbox add support@example.org",
            "postroom mailbox add support@example.org --password-file /etc/postroom/secrets/imap-support --write",
            "postroom mailbox add support@example.org --host domino.example.org --tls starttls --username support --password-file imap.secret",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable, Exit::No],
    ),
    help("mailbox list", &["postroom mailbox list", "postroom mailbox list --json"], &[Exit::Unreachable]),
    help(
        "mailbox show",
        &["postroom mailbox show support", "postroom mailbox show support --json"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "mailbox test",
        &[
            "postroom mailbox test",
            "postroom mailbox test support",
            "postroom mailbox test support --round-trip",
        ],
        &[Exit::NotFound, Exit::Unreachable, Exit::No],
    ),
    help(
        "mailbox pause",
        &["postroom mailbox pause support", "postroom mailbox pause support --dry-run"],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "mailbox resume",
        &["postroom mailbox resume support", "postroom mailbox resume support --dry-run"],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "mailbox rescan",
        &[
            "postroom mailbox rescan support --since 2026-01-31",
            "postroom mailbox rescan support --since 2026-01-31T08:00:00Z --dry-run",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "mailbox remove",
        &["postroom mailbox remove support --dry-run", "postroom mailbox remove support --yes"],
        &[Exit::NotFound, Exit::Unreachable, Exit::Refused],
    ),
    help(
        "queue list",
        &["postroom queue list", "postroom queue list --state held", "postroom queue list --limit 0 --json"],
        &[Exit::Unreachable],
    ),
    help(
        "queue show",
        &[
            "postroom queue show msg_01j8znm0000000000000000001",
            "postroom queue show msg_01j8znm0000000000000000001 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "queue hold",
        &[
            "postroom queue hold msg_01j8znm0000000000000000001",
            "postroom queue hold msg_01j8znm0000000000000000001 --dry-run",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "queue release",
        &[
            "postroom queue release msg_01j8znm0000000000000000001",
            "postroom queue release --all --dry-run",
            "postroom queue release --all --yes --expect-count 12",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable, Exit::Refused],
    ),
    help(
        "queue fail",
        &[
            "postroom queue fail msg_01j8znm0000000000000000001 --dry-run",
            "postroom queue fail msg_01j8znm0000000000000000001 --yes",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable, Exit::Refused],
    ),
    help(
        "solution export",
        &[
            "postroom solution export --managed",
            "postroom solution export --managed --generation 2015 --output esc.zip",
            "postroom solution export --output -",
        ],
        &[],
    ),
    help(
        "solution install",
        &[
            "postroom solution install --dry-run",
            "postroom solution install",
            "postroom solution install --take-over --json",
        ],
        &[Exit::NotAllowed, Exit::Conflict, Exit::Unreachable, Exit::Unknown],
    ),
    help(
        "solution upgrade",
        &["postroom solution upgrade --dry-run", "postroom solution upgrade"],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Conflict, Exit::Unreachable, Exit::Unknown],
    ),
    help(
        "solution status",
        &["postroom solution status", "postroom solution status --json"],
        &[Exit::NotAllowed, Exit::Unreachable],
    ),
    help(
        "solution uninstall",
        &["postroom solution uninstall --dry-run", "postroom solution uninstall --yes"],
        &[Exit::NotAllowed, Exit::Conflict, Exit::Unreachable, Exit::Refused],
    ),
    help(
        "token make",
        &[
            "postroom token make 6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11",
            "postroom token make 6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11 --json",
        ],
        &[Exit::NotFound],
    ),
    help(
        "token verify",
        &[
            "postroom token verify \"Re: Offer CRM: {6F1ED002-AB5E-4A2C-8D0C-1F0E6E2A9B11}:MRC\"",
            "postroom token verify \"<pr.1.abc@crm.example.org>\" --json",
        ],
        &[Exit::No],
    ),
    help(
        "crm discover",
        &[
            "postroom crm discover",
            "postroom crm discover --json",
            "postroom crm discover --at https://crm.example.local/XRMServices/2011/Discovery.svc",
            "postroom crm discover --at https://globaldisco.crm.dynamics.com",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "shelf list",
        &["postroom shelf list", "postroom shelf list --code PR-2002 --json"],
        &[Exit::Unreachable],
    ),
    help(
        "shelf show",
        &[
            "postroom shelf show job_01j8znm0000000000000000001",
            "postroom shelf show job_01j8znm0000000000000000001 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "shelf replay",
        &[
            "postroom shelf replay job_01j8znm0000000000000000001",
            "postroom shelf replay --code PR-2002",
            "postroom shelf replay --all --dry-run",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "shelf drop",
        &[
            "postroom shelf drop job_01j8znm0000000000000000001 --dry-run",
            "postroom shelf drop job_01j8znm0000000000000000001 --yes --expect-count 1",
        ],
        &[Exit::NotFound, Exit::Unreachable, Exit::Refused],
    ),
    help(
        "session link",
        &["postroom session link", "postroom session link --name greta --role operator"],
        &[],
    ),
    help(
        "apitoken create",
        &[
            "postroom apitoken create --scope agent --name \"Domino agent\"",
            "postroom apitoken create --scope crm --user \"Anna Adler\" --json",
            "postroom apitoken create --scope api --expires 30d",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help("apitoken list", &["postroom apitoken list", "postroom apitoken list --json"], &[Exit::Unreachable]),
    help(
        "apitoken revoke",
        &[
            "postroom apitoken revoke tok_01j8znm0000000000000000001",
            "postroom apitoken revoke tok_01j8znm0000000000000000001 --dry-run",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
];

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::parse;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    fn leaves(command: &Command, path: &str, out: &mut Vec<String>) {
        let subs: Vec<&Command> = command.get_subcommands().collect();
        if subs.is_empty() {
            out.push(path.to_owned());
        }
        for sub in subs {
            leaves(sub, format!("{path} {}", sub.get_name()).trim_start(), out);
        }
    }

    #[test]
    fn every_command_has_two_to_four_examples_and_every_help_a_command() {
        let mut paths = Vec::new();
        leaves(&command(), "", &mut paths);
        for path in &paths {
            let help = all().find(|help| help.path == path);
            let count = help.map_or(0, |help| help.examples.len());
            assert!((2..=4).contains(&count), "{path:?} has {count} examples");
        }
        for help in all().filter(|help| !help.path.is_empty()) {
            assert!(paths.iter().any(|path| path == help.path), "{:?} is no command", help.path);
        }
    }

    /// Splits as a shell does, as far as the examples need it: words and double quotes.
    fn words(line: &str) -> Vec<OsString> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().expect("one word is there from the start").push(c),
            }
        }
        words.into_iter().map(OsString::from).collect()
    }

    #[test]
    fn every_example_parses_and_is_of_its_own_command() {
        for help in all() {
            for example in help.examples {
                assert!(example.starts_with(&format!("postroom {}", help.path)), "{example}");
                if let Err(usage) = parse(words(example)) {
                    let text = match usage {
                        crate::cli::Usage::Help(text) | crate::cli::Usage::Wrong { text, .. } => text,
                    };
                    panic!("{example}\n{text}");
                }
            }
        }
    }
}
