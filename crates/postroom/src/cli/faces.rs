//! Commands and REST say the same things: each command has its operation of the API, or stands below with the reason why not.

use std::collections::BTreeSet;

use serde_json::Value;

/// A command, and the operation that does the same.
const SAME: &[(&str, &str)] = &[
    ("apitoken create", "POST /tokens"),
    ("apitoken list", "GET /tokens"),
    ("apitoken revoke", "DELETE /tokens/{id}"),
    ("check", "POST /check"),
    ("doctor", "POST /doctor"),
    ("mailbox list", "GET /mailboxes"),
    ("mailbox pause", "POST /mailboxes/{name}/pause"),
    ("mailbox remove", "DELETE /mailboxes/{name}"),
    ("mailbox rescan", "POST /mailboxes/{name}/rescan"),
    ("mailbox resume", "POST /mailboxes/{name}/resume"),
    ("mailbox show", "GET /mailboxes/{name}"),
    ("mailbox test", "POST /mailboxes/{name}/test"),
    ("marketing account check", "POST /marketing/accounts/{name}/check"),
    ("marketing account list", "GET /marketing/accounts"),
    ("marketing account pause", "POST /marketing/accounts/{name}/pause"),
    ("marketing account resume", "POST /marketing/accounts/{name}/resume"),
    ("marketing campaign approve", "POST /marketing/sends/{id}/{order}"),
    ("marketing campaign audience", "POST /marketing/campaigns/{account}/{campaign}/audience"),
    ("marketing campaign cancel", "POST /marketing/sends/{id}/{order}"),
    ("marketing campaign decide", "POST /marketing/sends/{id}/{order}"),
    ("marketing campaign list", "GET /marketing/campaigns"),
    ("marketing campaign pause", "POST /marketing/sends/{id}/{order}"),
    ("marketing campaign report", "GET /marketing/campaigns/{account}/{campaign}/report"),
    ("marketing campaign resume", "POST /marketing/sends/{id}/{order}"),
    ("marketing campaign send", "POST /marketing/campaigns/{account}/{campaign}/send"),
    ("marketing campaign sends", "GET /marketing/sends"),
    ("marketing campaign show", "GET /marketing/sends/{id}"),
    ("marketing campaign single", "GET /marketing/singles/{id}"),
    ("marketing campaign singles", "GET /marketing/singles"),
    ("marketing campaign test", "POST /marketing/campaigns/{account}/{campaign}/test"),
    ("marketing form list", "GET /marketing/forms"),
    ("marketing form show", "GET /marketing/forms/{account}/{number}"),
    ("marketing list compare", "POST /marketing/lists/{id}/compare"),
    ("marketing list list", "GET /marketing/lists"),
    ("marketing list show", "GET /marketing/lists/{id}"),
    ("marketing list sync", "POST /marketing/lists/{id}/sync"),
    ("marketing map check", "GET /marketing/mappings"),
    ("marketing map list", "GET /marketing/mappings"),
    ("marketing map remove", "DELETE /marketing/mappings/{account}/{table}/{label}"),
    ("marketing map sample", "GET /marketing/mappings/sample"),
    ("marketing map set", "POST /marketing/mappings"),
    ("marketing suppress add", "POST /marketing/suppressions"),
    ("marketing suppress check", "GET /marketing/suppressions/check"),
    ("marketing suppress export", "GET /marketing/suppressions/export"),
    ("marketing suppress import", "POST /marketing/suppressions/import"),
    ("marketing suppress lift", "POST /marketing/suppressions/lift"),
    ("marketing suppress list", "GET /marketing/suppressions"),
    ("marketing sync confirm", "POST /marketing/runs/{id}/confirm"),
    ("marketing sync dry-run", "POST /marketing/sync/{account}/{type}/dry-run"),
    ("marketing sync list", "GET /marketing/sync"),
    ("marketing sync rejected", "GET /marketing/rejected"),
    ("marketing sync replay", "POST /marketing/rejected/replay"),
    ("marketing sync run", "POST /marketing/sync/{account}/{type}/run"),
    ("marketing sync runs", "GET /marketing/runs"),
    ("marketing sync show", "GET /marketing/runs/{id}"),
    ("marketing sync undo", "POST /marketing/runs/{id}/undo"),
    ("message answer", "POST /messages/{id}/answer"),
    ("message import", "POST /messages"),
    ("message list", "GET /messages"),
    ("message move", "POST /messages/{id}/move"),
    ("message purge", "POST /messages/purge"),
    ("message raw", "GET /messages/{id}/raw"),
    ("message replay", "POST /messages/{id}/replay"),
    ("message review attach", "POST /messages/{id}/attach"),
    ("message review list", "GET /review"),
    ("message review reject", "POST /messages/{id}/reject"),
    ("message review skip", "POST /messages/{id}/skip"),
    ("message show", "GET /messages/{id}"),
    ("message undo", "POST /messages/{id}/undo"),
    ("message why", "POST /messages/why"),
    ("message write", "POST /records/{table}/{id}/mails"),
    ("person erase", "POST /people/erase"),
    ("person merge", "POST /people/merge"),
    ("person prove", "GET /people/consent"),
    ("person show", "GET /people"),
    ("queue fail", "POST /outgoing/{id}/fail"),
    ("queue hold", "POST /outgoing/{id}/hold"),
    ("queue list", "GET /outgoing"),
    ("queue release", "POST /outgoing/{id}/release"),
    ("queue show", "GET /outgoing/{id}"),
    ("reconcile", "POST /reconcile"),
    ("record find", "GET /records"),
    ("record import", "POST /records/import"),
    ("record list", "GET /records/{table}"),
    ("record show", "GET /records/{table}/{id}"),
    ("shelf drop", "DELETE /shelf/{id}"),
    ("shelf list", "GET /shelf"),
    ("shelf replay", "POST /shelf/replay"),
    ("shelf show", "GET /shelf/{id}"),
    ("solution export", "GET /solution/file"),
    ("solution install", "POST /solution/install"),
    ("solution status", "GET /solution"),
    ("solution uninstall", "POST /solution/uninstall"),
    ("solution upgrade", "POST /solution/upgrade"),
    ("token make", "POST /tracking-tokens"),
    ("token verify", "POST /tracking-tokens/verify"),
    ("verify", "POST /verify"),
];

