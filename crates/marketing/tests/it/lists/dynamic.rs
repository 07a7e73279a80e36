//! Dynamic lists: their query is asked in the owner's name, and removes nobody when it fails.

use super::*;

on_all!(a_dynamic_list_is_asked_for_by_its_owner, a_query_that_fails_or_finds_nobody_removes_nobody,);

on_old!(a_dynamic_list_is_asked_for_by_its_owner);

/// A dynamic list of contacts that the current user owns.
async fn dynamic(lab: &Lab, owner: &RecordRef) -> RecordRef {
    let list = lab.news(1, "Mine").await;
    let xml = "<fetch><entity name='contact'><attribute name='fullname'/><filter>\
        <condition attribute='ownerid' operator='eq-userid'/></filter></entity></fetch>";
    let row = Record::new(list.clone()).with("type", true).with("query", xml).with("ownerid", owner.clone());
    lab.write(row).await;
    list
}

/// A user who may see contacts.
async fn seller(lab: &Lab) -> RecordRef {
    let at = RecordRef::new("systemuser", Uuid::from_u128(0x5e11e4));
    let row = Record::new(at.clone()).with("firstname", "Sam").with("lastname", "Seller");
    lab.write(row.with("domainname", "sam@ours.example")).await;
    let role = Query::of("role").select(&["roleid"]).filter(Filter::eq("name", "Salesperson"));
    let role = lab.crm.query(&role).await.unwrap().remove(0).at;
    lab.crm.associate("systemuserroles_association", &at, &[role]).await.unwrap();
    at
}

async fn a_dynamic_list_is_asked_for_by_its_owner(on: On) {
    let lab = Lab::new(on).await;
    let owner = seller(&lab).await;
    let list = dynamic(&lab, &owner).await;
    for number in 0..3 {
        let at = lab.contact(number, &format!("p{number}@x.example")).await;
        lab.set(&at, "ownerid", owner.clone()).await;
    }
    lab.contact(9, "others@x.example").await;
    lab.all_well().await;
    let expected = set_of(&["p0@x.example", "p1@x.example", "p2@x.example"]);
    assert_eq!(lab.there("Mine").await, expected);
    // One way: who comes from elsewhere goes, and who was taken off comes back.
    let id = lab.list_there("Mine").await.unwrap().id;
    lab.put_there(&id, ODD).await;
    lab.take_there(&id, "p1@x.example").await;
    lab.all_well().await;
    assert_eq!(lab.there("Mine").await, expected);
    lab.set(&RecordRef::new("contact", Uuid::from_u128(0xc000_0002)), "ownerid", lab.crm.acting()).await;
    lab.all_well().await;
    assert_eq!(lab.there("Mine").await.len(), 2);
    lab.says(&list, "esc_membersyncstatus", Set::MemberSyncStatus, "Sync Complete").await;
}

async fn a_query_that_fails_or_finds_nobody_removes_nobody(on: On) {
    let lab = Lab::new(on).await;
    let owner = seller(&lab).await;
    let list = dynamic(&lab, &owner).await;
    for number in 0..3 {
        let at = lab.contact(number, &format!("p{number}@x.example")).await;
        lab.set(&at, "ownerid", owner.clone()).await;
    }
    lab.all_well().await;
    let check = async |expected: RunState, said: &str| {
        let run = lab.run(SyncType::Lists).await;
        assert_eq!(run.state, expected, "{said}: {run:?}");
        let row = lab.record(&list).await.unwrap();
        let message = row.text("esc_lastsyncmessage").unwrap_or_default().to_owned();
        assert!(message.contains(said), "{message}");
        lab.says(&list, "esc_membersyncstatus", Set::MemberSyncStatus, "Failed").await;
        assert_eq!(lab.there("Mine").await.len(), 3, "{said}");
    };
    let good = lab.record(&list).await.unwrap().text("query").unwrap().to_owned();
    lab.set(&list, "query", "<fetch><entity name='contact'><filter>").await;
    check(RunState::Done, "cannot be read").await;
    lab.set(&list, "query", "<fetch><entity name='account'/></fetch>").await;
    check(RunState::Done, "must ask for rows of contact").await;
    lab.set(&list, "query", "<fetch><entity name='contact'><filter><condition attribute='nosuch' operator='null'/></filter></entity></fetch>").await;
    check(RunState::Done, "nosuch").await;
    lab.set(&list, "query", good.as_str()).await;
    // Owned by nobody whose name it could be asked in.
    let team = RecordRef::new("team", Uuid::from_u128(0x7ea3));
    lab.write(Record::new(team.clone()).with("name", "Sellers")).await;
    lab.set(&list, "ownerid", team).await;
    check(RunState::Done, "belongs to no user").await;
    // The service user's own: nobody.
    lab.set(&list, "ownerid", lab.crm.acting()).await;
    for number in 0..3 {
        let at = RecordRef::new("contact", Uuid::from_u128(0xc000_0000 + number));
        lab.set(&at, "ownerid", owner.clone()).await;
    }
    check(RunState::Held, "3 of 3 would be taken off").await;
}
