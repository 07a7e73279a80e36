//! What in a single mail names a record: the token in every shape, the header, Microsoft's token, signed ids.

use serde_json::json;

use super::*;

/// Sends one mail and answers how it was filed.
#[track_caller]
fn filed(letter: &Letter) -> Value {
    house().filed(ANNA, &[DESK], letter.raw())
}

#[test]
fn the_token_is_found_in_every_shape() {
    let shapes: &[fn(&str) -> String] = &[
        |guid| format!("Pump CRM: {{{guid}}}:MRC"),
        |guid| format!("Pump CRM: {guid}:MRC"),
        |guid| format!("Pump crm: {{{}}}:mrc", guid.to_uppercase()),
        |guid| format!("CRM: {{{guid}}}:MRC Pump"),
        |guid| format!("Pump CRM: {{{guid}}}:MRC CRM: {{{guid}}}:MRC"),
        |guid| format!("RE: AW: SV: \u{56de}\u{590d}: Pump CRM: {{{guid}}}:MRC"),
        |guid| format!("Pump CRM:\r\n {{{guid}}}:MRC"),
        |guid| format!("Pump CRM: {{{}\r\n\t{}}}:MRC", &guid[..20], &guid[20..]),
        |guid| format!("=?utf-8?Q?P=C3=BCmpe_CRM:_{{{}?=\r\n =?utf-8?Q?{}}}:MRC?=", &guid[..9], &guid[9..]),
        |guid| format!("=?utf-8?B?{}?=", base64(&format!("P\u{fc}mpe CRM: {{{guid}}}:MRC"))),
        |guid| {
            format!("\u{ff23}\u{ff32}\u{ff2d}\u{ff1a} \u{ff5b}{guid}\u{ff5d}\u{ff1a}\u{ff2d}\u{ff32}\u{ff23}")
        },
        |guid| format!("Pump CRM: {{{}}}:MRC", guid.replace('-', "")),
        |guid| format!("Pump CRM : { }{{ {guid} }} : MRC", ""),
    ];
    let cases: Vec<(Case, String)> =
        shapes.iter().map(|_| case()).zip(shapes).map(|(case, shape)| (case, shape(&case.guid()))).collect();
    let ids: Vec<String> =
        cases.iter().map(|(_, subject)| house().send(ANNA, &[DESK], letter(subject).raw())).collect();
    for ((case, subject), id) in cases.iter().zip(&ids) {
        let message = house().settled(id);
        assert_eq!(
            (record(&message), text(&message["method"])),
            (case.at(), "token"),
            "{subject:?}: {message:#}"
        );
    }
}

/// Enough of RFC 4648 for one line.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits =
            three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let letter = |place: usize| char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63]);
        (0..4).for_each(|place| out.push(if place <= three.len() { letter(place) } else { '=' }));
    }
    out
}

#[test]
fn a_truncated_token_is_no_token() {
    let case = case();
    for cut in [&case.token()[..30], &case.token()[..44], &format!("CRM: {{{}0}}:MRC", case.guid())] {
        let message = filed(&letter(&format!("Pump {cut}")));
        is_in_review(&message, "Nothing in it names a record");
        has_flag(&message, "damaged token");
    }
}

#[test]
fn every_configured_table_can_be_named() {
    for table in ["account", "contact", "lead", "opportunity", "quote", "salesorder", "invoice", "campaign"] {
        let message = filed(&letter(&format!("Hello CRM: {{{}}}:MRC", guid(table, 1))));
        is_on(&message, &at(table, 1), "token");
    }
}

#[test]
fn a_guid_that_names_nothing_goes_to_review() {
    let message = filed(&letter(&format!("Hello CRM: {{{}}}:MRC", guid("incident", 7777))));
    is_in_review(&message, "names no record here");
    let header = letter("Hello").header("X-CRM-Record", &guid("incident", 7778));
    is_in_review(&filed(&header), "names no record here");
}

