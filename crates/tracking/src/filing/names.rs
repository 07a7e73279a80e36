//! Notes names to internet addresses, before anybody is looked for: Domino writes `CN=John Doe/O=Acme` into headers, and
//! invents addresses such as `John_Doe/Acme%Acme@acme.example` (mail-tracking.md 9.5).

use std::collections::HashMap;

use postroom_core::{Address, Fault, Verdict};

use super::Filing;
use super::reading::Reading;

impl Filing {
    /// Puts addresses in the place of the names that the directory knows. A directory that is away holds up no mail that
    /// can do without; one that waits for an answer comes again.
    pub(super) async fn resolve_names(&self, readings: &mut [Reading]) -> Result<(), Fault> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let mut names: Vec<String> =
            readings.iter_mut().flat_map(parties).filter_map(|party| name_of(party)).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Ok(());
        }
        let known = match directory.resolve(&names).await {
            Ok(known) => known,
            Err(fault) if matches!(fault.verdict, Verdict::Retry { .. }) => return Err(fault),
            Err(fault) => {
                tracing::warn!(event = "directory.failed", code = %fault.code, "Names stay unresolved: {fault}");
                return Ok(());
            }
        };
        readings.iter_mut().for_each(|reading| put(reading, &known));
        Ok(())
    }
}

fn put(reading: &mut Reading, known: &HashMap<String, String>) {
    let mut resolved = Vec::new();
    for party in parties(reading) {
        let Some((name, address)) =
            name_of(party).and_then(|name| known.get(&name).map(|address| (name, address)))
        else {
            continue;
        };
        if party.name.is_empty() || name.starts_with(&party.name) {
            party.name = name;
        }
        party.address = address.clone();
        resolved.push(party.normal());
    }
    // Who is known by a name only is found by the address from now on.
    for address in resolved {
        if !reading.stored.parties.contains(&address) {
            reading.stored.parties.push(address);
            reading.named = true;
        }
    }
}

fn parties(reading: &mut Reading) -> impl Iterator<Item = &mut Address> {
    let Reading { from, to, cc, bcc, .. } = reading;
    from.iter_mut().chain(to).chain(cc).chain(bcc)
}

/// What the directory is asked for: whatever is no address, or one that a gateway made of a name.
fn name_of(party: &Address) -> Option<String> {
    // An unquoted canonical name with a domain behind it looks like a display name and an address.
    let parted =
        party.name.len() > 3 && party.name.is_char_boundary(3) && party.name[..3].eq_ignore_ascii_case("CN=");
    let text = match (party.address.is_empty(), parted && party.address.contains('/')) {
        (true, _) => party.name.clone(),
        (false, true) => format!("{} {}", party.name, party.address),
        (false, false) => party.address.clone(),
    };
    let local = text.rsplit_once('@').map(|(local, _)| local);
    let odd = local.is_none_or(|local| local.contains(['/', '%']));
    (odd && !text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, wanted: Option<&str>) {
        let parsed = postroom_formats::mime::parse_addresses(header);
        let name = parsed.first().and_then(name_of);
        assert_eq!(name.as_deref(), wanted, "{parsed:?}");
    }

    #[test]
    fn what_a_directory_is_asked_for() {
        check("CN=John B Goode/OU=Sales/O=Acme", Some("CN=John B Goode/OU=Sales/O=Acme"));
        check("John B Goode/Sales/Acme", Some("John B Goode/Sales/Acme"));
        check("John_Doe/Company%Company@company.example", Some("John_Doe/Company%Company@company.example"));
        check("CN=John Doe/O=Acme@Acme", Some("CN=John Doe/O=Acme@Acme"));
        check("John Doe <john@acme.example>", None);
        check("john+crm@acme.example", None);
    }
}
