//! Tests of the grammar: a table of shapes, and the promise that any mangling of any token is read back.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use uuid::Uuid;

use super::grammar::{Flaw, find_microsoft_tokens, find_tokens, near_misses};
use super::seed;

const GUID: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_1f0e6e2a9b11);

#[track_caller]
fn check(subject: &str, expected: &[Uuid]) {
    let found: Vec<Uuid> = find_tokens(subject).into_iter().map(|token| token.guid).collect();
    assert_eq!(found, expected, "{subject}");
}

#[test]
fn shapes_that_are_tokens() {
    for subject in [
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "Hello CRM: {6F1ED002-AB5E-4A2C-8D0C-1F0E6E2A9B11}:MRC",
        "RE: AW: Hello crm: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:mrc",
        "回复：你好 CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "SV: CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC words after",
        "CRM:6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11:MRC",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11:MRC",
        "CRM: 6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CRM: 6f1ed002ab5e4a2c8d0c1f0e6e2a9b11:MRC",
        "CRM: {6f1ed002-ab5e4a2c-8d0c1f0e6e2a9b11}:MRC",
        "[CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC]",
        "(CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC)",
        "topicCRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRCmore",
        "CRM:\r\n {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CRM:\n\t{6f1ed002-ab5e-\n 4a2c-8d0c-1f0e6e2a9b11}\r\n :MRC",
        "CRM : { 6f1ed002 - ab5e - 4a2c - 8d0c - 1f0e6e2a9b11 } : MRC",
        "CRM:\u{A0}{6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CRM:\u{3000}{6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "C\u{200B}RM: {6f1ed002-\u{AD}ab5e-4a2c-8d0c-1f0e6e2a9b11}\u{FEFF}:MR\u{2060}C",
        "\u{202A}CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC\u{202C}",
        "CRM: {6f1ed002\u{2010}ab5e\u{2011}4a2c\u{2013}8d0c\u{2212}1f0e6e2a9b11}:MRC",
        "ＣＲＭ：｛６ｆ１ｅｄ００２－ａｂ５ｅ－４ａ２ｃ－８ｄ０ｃ－１ｆ０ｅ６ｅ２ａ９ｂ１１｝：ＭＲＣ",
        "CRM： {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}：MRC",
        // A mail program that breaks at a fixed column, wherever that is.
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0\r\n e6e2a9b11}:M\r\n RC",
        "CRM: CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CRM:0001021 CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CRM: {6f1ed002-ab5e} CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC CRM: {6F1ED002AB5E4A2C8D0C1F0E6E2A9B11}:MRC",
    ] {
        check(subject, &[GUID]);
    }
}

#[test]
fn shapes_that_are_none() {
    for subject in [
        "",
        "CRM",
        "CRM:",
        "CRM: {}:MRC",
        "CRM: meeting on Monday",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b1}:MRC",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b111}:MRC",
        "CRM: {06f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b1g}:MRC",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MR",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11} MRC",
        "CRM: {6f1ed00-2ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CRM: {6f1ed002--ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CRM: {-6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11-}:MRC",
        "CRM {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "{6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
        "CMR: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC",
    ] {
        check(subject, &[]);
    }
}

#[test]
fn several_in_order() {
    let (a, b) = (Uuid::from_u128(10), Uuid::from_u128(20));
    let subject = format!("{} x {} {}", seed::make(b), seed::make(a), seed::make(b));
    check(&subject, &[b, a]);
    let found = find_tokens(&subject);
    assert_eq!(&subject[found[1].range.clone()], seed::make(a));
    assert_eq!(found[1].text, seed::make(a));
}

#[test]
fn a_flood_is_cut_to_the_last_ones() {
    let subject: String = (0..1000).map(|n| seed::make(Uuid::from_u128(n))).collect();
    let found = find_tokens(&subject);
    assert_eq!(found.len(), 32);
    assert_eq!(found[31].guid, Uuid::from_u128(999));
}

