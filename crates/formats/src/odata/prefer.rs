//! The `Prefer` header: what a client would like, and `Preference-Applied`, what it got (RFC 7240; dataverse.md A2).
//!
//! Clients quote the annotation list or do not, and send one header or several; all of that is understood.

use std::fmt;

/// What a client would like. The server clears what it does not do, then [`fmt::Display`] is `Preference-Applied`; a client
/// fills it, then it is `Prefer`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preferences {
    /// `return=representation` (true) or `return=minimal` (false).
    pub representation: Option<bool>,
    /// The list as it was sent: names, `*`, names that end in `*`, each perhaps with `-` in front.
    pub annotations: Option<String>,
    /// Rows of a page; never 0.
    pub max_page_size: Option<u32>,
    pub track_changes: bool,
    pub continue_on_error: bool,
    pub respond_async: bool,
}

impl Preferences {
    /// Reads the values of all `Prefer` headers. What is not known or makes no sense is left out, as RFC 7240 wants; of what
    /// is said twice the first counts.
    pub fn parse<'h>(headers: impl IntoIterator<Item = &'h str>) -> Preferences {
        let mut found = Preferences::default();
        for header in headers {
            let mut bare_list = false;
            for item in split(header, ',') {
                // Parameters behind a semicolon change nothing that we know.
                let item = split(item, ';').next().unwrap_or_default().trim();
                let (name, value) = item.split_once('=').unwrap_or((item, ""));
                let (name, value) = (name.trim(), value.trim());
                if bare_list && value.is_empty() && !is_preference(name) {
                    found.more_annotations(name);
                    continue;
                }
                bare_list = found.one(name, value);
            }
        }
        found
    }

    /// True when an unquoted list of annotations has begun, which goes on behind the comma.
    fn one(&mut self, name: &str, value: &str) -> bool {
        let quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
        let value = if quoted { &value[1..value.len() - 1] } else { value };
        match plain(name).as_str() {
            "return" => match value {
                "representation" => self.representation = self.representation.or(Some(true)),
                "minimal" => self.representation = self.representation.or(Some(false)),
                _ => {}
            },
            "include-annotations" if self.annotations.is_none() && is_list(value) => {
                self.annotations = Some(value.to_owned());
                return !quoted;
            }
            "maxpagesize" => {
                let size = value.parse().ok().filter(|size| *size > 0);
                self.max_page_size = self.max_page_size.or(size);
            }
            "track-changes" => self.track_changes = true,
            "continue-on-error" => self.continue_on_error = value != "false",
            "respond-async" => self.respond_async = true,
            _ => {}
        }
        false
    }

    fn more_annotations(&mut self, name: &str) {
        if let Some(list) = &mut self.annotations
            && !name.is_empty()
            && is_list(name)
        {
            list.push(',');
            list.push_str(name);
        }
    }

    /// Whether an annotation is wanted: `OData.Community.Display.V1.FormattedValue`, with or without the `@`.
    pub fn includes(&self, annotation: &str) -> bool {
        let annotation = annotation.strip_prefix('@').unwrap_or(annotation);
        let list = self.annotations.as_deref().unwrap_or_default();
        let patterns = || list.split(',').map(str::trim);
        let wanted = patterns().any(|pattern| !pattern.starts_with('-') && matches(pattern, annotation));
        wanted
            && !patterns().filter_map(|pattern| pattern.strip_prefix('-')).any(|not| matches(not, annotation))
    }

    /// Whether nothing is asked for: then there is no header.
    pub fn is_empty(&self) -> bool {
        *self == Preferences::default()
    }
}

/// All of them in one header, joined by commas.
impl fmt::Display for Preferences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(representation) = self.representation {
            parts.push(format!("return={}", if representation { "representation" } else { "minimal" }));
        }
        parts.extend(self.annotations.as_ref().map(|list| format!("odata.include-annotations=\"{list}\"")));
        parts.extend(self.max_page_size.map(|size| format!("odata.maxpagesize={size}")));
        let switches = [
            (self.track_changes, "odata.track-changes"),
            (self.continue_on_error, "odata.continue-on-error"),
            (self.respond_async, "respond-async"),
        ];
        parts.extend(switches.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).to_owned()));
        f.write_str(&parts.join(","))
    }
}

/// Lower case and without the `odata.` that OData 4.01 dropped.
fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("odata.").map(str::to_owned).unwrap_or(name)
}

