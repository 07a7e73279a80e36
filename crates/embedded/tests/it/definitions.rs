//! Definitions made, changed and deleted at run time, on both databases, and what is left after a restart.

use std::sync::Arc;

use postroom_core::metadata::{
    Cascade, CascadeType, ColumnInfo, ColumnKind, DateTimeBehavior, End, KeyInfo, KeyStatus, Label,
    ManyToMany, Metadata, OneToMany, OptionItem, OptionSet, OwnershipType, RequiredLevel, TableInfo,
};
use postroom_core::{Change, Code, Fault, Record, Value};
use postroom_embedded::Embedded;
use postroom_embedded::definitions::{self, Options};
use uuid::Uuid;

use crate::bench::{Bench, On, apply, on_both, open, read};

on_both!(
    a_table_with_every_kind_of_column,
    a_restart_keeps_what_was_changed,
    keys_refuse_duplicates,
    lookups_name_one_table_and_then_another,
    pairs_of_rows,
    what_is_in_use_stays,
    deleted_things_are_gone,
    options_come_and_go,
    bad_definitions_are_refused,
    several_tables_or_none,
);

fn table(schema_name: &str) -> TableInfo {
    TableInfo {
        id: Uuid::nil(),
        logical_name: String::new(),
        schema_name: schema_name.into(),
        entity_set: String::new(),
        type_code: 0,
        label: Label::english("Bank Account"),
        collection_label: Label(vec![(1031, "Bankkonten".into())]),
        description: Label::default(),
        primary_id: String::new(),
        primary_name: None,
        ownership: OwnershipType::UserOwned,
        is_activity: false,
        is_activity_party: false,
        has_activities: true,
        has_notes: true,
        is_custom: true,
        is_intersect: false,
        is_managed: false,
        change_tracking: true,
        columns: vec![ColumnInfo { is_primary_name: true, ..text("new_Name") }],
        keys: Vec::new(),
        privileges: Vec::new(),
    }
}

fn column(schema_name: &str, kind: ColumnKind) -> ColumnInfo {
    ColumnInfo {
        id: Uuid::nil(),
        logical_name: String::new(),
        schema_name: schema_name.into(),
        label: Label::english(schema_name),
        description: Label::default(),
        kind,
        required: RequiredLevel::None,
        valid_for_create: true,
        valid_for_update: true,
        valid_for_read: true,
        is_primary_id: false,
        is_primary_name: false,
        is_custom: true,
        is_secured: false,
        attribute_of: None,
        number: 0,
    }
}

fn text(schema_name: &str) -> ColumnInfo {
    column(schema_name, ColumnKind::String { max_length: 100, format: "Text".into() })
}

fn options(name: &str, is_global: bool, values: &[i32]) -> OptionSet {
    let option = |value: &i32| OptionItem {
        value: *value,
        label: Label::english(format!("Option {value}")),
        state: None,
        default_status: None,
    };
    OptionSet {
        id: Uuid::nil(),
        name: name.into(),
        is_global,
        is_custom: true,
        label: Label::english(name),
        description: Label::default(),
        options: values.iter().map(option).collect(),
    }
}

fn key(schema_name: &str, columns: &[&str]) -> KeyInfo {
    KeyInfo {
        id: Uuid::nil(),
        logical_name: String::new(),
        schema_name: schema_name.into(),
        label: Label::english(schema_name),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        status: KeyStatus::Pending,
    }
}

fn relation(schema_name: &str, referenced: &str, delete: CascadeType) -> OneToMany {
    OneToMany {
        id: Uuid::nil(),
        schema_name: schema_name.into(),
        referenced_table: referenced.into(),
        referenced_column: String::new(),
        referencing_table: "new_bankaccount".into(),
        referencing_column: String::new(),
        referencing_navigation: String::new(),
        referenced_navigation: String::new(),
        cascade: Cascade { delete, ..Cascade::default() },
        is_custom: true,
    }
}

