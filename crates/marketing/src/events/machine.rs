//! Opens and clicks that no person made: pictures fetched by a mail provider, links followed by a scanner. They are flagged and
//! kept, never deleted (marketing-sync.md B14, inferred): by the user agent, and by speed.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

/// Parts of user agents, in lower case, of programs that fetch mail's pictures and links by themselves.
const PROGRAMS: [&str; 20] = [
    "googleimageproxy",
    "ggpht.com",
    "yahoomailproxy",
    "barracuda",
    "proofpoint",
    "mimecast",
    "symantec",
    "safelinks",
    "bingpreview",
    "headlesschrome",
    "python-requests",
    "go-http-client",
    "curl/",
    "wget/",
    "java/",
    "okhttp",
    "crawler",
    "spider",
    "bot/",
    "bot;",
];
/// Faster after its mail than this is nobody.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(2);
/// So many different links of one mail in one second are followed by a scanner. Two are a quick hand.
const LINKS: usize = 4;

/// Whether the program that names itself so is no person's. Apple's privacy proxy says `Mozilla/5.0` and nothing else.
pub fn is_program(agent: &str) -> bool {
    let agent = agent.trim().to_lowercase();
    agent == "mozilla/5.0" || PROGRAMS.iter().any(|program| agent.contains(program))
}

/// Whether it came too soon after the mail that it answers.
pub fn is_hasty(sent: Option<Timestamp>, at: Timestamp) -> bool {
    sent.is_some_and(|sent| {
        let passed = at.duration_since(sent);
        !passed.is_negative() && passed < AT_ONCE
    })
}

/// Who followed very many different links within one second: contact and second.
pub fn scanners<'c>(clicks: impl Iterator<Item = (i64, Timestamp, &'c str)>) -> HashSet<(i64, i64)> {
    let mut links: HashMap<(i64, i64), HashSet<&str>> = HashMap::new();
    for (contact, at, url) in clicks {
        links.entry((contact, at.as_second())).or_default().insert(url);
    }
    links.into_iter().filter(|(_, urls)| urls.len() >= LINKS).map(|(who, _)| who).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(agent: &str, program: bool) {
        assert_eq!(is_program(agent), program, "{agent}");
    }

    #[test]
    fn programs() {
        check(
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
            true,
        );
        check("Mozilla/5.0", true);
        check("Googlebot/2.1", true);
        check("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", false);
        check("", false);
        // A person's name for a phone is no program.
        check("Mozilla/5.0 (Linux; Android 13; CUBOT X70) AppleWebKit/537.36", false);
    }

    #[test]
    fn speed() {
        let sent: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let after = |millis| sent + SignedDuration::from_millis(millis);
        assert!(is_hasty(Some(sent), after(1999)) && !is_hasty(Some(sent), after(2000)));
        assert!(!is_hasty(Some(sent), after(-1)) && !is_hasty(None, sent));
    }

    #[test]
    fn two_links_in_one_second_are_a_person() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let clicks = |urls: &[&'static str]| scanners(urls.iter().map(|url| (7, at, *url)));
        assert!(clicks(&["a", "b", "a", "a"]).is_empty());
        assert_eq!(clicks(&["a", "b", "c", "d"]), HashSet::from([(7, at.as_second())]));
    }
}
