//! The field groups of RFC 3464, RFC 5965 and RFC 8098: `Name: value` lines in groups parted by blank lines, as the
//! servers really write them (no blank lines, too many, folded anyhow, types missing).

/// One group of fields: names in lower case, values unfolded and trimmed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Group {
    fields: Vec<(String, String)>,
}

/// The fields that tell about one recipient.
const RECIPIENT_FIELDS: [&str; 8] = [
    "original-recipient",
    "final-recipient",
    "x-actual-recipient",
    "action",
    "status",
    "remote-mta",
    "diagnostic-code",
    "last-attempt-date",
];

/// The fields that may stand in a text among other lines and still be believed.
const KNOWN_FIELDS: [&str; 13] = [
    "reporting-mta",
    "arrival-date",
    "original-envelope-id",
    "received-from-mta",
    "will-retry-until",
    "original-recipient",
    "final-recipient",
    "x-actual-recipient",
    "action",
    "status",
    "remote-mta",
    "diagnostic-code",
    "last-attempt-date",
];

impl Group {
    /// The first value of a field; the name in lower case.
    pub(super) fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.iter().filter(move |(field, value)| field == name && !value.is_empty());
        fields.map(|(_, value)| value.as_str())
    }

    /// The address in the first of these fields that holds one: `rfc822; a@b`, `<a@b>`, `a@b`.
    pub(super) fn address(&self, names: &[&str]) -> Option<String> {
        names.iter().flat_map(|name| self.all(name)).find_map(address_value)
    }

    pub(super) fn names_recipient(&self) -> bool {
        ["final-recipient", "original-recipient", "x-actual-recipient"].iter().any(|name| self.has(name))
    }

    fn tells_about_recipient(&self) -> bool {
        RECIPIENT_FIELDS.iter().any(|name| self.has(name))
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    fn absorb(&mut self, more: Group) {
        self.fields.extend(more.fields);
    }

    /// Whether the fields of the two groups can stand in one: none of the recipient fields twice.
    fn fits(&self, more: &Group) -> bool {
        !more.fields.iter().any(|(name, _)| RECIPIENT_FIELDS.contains(&name.as_str()) && self.has(name))
    }
}

/// The address in a typed field value, if there is one: `rfc822; a@b (comment)`.
pub(super) fn address_value(value: &str) -> Option<String> {
    let bare = value.split_once(';').map_or(value, |(_, address)| address);
    super::prose::address_in(bare)
}

/// Reads a machine-readable part: all fields.
pub(super) fn groups(text: &str) -> Vec<Group> {
    merge(read(text, |_| true))
}

/// Reads the fields of RFC 3464 that stand in a text, and nothing else of it.
pub(super) fn groups_in_text(text: &str) -> Vec<Group> {
    merge(read(text, |name| KNOWN_FIELDS.contains(&name)))
}

fn read(text: &str, wanted: impl Fn(&str) -> bool) -> Vec<Group> {
    let mut groups = vec![Group::default()];
    let mut open = false;
    for line in text.lines() {
        if line.trim().is_empty() {
            groups.push(Group::default());
            open = false;
        } else if line.starts_with([' ', '\t']) && open {
            unfold(groups.last_mut(), line.trim());
        } else {
            open = push_line(&mut groups, line, &wanted);
        }
    }
    groups.retain(|group| !group.fields.is_empty());
    groups
}

fn unfold(group: Option<&mut Group>, more: &str) {
    if let Some((_, value)) = group.and_then(|group| group.fields.last_mut()) {
        if !value.is_empty() {
            value.push(' ');
        }
        value.push_str(more);
    }
}

/// Adds a field line; says whether folded lines may follow it.
fn push_line(groups: &mut Vec<Group>, line: &str, wanted: impl Fn(&str) -> bool) -> bool {
    let Some((name, value)) = line.split_once(':') else { return false };
    let name = name.trim().to_ascii_lowercase();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_name || !wanted(&name) {
        return false;
    }
    let starts_anew = groups.last().is_some_and(|group| repeats(group, &name));
    if starts_anew {
        groups.push(Group::default());
    }
    if let Some(group) = groups.last_mut() {
        group.fields.push((name, value.trim().to_owned()));
    }
    true
}

/// A second recipient without a blank line before it.
fn repeats(group: &Group, name: &str) -> bool {
    matches!(name, "final-recipient" | "original-recipient" | "action" | "status") && group.has(name)
}

/// Joins what a stray blank line tore apart: fields about a recipient that name none belong to a neighbour.
fn merge(groups: Vec<Group>) -> Vec<Group> {
    let mut merged: Vec<Group> = Vec::new();
    for group in groups {
        let joins = match merged.last() {
            Some(last) if last.tells_about_recipient() && group.tells_about_recipient() => {
                last.fits(&group) && !(last.names_recipient() && group.names_recipient() && has_both(last))
            }
            _ => false,
        };
        match merged.last_mut() {
            Some(last) if joins => last.absorb(group),
            _ => merged.push(group),
        }
    }
    merged
}

/// The group is complete: it names a recipient and says what happened.
fn has_both(group: &Group) -> bool {
    group.names_recipient() && (group.has("action") || group.has("status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let found: Vec<(String, String)> = groups(text)
            .iter()
            .filter(|group| group.names_recipient())
            .map(|group| {
                let address = group.address(&["final-recipient", "original-recipient"]).unwrap_or_default();
                (address, group.get("status").unwrap_or_default().to_owned())
            })
            .collect();
        let found: Vec<(&str, &str)> = found.iter().map(|(a, s)| (a.as_str(), s.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn well_formed() {
        check(
            "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n\n\
             Final-Recipient: rfc822;b@x.example\nStatus: 5.2.2\n",
            &[("a@x.example", "5.1.1"), ("b@x.example", "5.2.2")],
        );
    }

    #[test]
    fn without_blank_lines() {
        check(
            "Reporting-MTA: dns; x\nFinal-Recipient: rfc822; a@x.example\nStatus: 5.1.1\n\
             Final-Recipient: b@x.example\nStatus: 5.2.2\n",
            &[("a@x.example", "5.1.1"), ("b@x.example", "5.2.2")],
        );
    }

    #[test]
    fn with_stray_blank_lines() {
        check(
            "Reporting-MTA: dns; x\n\n\n\nFinal-Recipient: rfc822; a@x.example\n\nAction: failed\n\nStatus: 5.1.1\n",
            &[("a@x.example", "5.1.1")],
        );
    }

    #[test]
    fn folded_and_missing_types() {
        check("Final-Recipient:\n rfc822;\n  <a@x.example>\nSTATUS:\n\t5.1.1\n", &[("a@x.example", "5.1.1")]);
        check("Original-Recipient: <a@x.example>\nAction: failed\n", &[("a@x.example", "")]);
    }

    #[test]
    fn text_is_not_read_as_fields() {
        let groups = groups_in_text("Subject: x\nHello: you\nStatus: 5.1.1\nand so: on\n");
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].get("hello"), None);
        assert_eq!(groups[0].get("status"), Some("5.1.1"));
    }
}