pub fn lookup(schema_name: &str) -> ColumnInfo {
    column(schema_name, ColumnKind::Lookup { targets: Vec::new() })
}

async fn told(crm: &Embedded) -> Arc<Metadata> {
    definitions::metadata(&crm.schema().await.unwrap())
}

async fn with_table(on: On) -> Bench {
    let bench = Bench::new(on).await;
    bench.crm.create_tables(vec![table("new_BankAccount")]).await.unwrap();
    bench
}

#[track_caller]
fn refused<T: std::fmt::Debug>(
    answer: Result<T, impl Into<Fault> + std::fmt::Debug>,
    code: Code,
    named: &str,
) {
    let fault: Fault = answer.unwrap_err().into();
    assert!(fault.code == code && fault.message.contains(named), "{named}: {fault}");
}

/// Every kind of column that can be made, with a value that it takes.
fn kinds() -> Vec<(ColumnInfo, Value)> {
    let set = |values: &[i32]| options("", false, values);
    let time = "2026-11-02T10:00:00Z".parse().unwrap();
    let (yes, no) = (Label::english("On"), Label::english("Off"));
    vec![
        (column("new_Open", ColumnKind::Boolean { yes, no, default: true }), Value::Bool(false)),
        (
            column("new_Count", ColumnKind::Integer { min: 0, max: 10, format: "Duration".into() }),
            Value::Int(7),
        ),
        (column("new_Big", ColumnKind::BigInt), Value::Int(1 << 40)),
        (
            column("new_Rate", ColumnKind::Decimal { min: 0.0, max: 9.0, precision: 3 }),
            Value::Decimal("1.125".into()),
        ),
        (column("new_Share", ColumnKind::Double { min: 0.0, max: 1.0, precision: 2 }), Value::Float(0.5)),
        (
            column("new_Sum", ColumnKind::Money { min: 0.0, max: 100.0, precision: 2, source: 0 }),
            Value::Decimal("12.50".into()),
        ),
        (
            column("new_Mail", ColumnKind::String { max_length: 50, format: "Email".into() }),
            Value::text("a@b.example"),
        ),
        (column("new_Notes", ColumnKind::Memo { max_length: 5000 }), Value::text("long")),
        (
            column("new_Day", ColumnKind::DateTime { date_only: true, behavior: DateTimeBehavior::DateOnly }),
            Value::Time(time),
        ),
        (
            column("new_Color", ColumnKind::Picklist { options: set(&[1, 2]), default: Some(1) }),
            Value::Int(2),
        ),
        (column("new_Colors", ColumnKind::MultiSelect { options: set(&[1, 2, 3]) }), Value::text("1,3")),
        (column("new_Tag", ColumnKind::Uniqueidentifier), Value::Guid(Uuid::from_u128(7))),
        (column("new_Kind", ColumnKind::EntityName), Value::text("contact")),
    ]
}