#[track_caller]
fn check_miss(subject: &str, expected: Option<Flaw>) {
    let found = near_misses(subject);
    assert_eq!(found.first().map(|miss| miss.why), expected, "{subject}: {found:?}");
}

#[test]
fn hints() {
    check_miss("Re: CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6", Some(Flaw::TooFewDigits(25)));
    check_miss("CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b111}:MRC", Some(Flaw::TooManyDigits));
    check_miss("CRM: {6f1ed002-ab5e-4a2c8-d0c-1f0e6e2a9b11}:MRC", Some(Flaw::Misshapen));
    check_miss("CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11} thanks", Some(Flaw::NoEnd));
    check_miss("6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC", Some(Flaw::NoStart));
    check_miss("see 6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11", Some(Flaw::NoStart));
    check_miss("CRM:0001021", None);
    check_miss("CRM: add a field", None);
    check_miss("x6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11", None);
    check_miss(&seed::make(GUID), None);
    assert_eq!(near_misses("CRM: {6f1ed002").first().unwrap().text, "CRM: {6f1ed002");
}

#[track_caller]
fn check_microsoft(subject: &str, expected: &[&str]) {
    assert_eq!(find_microsoft_tokens(subject, "CRM:", 7..=20), expected, "{subject}");
}

#[test]
fn microsoft_tokens() {
    check_microsoft("Hello CRM:0001021", &["CRM:0001021"]);
    check_microsoft("crm:0001021 hello ＣＲＭ：0001022", &["CRM:0001021", "CRM:0001022"]);
    check_microsoft("CRM:0001021 CRM:0001021", &["CRM:0001021"]);
    check_microsoft("[CRM:0001021] (CRM:00010210)", &["CRM:0001021", "CRM:00010210"]);
    check_microsoft("CRM:00\u{200B}01021.", &["CRM:0001021"]);
    check_microsoft("CRM:000102", &[]);
    check_microsoft("CRM:123456789012345678901", &[]);
    check_microsoft("XCRM:0001021", &[]);
    check_microsoft("CRM:0001021x", &[]);
    check_microsoft("CRM: 0001021", &[]);
    check_microsoft("CRM:", &[]);
}

#[test]
fn a_seed_token_is_no_microsoft_token() {
    check_microsoft("CRM:12345678-1234-4000-8000-123456789012:MRC", &[]);
    check_microsoft("CRM:12345678123440008000123456789012:MRC", &[]);
    check_microsoft("CRM:12345678-1234-4000-80", &[]);
}

#[test]
fn microsoft_prefixes_are_text_not_patterns() {
    assert_eq!(find_microsoft_tokens("a (T.*)1234567", "(T.*)", 7..=7), ["(T.*)1234567"]);
    assert_eq!(find_microsoft_tokens("Fälle:123 fälle:124", "FÄLLE:", 3..=3), ["FÄLLE:123", "FÄLLE:124"]);
    assert!(find_microsoft_tokens("1234567", "", 7..=7).is_empty());
}

/// White space and invisible characters that may stand between any two characters of a token.
fn filler() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        " ", "\t", "\r\n ", "\n\t", "\n", "\u{A0}", "\u{3000}", "\u{2009}", "\u{200B}", "\u{200E}",
        "\u{2060}", "\u{FEFF}", "\u{AD}",
    ]);
    prop_oneof![4 => Just(String::new()), 1 => prop::collection::vec(pieces, 1..4).prop_map(|list| list.concat())]
}

/// One character of a token in any of the forms it may take.
fn written(c: char) -> BoxedStrategy<String> {
    let full = char::from_u32(u32::from(c) + 0xFEE0).unwrap();
    let mut forms = vec![c.to_string(), c.to_ascii_uppercase().to_string(), full.to_string()];
    match c {
        '-' => forms.extend(
            ["\u{2010}", "\u{2011}", "\u{2012}", "\u{2013}", "\u{2014}", "\u{2015}", "\u{2212}", ""]
                .map(String::from),
        ),
        '{' | '}' => forms.push(String::new()),
        _ => forms.push(full.to_string().to_uppercase()),
    }
    prop::sample::select(forms).boxed()
}

