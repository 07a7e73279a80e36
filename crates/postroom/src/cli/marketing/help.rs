//! Examples and exit codes of `postroom marketing …`.

use crate::cli::help::{Help, help};
use crate::report::Exit;

pub(in crate::cli) const HELP: &[Help] = &[
    help(
        "marketing account list",
        &["postroom marketing account list", "postroom marketing account list --json"],
        &[Exit::Unreachable],
    ),
    help(
        "marketing account add",
        &[
            "postroom marketing account add main --user apiuser-1@apiconnector.com --password-file dotdigital.secret",
            "postroom marketing account add main --user apiuser-1@apiconnector.com --password-file dotdigital.secret --write",
            "postroom marketing account add old --user apiuser-1@apiconnector.com --password-file old.secret --api rest-v2 --dry-run",
        ],
        &[Exit::Conflict, Exit::Unreachable, Exit::No],
    ),
    help(
        "marketing account check",
        &["postroom marketing account check", "postroom marketing account check main --json"],
        &[Exit::NotFound, Exit::Unreachable, Exit::No],
    ),
    help(
        "marketing account pause",
        &["postroom marketing account pause main", "postroom marketing account pause main --dry-run"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing account resume",
        &["postroom marketing account resume main", "postroom marketing account resume main --dry-run"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing sync list",
        &["postroom marketing sync list", "postroom marketing sync list --account main --json"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing sync run",
        &[
            "postroom marketing sync run main suppressions",
            "postroom marketing sync run main contacts --wait",
            "postroom marketing sync run main lists --dry-run",
        ],
        &[Exit::NotFound, Exit::Unreachable, Exit::PartlyDone, Exit::Refused],
    ),
    help(
        "marketing sync dry-run",
        &[
            "postroom marketing sync dry-run main suppressions",
            "postroom marketing sync dry-run main contacts --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing sync runs",
        &[
            "postroom marketing sync runs",
            "postroom marketing sync runs --account main --type contacts --state failed",
        ],
        &[Exit::Unreachable],
    ),
    help(
        "marketing sync show",
        &[
            "postroom marketing sync show run_01j8znm0000000000000000001",
            "postroom marketing sync show run_01j8znm0000000000000000001 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing sync undo",
        &[
            "postroom marketing sync undo run_01j8znm0000000000000000001 --dry-run",
            "postroom marketing sync undo run_01j8znm0000000000000000001 --yes --wait",
        ],
        &[Exit::NotFound, Exit::Unreachable, Exit::Refused, Exit::PartlyDone],
    ),
    help(
        "marketing sync rejected",
        &[
            "postroom marketing sync rejected",
            "postroom marketing sync rejected --run run_01j8znm0000000000000000001 --json",
            "postroom marketing sync rejected --account main --type contacts --all",
        ],
        &[Exit::Unreachable],
    ),
    help(
        "marketing sync replay",
        &[
            "postroom marketing sync replay --run run_01j8znm0000000000000000001",
            "postroom marketing sync replay 0199d9a0-0000-7000-8000-000000000001 --dry-run",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing sync confirm",
        &[
            "postroom marketing sync confirm run_01j8znm0000000000000000001 --dry-run",
            "postroom marketing sync confirm run_01j8znm0000000000000000001 --yes",
            "postroom marketing sync confirm run_01j8znm0000000000000000001 --as \"Anna Adler\" --yes",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Conflict, Exit::Unreachable, Exit::Refused],
    ),
    help(
        "marketing campaign list",
        &["postroom marketing campaign list", "postroom marketing campaign list --account main --json"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing campaign audience",
        &[
            "postroom marketing campaign audience \"Spring news\" --list \"Pump owners\"",
            "postroom marketing campaign audience 4711 --list \"Pump owners\" --list Prospects --json",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "marketing campaign test",
        &[
            "postroom marketing campaign test 4711 --to ines@demo.example --dry-run",
            "postroom marketing campaign test \"Spring news\" --to ines@demo.example tom@demo.example --yes",
        ],
        &[
            Exit::NotAllowed,
            Exit::NotFound,
            Exit::Conflict,
            Exit::Unreachable,
            Exit::PartlyDone,
            Exit::Refused,
            Exit::Unknown,
        ],
    ),
    help(
        "marketing campaign send",
        &[
            "postroom marketing campaign send \"Spring news\" --list \"Pump owners\" --expect-count 482 --dry-run",
            "postroom marketing campaign send 4711 --list \"Pump owners\" --expect-count 482 --at 2026-03-10T08:00:00Z",
            "postroom marketing campaign send 4711 --list Prospects --expect-count 40 --split opens/20/4 --as \"Ines Baumann\"",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Conflict, Exit::Unreachable, Exit::Refused],
    ),
    help(
        "marketing campaign sends",
        &["postroom marketing campaign sends", "postroom marketing campaign sends --state held --json"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing campaign singles",
        &[
            "postroom marketing campaign singles --state unknown",
            "postroom marketing campaign singles --account main --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing campaign single",
        &[
            "postroom marketing campaign single 0199d9a0-0000-7000-8000-000000000001",
            "postroom marketing campaign single 0199d9a0-0000-7000-8000-000000000001 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing campaign show",
        &[
            "postroom marketing campaign show 0199d9a0-0000-7000-8000-000000000001",
            "postroom marketing campaign show 0199d9a0-0000-7000-8000-000000000001 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing campaign pause",
        &[
            "postroom marketing campaign pause 0199d9a0-0000-7000-8000-000000000001",
            "postroom marketing campaign pause 0199d9a0-0000-7000-8000-000000000001 --dry-run",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "marketing campaign resume",
        &[
            "postroom marketing campaign resume 0199d9a0-0000-7000-8000-000000000001",
            "postroom marketing campaign resume 0199d9a0-0000-7000-8000-000000000001 --dry-run",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "marketing campaign cancel",
        &[
            "postroom marketing campaign cancel 0199d9a0-0000-7000-8000-000000000001 --dry-run",
            "postroom marketing campaign cancel 0199d9a0-0000-7000-8000-000000000001 --yes",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Conflict, Exit::Unreachable, Exit::Refused],
    ),
    help(
        "marketing campaign approve",
        &[
            "postroom marketing campaign approve 0199d9a0-0000-7000-8000-000000000001",
            "postroom marketing campaign approve 0199d9a0-0000-7000-8000-000000000001 --as \"Tom Okafor\"",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "marketing campaign decide",
        &[
            "postroom marketing campaign decide 0199d9a0-0000-7000-8000-000000000001 --expect 481",
            "postroom marketing campaign decide 0199d9a0-0000-7000-8000-000000000001 --found",
            "postroom marketing campaign decide 0199d9a0-0000-7000-8000-000000000001 --unsent --dry-run",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Conflict, Exit::Unreachable],
    ),
    help(
        "marketing campaign report",
        &[
            "postroom marketing campaign report \"Spring news\"",
            "postroom marketing campaign report 4711 --stored --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing map list",
        &["postroom marketing map list main", "postroom marketing map list main --json"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing map set",
        &[
            "postroom marketing map set main contact JOBTITLE jobtitle",
            "postroom marketing map set main contact TOWN address1_city --direction two_way --dry-run",
            "postroom marketing map set main lead OWNER ownerid/fullname --empty keep_remote",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing map remove",
        &[
            "postroom marketing map remove main contact JOBTITLE --dry-run",
            "postroom marketing map remove main contact JOBTITLE --yes",
        ],
        &[Exit::NotFound, Exit::Unreachable, Exit::Refused],
    ),
    help(
        "marketing map check",
        &["postroom marketing map check main", "postroom marketing map check main --json"],
        &[Exit::NotFound, Exit::Unreachable, Exit::No],
    ),
    help(
        "marketing map sample",
        &[
            "postroom marketing map sample main contact/0199d9a0-0000-7000-8000-000000000001",
            "postroom marketing map sample main lead/0199d9a0-0000-7000-8000-000000000001 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing list list",
        &["postroom marketing list list", "postroom marketing list list --account main --json"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing list show",
        &["postroom marketing list show Newsletter", "postroom marketing list show Newsletter --json"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing list sync",
        &[
            "postroom marketing list sync Newsletter",
            "postroom marketing list sync Newsletter --wait",
            "postroom marketing list sync 0199d9a0-0000-7000-8000-000000000001 --dry-run",
        ],
        &[Exit::NotFound, Exit::Conflict, Exit::Unreachable, Exit::PartlyDone, Exit::Refused],
    ),
    help(
        "marketing list compare",
        &[
            "postroom marketing list compare Newsletter",
            "postroom marketing list compare Newsletter --people 1000 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing form list",
        &["postroom marketing form list", "postroom marketing form list --account main --json"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing form show",
        &["postroom marketing form show main 12", "postroom marketing form show main 12 --limit 5 --json"],
        &[Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing suppress list",
        &["postroom marketing suppress list", "postroom marketing suppress list example.com --all --json"],
        &[Exit::Unreachable],
    ),
    help(
        "marketing suppress add",
        &[
            "postroom marketing suppress add anna@customer.example",
            "postroom marketing suppress add anna@customer.example --account main --reason DirectComplaint --dry-run",
            "postroom marketing suppress add anna@customer.example --as \"Max Baumann\"",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Unreachable],
    ),
    help(
        "marketing suppress lift",
        &[
            "postroom marketing suppress lift anna@customer.example --proof \"ticket 4711\" --at 2026-03-01 --dry-run",
            "postroom marketing suppress lift anna@customer.example --proof \"ticket 4711\" --at 2026-03-01T14:30:00Z --yes",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Conflict, Exit::Unreachable, Exit::Refused],
    ),
    help(
        "marketing suppress check",
        &[
            "postroom marketing suppress check anna@customer.example",
            "postroom marketing suppress check anna@customer.example --account main --json",
        ],
        &[Exit::NotFound, Exit::Unreachable, Exit::No],
    ),
    help(
        "marketing suppress import",
        &[
            "postroom marketing suppress import opt-outs.csv --dry-run",
            "postroom marketing suppress import opt-outs.csv --account main",
            "postroom marketing suppress import -",
        ],
        &[Exit::NotAllowed, Exit::NotFound, Exit::Unreachable, Exit::PartlyDone],
    ),
    help(
        "marketing suppress export",
        &[
            "postroom marketing suppress export",
            "postroom marketing suppress export --account main --format jsonl --all",
        ],
        &[Exit::NotFound, Exit::Unreachable],
    ),
];