async fn a_table_with_every_kind_of_column(on: On) {
    let bench = with_table(on).await;
    let mut row = bench.row("new_bankaccount").with("new_name", "Main");
    for (info, value) in kinds() {
        bench.crm.add_column("new_bankaccount", info.clone()).await.unwrap();
        row = row.with(info.schema_name.to_lowercase(), value);
    }
    bench
        .crm
        .add_column("new_bankaccount", column("new_File", ColumnKind::File { max_kb: 10 }))
        .await
        .unwrap();
    let customer = column("new_Customer", ColumnKind::Customer { targets: Vec::new() });
    bench.crm.add_column("new_bankaccount", customer).await.unwrap();
    let contact = bench.contact("Anna");
    row = row.with("new_customer", contact.at.clone());
    bench.create(&[contact, row.clone()]).await;
    let mail = bench.email().with("regardingobjectid", row.at.clone());
    let note = bench.row("annotation").with("objectid", row.at.clone());
    bench.create(&[mail, note]).await;

    // Another process that starts now knows all of it, and says the same.
    let second = bench.second().await;
    let found = read(&second, &row.at).await.unwrap();
    for (name, value) in &row.columns {
        assert_eq!(found.get(name), Some(value), "{name}");
    }
    assert_eq!(found.int("statuscode"), Some(1));
    let (here, there) = (told(&bench.crm).await, told(&second).await);
    assert_eq!(here, there);
    let table = there.by_entity_set("new_bankaccounts").unwrap();
    assert_eq!(
        (table.schema_name.as_str(), table.type_code, table.is_custom),
        ("new_BankAccount", 10_000, true)
    );
    assert_eq!(table.collection_label, Label(vec![(1031, "Bankkonten".into())]));
    for (info, _) in kinds() {
        let kept = table.column(&info.schema_name.to_lowercase()).unwrap();
        assert_eq!(kept.schema_name, info.schema_name);
        match (&info.kind, &kept.kind) {
            (ColumnKind::Picklist { options: a, .. }, ColumnKind::Picklist { options: b, .. })
            | (ColumnKind::MultiSelect { options: a }, ColumnKind::MultiSelect { options: b }) => {
                assert_eq!(a.options, b.options);
            }
            (given, kept) => assert_eq!(given, kept, "{}", info.schema_name),
        }
    }
    let navigation = |column: &str, target: &str| {
        let mut all = there.many_to_one_of("new_bankaccount");
        all.find(|one| one.referencing_column == column && one.referenced_table == target)
            .map(|one| one.referencing_navigation.clone())
    };
    assert_eq!(navigation("new_customer", "contact").as_deref(), Some("new_Customer_contact"));
    assert_eq!(navigation("ownerid", "owner").as_deref(), Some("ownerid"));
    let regarding: Vec<&str> = there
        .one_to_many_of("new_bankaccount")
        .map(|one| one.referencing_navigation.as_str())
        .filter(|name| name.ends_with("_email") || name.starts_with("objectid"))
        .collect();
    assert_eq!(regarding, ["objectid_new_bankaccount", "regardingobjectid_new_bankaccount_email"]);
    let bad = Change::Create(bench.row("new_bankaccount").with("new_name", "x").with("new_colors", "1,9"));
    bench.refused(bad, Code::CRM_REFUSED, &["new_colors", "9"]).await;
}

async fn a_restart_keeps_what_was_changed(on: On) {
    let bench = with_table(on).await;
    let before = told(&bench.crm).await;
    let contact = before.table("contact").unwrap();
    let mut changed = contact.clone();
    changed.label = Label::english("Person");
    bench.crm.update_table(changed).await.unwrap();
    let mut first = contact.column("firstname").unwrap().clone();
    first.label = Label::english("Given Name");
    first.kind = ColumnKind::String { max_length: 80, format: "Text".into() };
    bench.crm.update_column("contact", first).await.unwrap();
    bench.crm.add_column("contact", text("new_Nick")).await.unwrap();
    bench.crm.create_key("contact", key("new_NickKey", &["new_nick"])).await.unwrap();

    let again = Embedded::open(open(&bench.url).await, bench.clock.clone()).await.unwrap();
    let after = told(&again).await;
    let contact = after.table("contact").unwrap();
    assert_eq!((contact.label.text(), contact.id), (Some("Person"), before.table("contact").unwrap().id));
    let first = contact.column("firstname").unwrap();
    assert_eq!(first.label.text(), Some("Given Name"));
    assert!(matches!(first.kind, ColumnKind::String { max_length: 80, .. }));
    assert!(contact.column("new_nick").unwrap().is_custom && !first.is_custom);
    assert_eq!(contact.keys.len(), 1);
    assert_eq!((contact.entity_set.as_str(), contact.type_code), ("contacts", 2));
}

