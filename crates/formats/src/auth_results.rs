//! `Authentication-Results` (RFC 8601): what a server that we trust says about a mail's sender.
//!
//! Anybody may write such a field into a mail, so only the topmost one of a configured server counts; a server removes
//! forged ones of its own name (RFC 8601 section 5), but not those below it of other names. Nothing is computed here.

use crate::mime::Header;

/// What one method found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    Pass,
    Fail,
    SoftFail,
    Neutral,
    /// A passing error, `temperror`.
    TempError,
    /// A lasting error, `permerror`.
    PermError,
    /// A policy of the server's own.
    Policy,
    /// `none`, a word unknown here, or the method is not named.
    #[default]
    None,
}

/// One DKIM signature and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dkim {
    pub verdict: Verdict,
    /// `header.d`, else the domain of `header.i`; lower case.
    pub domain: Option<String>,
}

/// The block of a trusted server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthResults {
    /// As written in the mail.
    pub server: String,
    pub dmarc: Verdict,
    /// The domain that DMARC judged (`header.from`), lower case.
    pub header_from: Option<String>,
    /// The server says that this domain asks for nothing to be done (`p=none`): as `policy.dmarc` or `action`, or in a comment, as
    /// OpenDMARC and Google write it.
    pub asks_for_nothing: bool,
    pub spf: Verdict,
    /// `smtp.mailfrom`, or `smtp.helo` for a null sender.
    pub spf_identity: Option<String>,
    pub dkim: Vec<Dkim>,
}

/// The topmost block whose authserv-id is one of `servers`, compared without case. `None` when there is none.
pub fn read(headers: &[Header<'_>], servers: &[&str]) -> Option<AuthResults> {
    let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("Authentication-Results"));
    let mut blocks = named.filter_map(|header| block(&header.text()));
    blocks.find(|block| servers.iter().any(|server| server.eq_ignore_ascii_case(&block.server)))
}

/// Reads one field's value.
fn block(value: &str) -> Option<AuthResults> {
    let mut clauses = split_clauses(value).into_iter();
    let mut head = clauses.next()?.words.into_iter();
    let server = head.next()?;
    // An authres-version may follow; one other than 1 means that the rest cannot be understood.
    if server.contains('=') || head.next().is_some_and(|version| version != "1") {
        return None;
    }
    let mut results = AuthResults { server, ..AuthResults::default() };
    clauses.for_each(|clause| results.take(&clause));
    Some(results)
}

impl AuthResults {
    fn take(&mut self, clause: &Clause) {
        let Some((method, result)) = clause.words.first().and_then(|word| word.split_once('=')) else {
            return;
        };
        let method = method.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let verdict = verdict(result);
        let property = |name: &str| {
            let value = |word: &String| {
                let (key, value) = word.split_once('=')?;
                key.eq_ignore_ascii_case(name).then(|| value.to_ascii_lowercase())
            };
            clause.words[1..].iter().find_map(value).filter(|value| !value.is_empty())
        };
        match method.as_str() {
            "dmarc" if self.dmarc == Verdict::None => {
                (self.dmarc, self.header_from) = (verdict, property("header.from").map(domain));
                let said = property("policy.dmarc").or_else(|| property("action"));
                self.asks_for_nothing =
                    said.map_or_else(|| notes_no_policy(&clause.comments), |policy| policy == "none");
            }
            "spf" if self.spf == Verdict::None => {
                self.spf = verdict;
                self.spf_identity = property("smtp.mailfrom").or_else(|| property("smtp.helo"));
            }
            "dkim" => {
                let signer = property("header.d").or_else(|| property("header.i").map(domain));
                self.dkim.push(Dkim { verdict, domain: signer });
            }
            _ => {}
        }
    }

