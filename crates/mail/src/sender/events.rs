//! What the sender tells its operators. No addresses, subjects or answers' texts: a server may quote an address in them.

use metrics::counter;
use postroom_core::{Fate, Fault, Handed};
use tracing::{info, warn};

/// A mail was given to the server, or not.
pub(crate) struct Sent<'a> {
    pub host: &'a str,
    pub recipients: usize,
    pub outcome: &'a Result<Handed, Fault>,
}

impl Sent<'_> {
    pub fn emit(self) {
        let Sent { host, recipients, outcome } = self;
        match outcome {
            Ok(handed) => {
                for fate in [Fate::Accepted, Fate::Later, Fate::Refused] {
                    let count = handed.iter().filter(|(_, answer)| answer.fate() == fate).count();
                    counter!("postroom_smtp_out_recipients_total", "result" => word(fate))
                        .increment(count as u64);
                }
                let accepted = handed.iter().filter(|(_, answer)| answer.fate() == Fate::Accepted).count();
                info!(
                    event = "smtp_out.answered",
                    host,
                    recipients,
                    accepted,
                    "Mail server {host} took a mail for {accepted} of {recipients} recipients"
                );
            }
            Err(fault) => {
                counter!("postroom_smtp_out_failures_total", "code" => fault.code.to_string()).increment(1);
                warn!(
                    event = "smtp_out.failed", host, recipients, code = %fault.code,
                    "A mail was not handed to {host}: {}", fault.code
                );
            }
        }
    }
}

fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Accepted => "accepted",
        Fate::Later => "later",
        Fate::Refused => "refused",
    }
}