async fn keys_refuse_duplicates(on: On) {
    let bench = with_table(on).await;
    let row = |name: &str| bench.row("new_bankaccount").with("new_name", name);
    let (one, two) = (row("DE01"), row("de01"));
    bench.create(&[one.clone(), two.clone()]).await;
    let by_name = || key("new_NameKey", &["new_name"]);
    refused(bench.crm.create_key("new_bankaccount", by_name()).await, Code::CRM_DUPLICATE, "2 rows");
    bench.must(Change::Delete(two.at)).await;
    bench.crm.create_key("new_bankaccount", by_name()).await.unwrap();
    refused(bench.crm.create_key("new_bankaccount", by_name()).await, Code::CRM_DUPLICATE, "new_namekey");

    let told = told(&bench.crm).await;
    let keys = &told.table("new_bankaccount").unwrap().keys;
    assert_eq!((keys[0].schema_name.as_str(), keys[0].status), ("new_NameKey", KeyStatus::Active));
    let of = |name: &str| vec![("new_name".to_owned(), Value::text(name))];
    assert_eq!(bench.crm.find_by_key("new_bankaccount", &of("de01")).await.unwrap(), Some(one.at.clone()));
    assert_eq!(bench.crm.find_by_key("new_bankaccount", &of("DE02")).await.unwrap(), None);
    refused(bench.crm.find_by_key("contact", &of("x")).await, Code::CRM_NOT_FOUND, "new_name");
    let described = bench.crm.table("new_bankaccount").await.unwrap();
    assert!(definitions::key_of(&described, &["new_name"]).is_some());
    assert!(definitions::key_of(&described, &["new_name", "statecode"]).is_none());
    // The database itself holds it, whatever a writer does.
    let copy = bench.store.write("test.copy", {
        let id = Uuid::from_u128(99);
        move |tx| {
            let mut insert =
                postroom_store::Insert::into("crm_new_bankaccount", &["new_bankaccountid", "new_name"]);
            insert.row([id.into(), "dE01".into()]);
            Box::pin(async move { tx.insert(&insert).await })
        }
    });
    assert!(copy.await.is_err());

    refused(bench.crm.delete_column("new_bankaccount", "new_name").await, Code::CRM_REFUSED, "new_name");
    bench.crm.delete_key("new_bankaccount", "new_namekey").await.unwrap();
    bench.create(&[row("DE01")]).await;
}

async fn lookups_name_one_table_and_then_another(on: On) {
    let bench = with_table(on).await;
    let crm = &bench.crm;
    let link = CascadeType::RemoveLink;
    crm.create_relationship(relation("new_contact_bank", "contact", link), lookup("new_HolderId"))
        .await
        .unwrap();
    let (contact, account) = (bench.contact("Anna"), bench.row("account").with("name", "Firm"));
    let holds =
        |at: &Record| bench.row("new_bankaccount").with("new_name", "x").with("new_holderid", at.at.clone());
    let first = holds(&contact);
    bench.create(&[contact.clone(), account.clone(), first.clone()]).await;
    let refusing = Change::Create(holds(&account));
    bench.refused(refusing, Code::CRM_REFUSED, &["new_holderid"]).await;
    crm.create_relationship(relation("new_account_bank", "account", link), lookup("new_HolderId"))
        .await
        .unwrap();
    let second = holds(&account);
    bench.create(std::slice::from_ref(&second)).await;
    assert_eq!(bench.found(&first.at).await.lookup("new_holderid"), Some(&contact.at));
    let names: Vec<(String, String)> = told(crm)
        .await
        .many_to_one_of("new_bankaccount")
        .filter(|one| one.referencing_column == "new_holderid")
        .map(|one| (one.schema_name.clone(), one.referencing_navigation.clone()))
        .collect();
    let expected = [("new_contact_bank", "new_HolderId"), ("new_account_bank", "new_HolderId_account")];
    assert_eq!(names, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));

    refused(
        crm.create_relationship(relation("new_contact_bank", "lead", link), lookup("new_Other")).await,
        Code::CRM_DUPLICATE,
        "new_contact_bank",
    );
    crm.delete_relationship("new_contact_bank").await.unwrap();
    assert_eq!(bench.found(&first.at).await.lookup("new_holderid"), None);
    assert_eq!(bench.found(&second.at).await.lookup("new_holderid"), Some(&account.at));
    crm.delete_relationship("new_account_bank").await.unwrap();
    assert!(crm.table("new_bankaccount").await.unwrap().column("new_holderid").is_none());
    refused(crm.delete_relationship("Account_Tasks").await, Code::CRM_REFUSED, "Account_Tasks");
    refused(crm.delete_relationship("new_account_bank").await, Code::CRM_NOT_FOUND, "new_account_bank");
}