    /// Whether the author's domain stands for the mail: DMARC passed; `None` when nothing says so or against it. A domain that
    /// publishes `p=none` does not stand by a failure.
    pub fn author_is_genuine(&self) -> Option<bool> {
        match self.dmarc {
            Verdict::Pass => Some(true),
            Verdict::Fail if !self.asks_for_nothing => Some(false),
            _ => None,
        }
    }
}

/// `(p=none dis=none)`
fn notes_no_policy(comments: &str) -> bool {
    let mut words = comments.split(|c: char| c.is_whitespace() || ",;".contains(c));
    words.any(|word| word.eq_ignore_ascii_case("p=none"))
}

fn domain(address: String) -> String {
    address.rsplit_once('@').map_or(address.clone(), |(_, domain)| domain.to_owned())
}

fn verdict(word: &str) -> Verdict {
    match word.to_ascii_lowercase().as_str() {
        "pass" => Verdict::Pass,
        "fail" | "hardfail" => Verdict::Fail,
        "softfail" => Verdict::SoftFail,
        "neutral" => Verdict::Neutral,
        "temperror" => Verdict::TempError,
        "permerror" => Verdict::PermError,
        "policy" => Verdict::Policy,
        _ => Verdict::None,
    }
}

/// What stands between two semicolons.
#[derive(Default)]
struct Clause {
    words: Vec<String>,
    /// What its comments say, a space between them.
    comments: String,
}

/// The clauses; quoted values lose their quotes, and white space around `=` goes too (Exchange Online and some old milters write
/// it).
fn split_clauses(value: &str) -> Vec<Clause> {
    let mut clauses = vec![Clause::default()];
    let mut word = String::new();
    let (mut depth, mut quoted, mut after_equals) = (0_usize, false, false);
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted || depth > 0 => {
                let escaped = chars.next();
                word.extend(escaped.filter(|_| depth == 0));
            }
            '"' if depth == 0 => quoted = !quoted,
            c if quoted => word.push(c),
            '(' => depth += 1,
            ')' => {
                depth = depth.saturating_sub(1);
                clauses.last_mut().expect("begins with one").comments.push(' ');
            }
            c if depth > 0 => clauses.last_mut().expect("begins with one").comments.push(c),
            ';' => {
                end_word(&mut clauses, &mut word, &mut after_equals);
                clauses.push(Clause::default());
            }
            c if c.is_whitespace() => end_word(&mut clauses, &mut word, &mut after_equals),
            c => word.push(c),
        }
    }
    end_word(&mut clauses, &mut word, &mut after_equals);
    clauses
}