/// A command that only this machine's own console has, and why.
const CONSOLE_ALONE: &[(&str, &str)] = &[
    ("backup", "it writes a file of this machine"),
    ("completion", "it is about a shell"),
    ("config example", "it is about the file that serve is started with"),
    ("config show", "it tells how this machine is set up, to whoever may read the file anyway"),
    ("config validate", "it is about the file that serve is started with"),
    ("crm discover", "it is asked before the file names the organisation that serve works with"),
    ("demo", "it starts a server of its own"),
    ("explain", "each problem that REST answers brings its meaning and action with it"),
    ("init", "it makes the file that serve is started with"),
    ("mailbox add", "it writes a section of the file that serve is started with"),
    ("marketing account add", "it writes a section of the file that serve is started with"),
    ("restore", "nothing may run on the database meanwhile"),
    ("serve", "it is the server"),
    ("session link", "whoever has a token must not make a person with more rights than it has"),
];

fn leaves(command: &clap::Command, path: &str, out: &mut BTreeSet<String>) {
    let mut subs = command.get_subcommands().peekable();
    if subs.peek().is_none() {
        out.insert(path.to_owned());
    }
    for sub in subs {
        leaves(sub, format!("{path} {}", sub.get_name()).trim_start(), out);
    }
}

#[test]
fn every_command_has_its_operation_or_a_reason() {
    let mut commands = BTreeSet::new();
    leaves(&super::command(), "", &mut commands);
    let named: Vec<&str> = SAME.iter().chain(CONSOLE_ALONE).map(|(command, _)| *command).collect();
    for command in &commands {
        let count = named.iter().filter(|name| *name == command).count();
        assert_eq!(count, 1, "postroom {command}: name its operation of the API, or why it has none, once");
    }
    for name in named {
        assert!(commands.contains(name), "postroom {name} is no command any more");
    }
}

#[test]
fn every_operation_that_is_named_is_there() {
    let document: Value = serde_json::from_str(&postroom_web::openapi()).expect("it is JSON");
    for (command, operation) in SAME {
        let (method, path) = operation.split_once(' ').expect("a method and a path");
        let found = &document["paths"][format!("/api/v1{path}")][method.to_lowercase()];
        assert!(found.is_object(), "postroom {command}: {operation} is not in the API");
    }
}