async fn pairs_of_rows(on: On) {
    let bench = with_table(on).await;
    let end = |table: &str| End { table: table.into(), column: String::new(), navigation: String::new() };
    let relation = ManyToMany {
        id: Uuid::nil(),
        schema_name: "new_Bank_Contacts".into(),
        intersect_table: String::new(),
        first: end("new_bankaccount"),
        second: end("contact"),
        is_custom: true,
    };
    bench.crm.create_many_to_many(relation.clone()).await.unwrap();
    refused(bench.crm.create_many_to_many(relation).await, Code::CRM_DUPLICATE, "new_Bank_Contacts");
    let told = told(&bench.crm).await;
    let pair = told.many_to_many_of("new_bankaccount").next().unwrap();
    assert_eq!(
        (pair.intersect_table.as_str(), pair.second.column.as_str()),
        ("new_bank_contacts", "contactid")
    );
    let intersect = told.table("new_bank_contacts").unwrap();
    assert!(intersect.is_intersect && intersect.privileges.is_empty());
    let (bank, contact) = (bench.row("new_bankaccount").with("new_name", "x"), bench.contact("Anna"));
    let tie = bench
        .row("new_bank_contacts")
        .with(pair.first.column.clone(), Value::Guid(bank.at.id))
        .with("contactid", Value::Guid(contact.at.id));
    bench.create(&[bank, contact, tie.clone()]).await;
    assert!(bench.found(&tie.at).await.int("versionnumber").is_some());
    bench.crm.delete_relationship("new_bank_contacts").await.unwrap();
    assert!(bench.crm.table("new_bank_contacts").await.is_err());
}

async fn what_is_in_use_stays(on: On) {
    let bench = with_table(on).await;
    let crm = &bench.crm;
    let mut other = relation("new_bank_other", "new_bankaccount", CascadeType::Restrict);
    crm.create_tables(vec![table("new_Other")]).await.unwrap();
    other.referencing_table = "new_other".into();
    crm.create_relationship(other, lookup("new_BankId")).await.unwrap();
    refused(crm.delete_table("new_bankaccount").await, Code::CRM_REFUSED, "new_other.new_bankid");
    refused(crm.delete_table("contact").await, Code::CRM_REFUSED, "contact");
    refused(crm.delete_column("contact", "firstname").await, Code::CRM_REFUSED, "contact.firstname");
    refused(crm.delete_column("new_other", "statecode").await, Code::CRM_REFUSED, "statecode");
    crm.delete_relationship("new_bank_other").await.unwrap();
    crm.delete_table("new_bankaccount").await.unwrap();
    assert!(crm.table("new_other").await.is_ok());
}

async fn deleted_things_are_gone(on: On) {
    let bench = with_table(on).await;
    let crm = &bench.crm;
    let row = bench.row("new_bankaccount").with("new_name", "x");
    let mail = bench.email().with("regardingobjectid", row.at.clone());
    bench.create(&[row.clone(), mail.clone()]).await;
    crm.add_column("new_bankaccount", text("new_Code")).await.unwrap();
    bench.update(&row.at, "new_code", "1").await;
    crm.delete_column("new_bankaccount", "new_code").await.unwrap();
    assert!(bench.found(&row.at).await.get("new_code").is_none());
    crm.add_column("new_bankaccount", text("new_Code")).await.unwrap();
    assert!(bench.found(&row.at).await.get("new_code").is_none(), "a column made again is empty");

    let second = bench.second().await;
    let before = told(&second).await;
    crm.delete_table("new_bankaccount").await.unwrap();
    assert!(told(&second).await.table("new_bankaccount").is_none(), "another process knows at once");
    assert_eq!(bench.found(&mail.at).await.lookup("regardingobjectid"), None);
    let unknown = apply(&second, vec![Change::Create(row)]).await.unwrap_err();
    assert_eq!(unknown.code, Code::CRM_UNKNOWN_COLUMN);
    // Made again, it is a table of its own: same ids by name, another type code, and no rows.
    crm.create_tables(vec![table("new_BankAccount")]).await.unwrap();
    let after = told(&second).await;
    let (old, new) = (before.table("new_bankaccount").unwrap(), after.table("new_bankaccount").unwrap());
    assert_eq!((old.id, old.type_code, new.type_code), (new.id, 10_000, 10_001));
    assert!(after.version > before.version);
}