fn end_word(clauses: &mut [Clause], word: &mut String, after_equals: &mut bool) {
    if word.is_empty() {
        return;
    }
    let word = std::mem::take(word);
    let clause = &mut clauses.last_mut().expect("begins with one").words;
    let joins = *after_equals || word.starts_with('=');
    *after_equals = word.ends_with('=');
    match clause.last_mut().filter(|_| joins) {
        Some(last) => last.push_str(&word),
        None => clause.push(word),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mime::scan_headers;

    fn read_in(raw: &str, servers: &[&str]) -> Option<AuthResults> {
        read(&scan_headers(raw.as_bytes()).headers, servers)
    }

    #[track_caller]
    fn check(value: &str, expected: &str) {
        let raw = format!("Authentication-Results: {value}\r\nSubject: x\r\n\r\n");
        let found = read_in(&raw, &["mx.crm.example"]).map(|found| {
            let dkim: Vec<String> = found
                .dkim
                .iter()
                .map(|one| format!("{:?} {}", one.verdict, one.domain.as_deref().unwrap_or("-")))
                .collect();
            format!(
                "dmarc {:?} {} spf {:?} {} dkim [{}]",
                found.dmarc,
                found.header_from.as_deref().unwrap_or("-"),
                found.spf,
                found.spf_identity.as_deref().unwrap_or("-"),
                dkim.join(", ")
            )
        });
        assert_eq!(found.as_deref().unwrap_or("nothing"), expected, "{value}");
    }

    #[test]
    fn blocks() {
        check(
            "mx.crm.example; dmarc=pass (p=REJECT) header.from=Customer.Example; spf=pass smtp.mailfrom=a@b.example; dkim=pass header.d=b.example",
            "dmarc Pass customer.example spf Pass a@b.example dkim [Pass b.example]",
        );
        check(
            "MX.crm.EXAMPLE 1;\r\n\tdkim=fail reason=\"bad; signature\" header.i=@b.example header.s=s;\r\n dkim=PASS header.i=\"x@c.example\"",
            "dmarc None - spf None - dkim [Fail b.example, Pass c.example]",
        );
        check("mx.crm.example; none", "dmarc None - spf None - dkim []");
        check("mx.crm.example", "dmarc None - spf None - dkim []");
        check(
            "mx.crm.example; spf = softfail ( a (nested; ) comment ) smtp.helo=h.example",
            "dmarc None - spf SoftFail h.example dkim []",
        );
        check(
            "mx.crm.example; dmarc/1=fail action=none header.from=a@x.example",
            "dmarc Fail x.example spf None - dkim []",
        );
        check("mx.crm.example 2; dmarc=pass", "nothing");
        check("dmarc=pass; mx.crm.example", "nothing");
        check("(mx.crm.example) other; dmarc=pass", "nothing");
        check("", "nothing");
    }

    #[test]
    fn a_failure_counts_by_the_policy_of_the_domain() {
        let check = |said: &str, expected: Option<bool>| {
            let raw = format!("Authentication-Results: mx.crm.example; spf=fail; {said}\r\n\r\n");
            assert_eq!(read_in(&raw, &["mx.crm.example"]).unwrap().author_is_genuine(), expected, "{said}");
        };
        check("dmarc=fail header.from=a.example", Some(false));
        check("dmarc=fail (p=reject dis=none) header.from=a.example", Some(false));
        check("dmarc=fail (p=NONE sp=REJECT dis=NONE) header.from=a.example", None);
        check("dmarc=fail (no alignment) (p=none) header.from=a.example", None);
        check("dmarc=fail action=none header.from=a.example", None);
        check("dmarc=fail action=oreject header.from=a.example", Some(false));
        check("dmarc=fail policy.dmarc=none header.from=a.example", None);
        check("dmarc=fail policy.dmarc=quarantine (p=none) header.from=a.example", Some(false));
        check("dmarc=pass (p=none) header.from=a.example", Some(true));
        check("dmarc=fail header.from=a.example; dkim=fail (p=none)", Some(false));
    }

    #[test]
    fn only_the_topmost_of_a_configured_server_counts() {
        let raw = "Authentication-Results: mx.elsewhere.example; dmarc=pass header.from=a.example\r\n\
            Authentication-Results: mx.crm.example; dmarc=fail header.from=a.example\r\n\
            Authentication-Results: mx.crm.example; dmarc=pass header.from=a.example\r\n\r\n\
            Authentication-Results: mx.body.example; dmarc=pass\r\n";
        let found = |server| read_in(raw, &[server]).map(|found| found.dmarc);
        assert_eq!(found("mx.crm.example"), Some(Verdict::Fail));
        assert_eq!(found("mx.elsewhere.example"), Some(Verdict::Pass));
        assert_eq!(found("mx.body.example"), None);
        assert_eq!(read_in(raw, &[]), None);
        assert_eq!(read_in(raw, &["mx.crm.example"]).unwrap().author_is_genuine(), Some(false));
    }

    #[test]
    fn the_first_word_of_a_method_stands() {
        check(
            "mx.crm.example; dmarc=fail header.from=a.example; dmarc=pass header.from=b.example",
            "dmarc Fail a.example spf None - dkim []",
        );
    }

    proptest! {
        #[test]
        fn any_value_is_read(value in "[a-z=;()\"\\\\ .@]{0,80}") {
            block(&value);
        }
    }
}