#[test]
fn the_configured_header_names_a_record() {
    for shape in [
        |guid: &str| guid.to_owned(),
        |guid: &str| format!("{{{}}}", guid.to_uppercase()),
        |guid: &str| format!("incident/{guid}"),
    ] {
        let case = case();
        let message = filed(&letter("Hello").header("X-CRM-Record", &shape(&case.guid())));
        is_on(&message, &case.at(), "header");
    }
    is_in_review(&filed(&letter("Hello").header("X-CRM-Record", "none")), "Nothing in it names a record");
}

#[test]
fn two_tokens_of_different_records_are_for_a_person() {
    let (one, two) = (case(), case());
    let message = filed(&letter(&format!("{} {}", one.token(), two.token())));
    is_in_review(&message, "disagree");
    assert_eq!(message["decision"]["signals"].as_array().map(Vec::len), Some(2));
    let header = letter(&one.token()).header("X-CRM-Record", &two.guid());
    is_in_review(&filed(&header), "disagree");
}

#[test]
fn an_email_activity_leads_to_what_it_regards() {
    let case = case();
    let parent = filed(&letter(&case.token()));
    let activity = text(&parent["activity_id"]);
    let message = filed(&letter(&format!("Again CRM: {{{activity}}}:MRC")));
    is_on(&message, &case.at(), "token");
    assert_eq!(house().email(&message)["parentactivityid"], json!(format!("email/{activity}")));
}

#[test]
fn microsoft_s_token_leads_to_the_email_that_carries_it() {
    let case = case();
    let email = json!({"subject": "Offer CRM:0004711", "trackingtoken": "CRM:0004711", "regardingobjectid": case.at(), "statecode": 1, "statuscode": 3});
    house().records(&[row("email", 4711, email)]);
    let message = filed(&letter("RE: Offer CRM:0004711"));
    is_on(&message, &case.at(), "microsoft_token");
    assert_eq!(house().email(&message)["parentactivityid"], json!(at("email", 4711)));
    is_in_review(&filed(&letter("RE: Offer CRM:0004712")), "Nothing in it names a record");
}

#[test]
fn a_merged_record_s_mail_goes_to_its_master() {
    for (old, master) in [
        (guid("account", 2), at("account", 1)),
        (guid("account", 3), at("account", 1)),
        (guid("contact", 5), at("contact", 1)),
        (guid("incident", 9001), at("incident", CASES)),
    ] {
        let message = filed(&letter(&format!("Hello CRM: {{{old}}}:MRC")));
        is_on(&message, &master, "token");
        assert!(text(&message["decision"]["signals"][0]["note"]).contains("merged"), "{message:#}");
    }
}

#[test]
fn our_signed_message_id_is_believed_and_a_forged_one_is_not() {
    let (case, other) = (case(), case());
    let made = house().one(&["token", "make", &case.guid()]);
    let signed = text(&made["message_id"]).to_owned();
    let message = filed(&letter(&format!("Subject of {}", other.token())).header("In-Reply-To", &signed));
    is_on(&message, &case.at(), "signed_id");
    has_flag(&message, "weaker_signal_disagrees");
    let place = signed.find('.').expect("a signed id has dots") + 3;
    let swapped = if signed.as_bytes()[place] == b'a' { "b" } else { "a" };
    let forged = format!("{}{swapped}{}", &signed[..place], &signed[place + 1..]);
    let message = filed(&letter("Hello").header("In-Reply-To", &forged));
    is_in_review(&message, "Nothing in it names a record");
    has_flag(&message, "forged id");
}

#[test]
fn a_stranger_s_token_attaches_and_is_marked() {
    let case = case();
    let message = house().filed(STRANGER, &[DESK], letter(&case.token()).from(STRANGER).raw());
    is_on(&message, &case.at(), "token");
    has_flag(&message, "unknown_sender");
}