async fn options_come_and_go(on: On) {
    let bench = with_table(on).await;
    let crm = &bench.crm;
    crm.create_option_set(options("new_Sizes", true, &[1, 2])).await.unwrap();
    let sized =
        column("new_Size", ColumnKind::Picklist { options: options("new_sizes", true, &[]), default: None });
    crm.add_column("new_bankaccount", sized).await.unwrap();
    let of = Options::Global("new_sizes".into());
    assert_eq!(crm.insert_option_value(of.clone(), Some(9), Label::english("Nine")).await.unwrap(), 9);
    let row = bench.row("new_bankaccount").with("new_name", "x").with("new_size", 9);
    bench.create(&[row]).await;
    crm.update_option_value(of.clone(), 9, Label::english("Neun")).await.unwrap();
    crm.delete_option_value(of.clone(), 1).await.unwrap();
    let second = told(&bench.second().await).await;
    let kept: Vec<(i32, Option<&str>)> =
        second.option_sets[0].options.iter().map(|option| (option.value, option.label.text())).collect();
    assert_eq!(kept, [(2, Some("Option 2")), (9, Some("Neun"))]);
    let ColumnKind::Picklist { options: of_column, .. } =
        &second.table("new_bankaccount").unwrap().column("new_size").unwrap().kind
    else {
        panic!("no picklist")
    };
    assert_eq!((of_column.is_global, of_column.options.len()), (true, 2));
    refused(crm.delete_option_set("new_sizes").await, Code::CRM_REFUSED, "new_bankaccount.new_size");
    crm.delete_column("new_bankaccount", "new_size").await.unwrap();
    crm.delete_option_set("new_sizes").await.unwrap();
    assert!(told(crm).await.option_sets.is_empty());

    let value = crm.insert_status_value("contact", None, Label::english("Moved"), 1).await.unwrap();
    let contact = bench.contact("Anna").with("statecode", 1).with("statuscode", i64::from(value));
    bench.create(&[contact]).await;
    let statuses = Options::Column { table: "contact".into(), column: "statuscode".into() };
    refused(crm.delete_option_value(statuses.clone(), 1).await, Code::CRM_REFUSED, "status");
    crm.delete_option_value(statuses.clone(), value).await.unwrap();
    refused(crm.delete_option_value(statuses, value).await, Code::CRM_NOT_FOUND, "option");
    refused(crm.insert_option_value(of, None, Label::default()).await, Code::CRM_NOT_FOUND, "new_sizes");
}

