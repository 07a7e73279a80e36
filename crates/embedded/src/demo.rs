//! A small organisation to look at: Brunnthal Pumps, who make and mend pumps, with their people, customers and cases.
//!
//! Every id is a UUIDv5 of a name, so a second run changes nothing. Addresses are under `.example` (RFC 2606).

use postroom_core::{Change, ChangeSet, Record, RecordRef, Value};
use uuid::Uuid;

use crate::seed::NAMESPACE;

/// The rows that the story of the demo speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Works in support; most cases are hers.
    pub user_ines: RecordRef,
    /// Sells.
    pub user_tom: RecordRef,
    /// support@demo.example
    pub queue_support: RecordRef,
    /// sales@demo.example
    pub queue_sales: RecordRef,
    /// The customer with the leaking pump.
    pub account_adler: RecordRef,
    /// Writes about the pump: anna.adler@adler-brauerei.example
    pub contact_anna: RecordRef,
    /// The leaking pump.
    pub case_pump: RecordRef,
    /// Wants an offer: mira.costa@costa-oliva.example
    pub lead_mira: RecordRef,
    /// Three pumps for a pool.
    pub opportunity_pool: RecordRef,
    /// The offer for the pool.
    pub quote_pool: RecordRef,
}

/// The ids of the story.
pub fn story() -> Story {
    Story {
        user_ines: at("systemuser", "ines"),
        user_tom: at("systemuser", "tom"),
        queue_support: at("queue", "support"),
        queue_sales: at("queue", "sales"),
        account_adler: at("account", "adler"),
        contact_anna: at("contact", "anna"),
        case_pump: at("incident", "pump"),
        lead_mira: at("lead", "mira"),
        opportunity_pool: at("opportunity", "pool"),
        quote_pool: at("quote", "pool"),
    }
}

fn at(table: &str, name: &str) -> RecordRef {
    RecordRef::new(table, Uuid::new_v5(&NAMESPACE, format!("demo/{table}/{name}").as_bytes()))
}

fn row(table: &str, name: &str) -> Record {
    Record::new(at(table, name))
}

/// The organisation, in the order in which rows refer to each other. Each set stands by itself once the earlier ones are
/// there.
pub fn organisation() -> Vec<ChangeSet> {
    [users(), queues(), accounts(), contacts(), leads(), opportunities(), quotes(), cases()]
        .into_iter()
        .map(|rows| ChangeSet { changes: rows.into_iter().map(Change::Create).collect() })
        .collect()
}

fn users() -> Vec<Record> {
    let people = [
        ("ines", "Inês", "Baumann", "Customer support"),
        ("tom", "Tom", "Okafor", "Sales"),
        ("greta", "Greta", "Lindqvist", "Customer support"),
        ("paul", "Paul", "Hartwig", "Managing director"),
    ];
    let user = |(name, first, last, title): (&str, &str, &str, &str)| {
        let address = format!("{name}@demo.example");
        row("systemuser", name)
            .with("firstname", first)
            .with("lastname", last)
            .with("title", title)
            .with("internalemailaddress", address.clone())
            .with("domainname", address)
    };
    people.into_iter().map(user).collect()
}

fn queues() -> Vec<Record> {
    let queues = [("support", "Support", "ines"), ("sales", "Sales", "tom"), ("info", "Front desk", "paul")];
    let queue = |(name, title, owner): (&str, &str, &str)| {
        row("queue", name)
            .with("name", title)
            .with("emailaddress", format!("{name}@demo.example"))
            .with("ownerid", at("systemuser", owner))
    };
    queues.into_iter().map(queue).collect()
}

fn accounts() -> Vec<Record> {
    let accounts = [
        ("adler", "Adler Brauerei GmbH", "buero@adler-brauerei.example", "Ulm", "tom"),
        ("costa", "Costa Oliva S.L.", "hola@costa-oliva.example", "Málaga", "tom"),
        ("fjord", "Fjordbad AS", "post@fjordbad.example", "Bergen", "tom"),
        ("kettler", "Kettler Wasserwerke", "dienst@kettler.example", "Passau", "ines"),
        ("moreau", "Serres Moreau", "contact@serres-moreau.example", "Angers", "tom"),
        ("suda", "Suda Foods K.K.", "info@suda-foods.example", "Osaka", "paul"),
    ];
    let account = |(name, title, address, city, owner): (&str, &str, &str, &str, &str)| {
        row("account", name)
            .with("name", title)
            .with("emailaddress1", address)
            .with("address1_city", city)
            .with("ownerid", at("systemuser", owner))
    };
    accounts.into_iter().map(account).collect()
}