fn mangled() -> impl Strategy<Value = (Uuid, String)> {
    any::<u128>().prop_map(Uuid::from_u128).prop_flat_map(|guid| {
        let token = seed::make(guid).to_lowercase().replace(' ', "");
        let pieces: Vec<_> = token.chars().map(|c| (written(c), filler())).collect();
        pieces.prop_map(move |pieces| {
            let text = pieces.into_iter().flat_map(|(piece, filler)| [piece, filler]).collect();
            (guid, text)
        })
    })
}

proptest! {
    #[test]
    fn any_mangling_is_read_back(before in any::<String>(), (guid, token) in mangled(), after in any::<String>()) {
        let subject = format!("{before}{token}{after}");
        let found = find_tokens(&subject);
        prop_assert!(found.iter().any(|found| found.guid == guid), "{:?}", subject);
        prop_assert!(near_misses(&subject).len() <= 8);
    }

    #[test]
    fn a_lost_or_added_digit_is_no_token(guid in any::<u128>(), place in 0usize..32, digit in "[0-9a-f]", lose in any::<bool>()) {
        let mut digits = format!("{guid:032x}");
        if lose { digits.remove(place); } else { digits.insert_str(place, &digit); }
        let subject = format!("CRM: {{{digits}}}:MRC");
        prop_assert_eq!(find_tokens(&subject), vec![]);
        prop_assert_eq!(near_misses(&subject).len(), 1);
    }

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        for token in find_tokens(&text) {
            prop_assert!(text.get(token.range).is_some());
        }
        near_misses(&text);
        find_microsoft_tokens(&text, "CRM:", 7..=20);
        seed::parse_guid(&text);
    }

    #[test]
    fn token_like_text_is_read(text in "([Cc]|CRM:|[ \\-{}:]|[0-9a-f]{1,12}|:MRC|\u{200B}){0,60}") {
        find_tokens(&text);
        near_misses(&text);
        find_microsoft_tokens(&text, "CRM:", 7..=20);
    }
}

/// How long reading `piece` repeated to `bytes` takes; the best of three, for other programs run too.
fn time_of(read: fn(&str), piece: &str, bytes: usize) -> Duration {
    let text = piece.repeat(bytes / piece.len());
    let once = || {
        let start = Instant::now();
        read(&text);
        start.elapsed()
    };
    (0..3).map(|_| once()).min().unwrap_or_default()
}

#[track_caller]
fn check_linear(read: fn(&str), large: usize) {
    let spaces = format!("c{}", " ".repeat(5000));
    let gaps = format!("crm:{{{}", "a ".repeat(3000));
    for piece in [
        "c",
        "crm:",
        "CRM: {",
        "a ",
        "1-",
        "crm:0",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}",
        "\u{200B}",
        "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11 ",
        "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC ",
        &spaces,
        &gaps,
    ] {
        // 16 times the text: quadratic work would take 256 times as long, whenever it is tried and whatever runs beside it.
        let is_linear = |_| {
            let short = time_of(read, piece, large / 16).max(Duration::from_millis(1));
            time_of(read, piece, large) < short * 80
        };
        assert!((0..10).any(is_linear), "{piece:.20}… takes more than its length");
    }
}

#[test]
fn a_megabyte_is_read_in_linear_time() {
    check_linear(|text| drop(find_tokens(text)), 1 << 20);
}

#[test]
fn hints_and_other_readers_are_linear() {
    check_linear(|text| drop(near_misses(text)), 1 << 17);
    check_linear(|text| drop(find_microsoft_tokens(text, "CRM:", 7..=20)), 1 << 17);
    check_linear(|text| assert!(seed::parse_guid(text).is_none_or(|guid| guid == GUID)), 1 << 17);
}