async fn bad_definitions_are_refused(on: On) {
    let bench = with_table(on).await;
    let crm = &bench.crm;
    let create = async |info: TableInfo, code, named: &str| {
        refused(crm.create_tables(vec![info]).await, code, named);
    };
    create(table("BankAccount"), Code::CRM_REFUSED, "prefix").await;
    create(table("mscrm_Bank"), Code::CRM_REFUSED, "prefix").await;
    create(table("new_Bänk"), Code::CRM_REFUSED, "ASCII").await;
    create(table("new_BANKACCOUNT"), Code::CRM_DUPLICATE, "new_bankaccount").await;
    create(TableInfo { columns: Vec::new(), ..table("new_A") }, Code::CRM_REFUSED, "primary name").await;
    create(TableInfo { ownership: OwnershipType::None, ..table("new_A") }, Code::CRM_REFUSED, "owned").await;
    create(TableInfo { entity_set: "contacts".into(), ..table("new_A") }, Code::CRM_DUPLICATE, "new_a").await;
    let add = async |info: ColumnInfo, code, named: &str| {
        refused(crm.add_column("new_bankaccount", info).await, code, named);
    };
    add(text("Plain"), Code::CRM_REFUSED, "prefix").await;
    add(text("new_NAME"), Code::CRM_DUPLICATE, "new_name").await;
    add(column("new_A", ColumnKind::Virtual), Code::CRM_REFUSED, "virtual").await;
    add(
        column("new_A", ColumnKind::Lookup { targets: vec!["nowhere".into()] }),
        Code::CRM_NOT_FOUND,
        "nowhere",
    )
    .await;
    add(
        column("new_A", ColumnKind::String { max_length: 5000, format: String::new() }),
        Code::CRM_REFUSED,
        "4000",
    )
    .await;
    add(
        column("new_A", ColumnKind::Picklist { options: options("", false, &[1, 1]), default: None }),
        Code::CRM_REFUSED,
        "same value",
    )
    .await;
    add(
        column("new_A", ColumnKind::Picklist { options: options("new_none", true, &[]), default: None }),
        Code::CRM_NOT_FOUND,
        "new_none",
    )
    .await;
    let shorter = ColumnInfo {
        logical_name: "new_name".into(),
        kind: ColumnKind::String { max_length: 10, format: "Text".into() },
        ..text("new_Name")
    };
    refused(crm.update_column("new_bankaccount", shorter.clone()).await, Code::CRM_REFUSED, "shorter");
    let other = ColumnInfo { kind: ColumnKind::BigInt, ..shorter };
    refused(crm.update_column("new_bankaccount", other).await, Code::CRM_REFUSED, "type");
    let bad_key = key("new_Key", &["new_name", "new_name"]);
    refused(crm.create_key("new_bankaccount", bad_key).await, Code::CRM_REFUSED, "once");
    refused(
        crm.create_key("contact", key("new_Key", &["emailadress1"])).await,
        Code::CRM_UNKNOWN_COLUMN,
        "emailaddress1",
    );
    refused(crm.delete_key("contact", "new_key").await, Code::CRM_NOT_FOUND, "new_key");
}

async fn several_tables_or_none(on: On) {
    let bench = Bench::new(on).await;
    let crm = &bench.crm;
    let mixed = vec![table("new_One"), table("Two")];
    refused(crm.create_tables(mixed).await, Code::CRM_REFUSED, "prefix");
    refused(
        crm.create_tables(vec![table("new_One"), table("new_ONE")]).await,
        Code::CRM_DUPLICATE,
        "new_one",
    );
    assert!(crm.table("new_one").await.is_err());
    let activity = TableInfo { is_activity: true, columns: Vec::new(), ..table("new_Visit") };
    let shared = TableInfo { ownership: OwnershipType::OrganizationOwned, ..table("new_One") };
    crm.create_tables(vec![shared, activity]).await.unwrap();
    let visit = bench.row("new_visit").with("subject", "Hello");
    let one = bench.row("new_one").with("new_name", "x");
    bench.create(&[visit.clone(), one]).await;
    assert_eq!(bench.found(&visit.at).await.text("activitytypecode"), Some("new_visit"));
    let told = told(crm).await;
    assert_eq!(told.table("new_one").unwrap().ownership, OwnershipType::OrganizationOwned);
    assert!(told.table("new_one").unwrap().column("ownerid").is_none());
    assert!(told.table("new_visit").unwrap().privileges.iter().any(|one| one.name == "prvReadActivity"));
    assert_eq!(bench.all("activitypointer", postroom_core::Filter::All(vec![])).await.len(), 1);
}
