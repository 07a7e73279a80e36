//! The marketing half with its CRM outside, over both doors of another postroom: opt-outs both ways, a list, and whom
//! a send goes to. That it is mailed takes minutes of real waits, and is shown in crates/marketing with a clock that is moved.

use postroom_sandbox::dotdigital::Act;
use postroom_testkit::poll;
use serde_json::json;

use super::campaigns::{LIST, NAME, drafted, member, run};
use super::{ODD, config, contact, in_the_crm, is_out, opted_out, quiet, world};
use crate::house::{House, PATIENCE};
use crate::make::Make;

/// A postroom that keeps the CRM, with the solution in it, and one that works with it by this configuration, without a server.
pub fn with_crm(make: Make, config: &str) -> (House, House) {
    let crm = quiet("").started();
    let section = crm.place().section(make, &crm.path("."));
    let house = House::quiet(&format!("{section}{config}"));
    // The organisation was marked by the one that keeps it.
    let taken = house.run(&["solution", "install", "--take-over"]);
    assert_eq!(taken.exit, 0, "{}", taken.err);
    (crm, house)
}

#[test]
fn opt_outs_and_who_a_send_goes_to_over_the_web_api() {
    opt_outs_and_who_a_send_goes_to(Make::WebApi);
}

#[test]
fn opt_outs_and_who_a_send_goes_to_over_soap() {
    opt_outs_and_who_a_send_goes_to(Make::Soap);
}

fn opt_outs_and_who_a_send_goes_to(make: Make) {
    let world = world();
    let campaign = drafted(&world);
    let (crm, house) = with_crm(make, &config(&world, false));
    let house = house.started();
    crm.records(&[contact(1, ODD), opted_out(contact(2, "bert@x.example")), contact(3, "carl@x.example")]);
    world.act(1, "carl@x.example", None, Act::Unsubscribe).expect("the account is there");
    run(&house, "suppressions");
    assert_eq!(in_the_crm(&crm), ["bert@x.example", "carl@x.example"]);
    assert!(is_out(&world, "bert@x.example") && !is_out(&world, ODD));

    run(&house, "campaigns");
    let account = &crm.list(&["record", "list", "esc_emailaccount"])[0]["id"];
    let account = format!("esc_emailaccount/{}", account.as_str().expect("an id"));
    let list = json!({ "listname": "Readers", "createdfromcode": 2, "type": false, "esc_activatedforemail": true,
        "esc_emailaccountid": account });
    crm.records(&[json!({ "table": "list", "id": LIST, "columns": list }), member(1), member(2), member(3)]);
    run(&house, "lists");
    let send = ["marketing", "campaign", "send", NAME, "--list", "Readers", "--expect-count", "1"];
    let asked = house.one(&send);
    let id = asked["id"].as_str().expect("an id");
    let show = ["marketing", "campaign", "show", id];
    let counted = || {
        run(&house, "sends");
        house.one(&show)["to_send"] == 1
    };
    assert!(poll::until(PATIENCE, counted), "{}\n{}", house.one(&show), house.log());
    let mailed = world.log(1);
    let hers = mailed.iter().filter(|mail| mail.campaign.map(i64::from) == Some(campaign));
    assert!(hers.into_iter().all(|mail| &*mail.email == ODD), "nobody who left");
    assert!(house.stop(), "{}", house.log());
}