fn is_preference(name: &str) -> bool {
    matches!(
        plain(name).as_str(),
        "track-changes" | "continue-on-error" | "respond-async" | "allow-entityreferences"
    )
}

/// What may stand in a list that is echoed in a header.
fn is_list(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' || byte == b' ')
}

/// `*` at the end stands for anything.
fn matches(pattern: &str, annotation: &str) -> bool {
    let pattern = pattern.strip_prefix('@').unwrap_or(pattern);
    match pattern.strip_suffix('*') {
        Some(start) => annotation.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)),
        None => pattern.eq_ignore_ascii_case(annotation),
    }
}

/// Cuts outside of double quotes.
fn split(text: &str, at: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == at && !quoted
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
    const LOOKUP: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";

    #[track_caller]
    fn check(headers: &[&str], applied: &str) {
        let found = Preferences::parse(headers.iter().copied());
        assert_eq!(found.to_string(), applied, "{headers:?}");
        assert_eq!(found.is_empty(), applied.is_empty());
    }

    #[track_caller]
    fn included(header: &str, annotation: &str, expected: bool) {
        assert_eq!(Preferences::parse([header]).includes(annotation), expected, "{header}: {annotation}");
    }

    #[test]
    fn headers_are_read() {
        check(&[], "");
        check(&["return=representation"], "return=representation");
        check(&["return=minimal, return=representation"], "return=minimal");
        check(&["RETURN=representation"], "return=representation");
        check(&["odata.maxpagesize=50"], "odata.maxpagesize=50");
        check(&["maxpagesize=50"], "odata.maxpagesize=50");
        check(&["odata.maxpagesize=0"], "");
        check(&["odata.maxpagesize=-1", "odata.maxpagesize=x"], "");
        check(&["odata.track-changes, odata.maxpagesize=3"], "odata.maxpagesize=3,odata.track-changes");
        check(
            &["odata.track-changes", "odata.continue-on-error"],
            "odata.track-changes,odata.continue-on-error",
        );
        check(&["respond-async; wait=10, handling=lenient"], "respond-async");
        check(&["odata.include-annotations=\"*\""], "odata.include-annotations=\"*\"");
        check(&["odata.include-annotations=*"], "odata.include-annotations=\"*\"");
        check(
            &["odata.include-annotations=*,odata.track-changes"],
            "odata.include-annotations=\"*\",odata.track-changes",
        );
        check(
            &["odata.include-annotations=a.b,c.d,return=representation"],
            "return=representation,odata.include-annotations=\"a.b,c.d\"",
        );
        check(&["odata.include-annotations=\"a,b\",c"], "odata.include-annotations=\"a,b\"");
        check(&["nonsense", "\"", ",,;;==", "odata.include-annotations=\"\u{e9}\""], "");
    }

    #[test]
    fn annotations_are_chosen() {
        included("odata.include-annotations=\"*\"", FORMATTED, true);
        included("odata.include-annotations=*", &format!("@{FORMATTED}"), true);
        included(&format!("odata.include-annotations=\"{FORMATTED}\""), FORMATTED, true);
        included(&format!("odata.include-annotations=\"{FORMATTED}\""), LOOKUP, false);
        included(&format!("odata.include-annotations={FORMATTED},{LOOKUP}"), LOOKUP, true);
        included("odata.include-annotations=\"Microsoft.Dynamics.CRM.*\"", LOOKUP, true);
        included("odata.include-annotations=\"Microsoft.Dynamics.CRM.*\"", FORMATTED, false);
        included(
            "odata.include-annotations=\"Microsoft.PowerApps.CDS.ErrorDetails*\"",
            "@Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode",
            true,
        );
        included("odata.include-annotations=\"*,-Microsoft.*\"", LOOKUP, false);
        included("return=representation", FORMATTED, false);
        included("odata.include-annotations=\"\"", FORMATTED, false);
        included("odata.include-annotations=\"ab*\"", "é", false);
    }

    proptest! {
        #[test]
        fn what_is_echoed_reads_back(header in "\\PC{0,80}|[a-z.=\",;* -]{0,80}|(odata\\.include-annotations=[a-z*,\"]{0,20},?){0,2}") {
            let found = Preferences::parse([header.as_str()]);
            let echo = found.to_string();
            prop_assert!(!echo.contains(['\r', '\n']));
            prop_assert_eq!(Preferences::parse([echo.as_str()]), found);
        }
    }
}