fn contacts() -> Vec<Record> {
    let people = [
        ("anna", "Anna", "Adler", "adler", "anna.adler@adler-brauerei.example", "Brewery manager"),
        ("jonas", "Jonas", "Weiß", "adler", "jonas.weiss@adler-brauerei.example", "Maintenance"),
        ("lucia", "Lucía", "Costa", "costa", "lucia.costa@costa-oliva.example", "Owner"),
        ("pablo", "Pablo", "Rey", "costa", "pablo.rey@costa-oliva.example", "Operations"),
        ("ingrid", "Ingrid", "Solberg", "fjord", "ingrid.solberg@fjordbad.example", "Facility manager"),
        ("lars", "Lars", "Nygård", "fjord", "lars.nygard@fjordbad.example", "Technician"),
        ("bernd", "Bernd", "Kettler", "kettler", "b.kettler@kettler.example", "Director"),
        ("silke", "Silke", "Auer", "kettler", "s.auer@kettler.example", "Purchasing"),
        ("claire", "Claire", "Moreau", "moreau", "claire@serres-moreau.example", "Owner"),
        ("hugo", "Hugo", "Petit", "moreau", "hugo@serres-moreau.example", "Irrigation"),
        ("kenji", "健二", "須田", "suda", "kenji.suda@suda-foods.example", "Plant manager"),
        ("yuki", "Yuki", "Arai", "suda", "yuki.arai@suda-foods.example", "Purchasing"),
    ];
    let contact = |(name, first, last, account, address, title): (&str, &str, &str, &str, &str, &str)| {
        row("contact", name)
            .with("firstname", first)
            .with("lastname", last)
            .with("jobtitle", title)
            .with("emailaddress1", address)
            .with("parentcustomerid", at("account", account))
            .with("ownerid", at("systemuser", "tom"))
    };
    people.into_iter().map(contact).collect()
}

fn leads() -> Vec<Record> {
    let people = [
        (
            "mira",
            "Mira",
            "Costa",
            "Costa Oliva S.L.",
            "mira.costa@costa-oliva.example",
            "Pump for a second mill",
        ),
        ("owen", "Owen", "Price", "Pryce Dairies", "owen.price@pryce-dairies.example", "Cleaning in place"),
        ("zofia", "Zofia", "Nowak", "Aquapark Nowa", "z.nowak@aquapark-nowa.example", "Slide pumps"),
        ("amir", "Amir", "Haddad", "Haddad Farms", "amir@haddad-farms.example", "Solar pumps"),
    ];
    let lead = |(name, first, last, company, address, topic): (&str, &str, &str, &str, &str, &str)| {
        row("lead", name)
            .with("firstname", first)
            .with("lastname", last)
            .with("companyname", company)
            .with("emailaddress1", address)
            .with("subject", topic)
            .with("ownerid", at("systemuser", "tom"))
    };
    people.into_iter().map(lead).collect()
}

fn opportunities() -> Vec<Record> {
    let deals = [
        ("pool", "Three pumps for the outdoor pool", "fjord", "48500.00"),
        ("mill", "Second oil mill", "costa", "17200.00"),
        ("greenhouse", "Greenhouse irrigation", "moreau", "23900.50"),
        ("waterworks", "Waterworks east: booster station", "kettler", "132000.00"),
    ];
    let deal = |(name, title, account, value): (&str, &str, &str, &str)| {
        row("opportunity", name)
            .with("name", title)
            .with("customerid", at("account", account))
            .with("estimatedvalue", Value::Decimal(value.into()))
            .with("ownerid", at("systemuser", "tom"))
    };
    deals.into_iter().map(deal).collect()
}

fn quotes() -> Vec<Record> {
    let quotes = [
        ("pool", "Offer: three pumps for the outdoor pool", "fjord"),
        ("mill", "Offer: second oil mill", "costa"),
    ];
    let quote = |(name, title, account): (&str, &str, &str)| {
        row("quote", name)
            .with("name", title)
            .with("customerid", at("account", account))
            .with("opportunityid", at("opportunity", name))
            .with("ownerid", at("systemuser", "tom"))
    };
    quotes.into_iter().map(quote).collect()
}

fn cases() -> Vec<Record> {
    let cases = [
        ("pump", "Mash pump leaks at the shaft", "anna", "adler", "ines"),
        ("noise", "Pump 2 is loud since the service", "jonas", "adler", "greta"),
        ("pressure", "Pressure drops at night", "bernd", "kettler", "ines"),
        ("seal", "Wrong seal kit delivered", "silke", "kettler", "greta"),
        ("frost", "Frost damage on the spare pump", "lars", "fjord", "ines"),
        ("manual", "Manual in Japanese", "kenji", "suda", "greta"),
    ];
    let case = |(name, title, contact, account, owner): (&str, &str, &str, &str, &str)| {
        row("incident", name)
            .with("title", title)
            .with("customerid", at("account", account))
            .with("primarycontactid", at("contact", contact))
            .with("ownerid", at("systemuser", owner))
    };
    cases.into_iter().map(case).collect()
}
