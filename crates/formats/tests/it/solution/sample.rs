//! A solution with everything that files can hold.

use postroom_core::metadata::*;
use postroom_formats::solution::*;
use postroom_formats::xml::{self, Element};
use uuid::Uuid;

fn id(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

fn label(text: &str) -> Label {
    Label(vec![(1033, text.to_owned()), (1031, format!("{text} (de)"))])
}

fn tree(text: &str) -> Element {
    xml::read(text, &xml::Limits::default()).unwrap()
}

pub fn column(name: &str, kind: ColumnKind) -> ColumnInfo {
    ColumnInfo {
        id: Uuid::nil(),
        logical_name: name.to_ascii_lowercase(),
        schema_name: name.to_owned(),
        label: label(name),
        description: label("Says <more> & \"more\""),
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

fn set(name: &str, is_global: bool, options: &[(i32, &str)]) -> OptionSet {
    let item = |(value, text): &(i32, &str)| OptionItem {
        value: *value,
        label: label(text),
        state: None,
        default_status: None,
    };
    OptionSet {
        id: Uuid::nil(),
        name: name.to_owned(),
        is_global,
        is_custom: true,
        label: label(name),
        description: Label::default(),
        options: options.iter().map(item).collect(),
    }
}

fn of_kinds(package: Package) -> Vec<ColumnInfo> {
    let picklist = set("esc_send_esc_result", false, &[(274_100_000, "Sent"), (274_100_001, "Bounced")]);
    let global = OptionSet { options: Vec::new(), ..set("esc_channel", true, &[]) };
    let global = OptionSet { label: label("esc_Channel"), ..global };
    let mut all = vec![
        column("esc_Yes", ColumnKind::Boolean { yes: label("On"), no: label("Off"), default: true }),
        column("esc_Count", ColumnKind::Integer { min: -5, max: 99, format: "None".into() }),
        column("esc_Minutes", ColumnKind::Integer { min: 0, max: i32::MAX, format: "Duration".into() }),
        column("esc_Big", ColumnKind::BigInt),
        column("esc_Rate", ColumnKind::Decimal { min: -1.5, max: 1e11, precision: 3 }),
        column("esc_Float", ColumnKind::Double { min: 0.0, max: 2.5, precision: 5 }),
        column("esc_Cost", ColumnKind::Money { min: 0.0, max: 1e9, precision: 2, source: 1 }),
        column("esc_Mail", ColumnKind::String { max_length: 100, format: "Email".into() }),
        column("esc_Lines", ColumnKind::String { max_length: 500, format: "TextArea".into() }),
        column("esc_Body", ColumnKind::Memo { max_length: 1_048_576 }),
        column("esc_On", ColumnKind::DateTime { date_only: true, behavior: DateTimeBehavior::UserLocal }),
        column("esc_Result", ColumnKind::Picklist { options: picklist, default: Some(274_100_000) }),
        column("esc_Channel", ColumnKind::Picklist { options: global, default: None }),
        column("esc_ContactId", ColumnKind::Lookup { targets: vec!["contact".into()] }),
        column("esc_AboutId", ColumnKind::Lookup { targets: vec!["account".into(), "lead".into()] }),
        column("esc_WhoId", ColumnKind::Customer { targets: vec!["account".into(), "contact".into()] }),
        column("esc_Guid", ColumnKind::Uniqueidentifier),
        ColumnInfo { is_secured: true, ..column("esc_Secret", ColumnKind::Memo { max_length: 20 }) },
    ];
    if package >= Package::V8_0 {
        let behavior = DateTimeBehavior::TimeZoneIndependent;
        all.push(column("esc_At", ColumnKind::DateTime { date_only: false, behavior }));
    }
    if package >= Package::V9_0 {
        let options = set("esc_send_esc_tags", false, &[(1, "One"), (2, "Two")]);
        all.push(column("esc_Tags", ColumnKind::MultiSelect { options }));
    }
    if package >= Package::V9_2 {
        all.push(column("esc_File", ColumnKind::File { max_kb: 131_072 }));
        all.push(column("esc_Picture", ColumnKind::Image { max_kb: 10_240 }));
    }
    all
}

fn standing() -> [ColumnInfo; 2] {
    let mut states = set("esc_send_statecode", false, &[(0, "Active"), (1, "Inactive")]);
    states.options[0].default_status = Some(1);
    states.options[1].default_status = Some(2);
    let mut statuses = set("esc_send_statuscode", false, &[(1, "Open"), (2, "Done"), (274_100_000, "Late")]);
    for (option, state) in statuses.options.iter_mut().zip([0, 1, 0]) {
        option.state = Some(state);
    }
    let column = |name, kind| ColumnInfo { is_custom: false, ..column(name, kind) };
    [
        column("statecode", ColumnKind::State { options: states }),
        column("statuscode", ColumnKind::Status { options: statuses }),
    ]
}

pub fn table(name: &str, columns: Vec<ColumnInfo>) -> TableInfo {
    let logical = name.to_ascii_lowercase();
    let key = ColumnInfo {
        is_primary_id: true,
        is_custom: false,
        required: RequiredLevel::SystemRequired,
        ..column(&format!("{name}Id"), ColumnKind::Uniqueidentifier)
    };
    let named = ColumnInfo {
        is_primary_name: true,
        required: RequiredLevel::ApplicationRequired,
        ..column("esc_Name", ColumnKind::String { max_length: 200, format: "Text".into() })
    };
    let mut columns: Vec<ColumnInfo> = [key, named].into_iter().chain(columns).collect();
    for (place, column) in columns.iter_mut().enumerate() {
        column.number = place as i32 + 1;
    }
    TableInfo {
        id: Uuid::nil(),
        entity_set: format!("{logical}s"),
        type_code: 0,
        label: label(name),
        collection_label: label(&format!("{name}s")),
        description: Label::english("What was sent"),
        primary_id: format!("{logical}id"),
        primary_name: Some("esc_name".into()),
        ownership: OwnershipType::UserOwned,
        is_activity: false,
        is_activity_party: false,
        has_activities: true,
        has_notes: true,
        is_custom: true,
        is_intersect: false,
        is_managed: false,
        change_tracking: true,
        columns,
        keys: Vec::new(),
        privileges: Vec::new(),
        schema_name: name.to_owned(),
        logical_name: logical,
    }
}

pub fn lookup(table: &str, column: &str, target: &str, navigation: &str) -> OneToMany {
    let name = format!("esc_{target}_{table}_{}", column.trim_start_matches("esc_"));
    OneToMany {
        id: Uuid::nil(),
        schema_name: name.clone(),
        referenced_table: target.to_owned(),
        referenced_column: format!("{target}id"),
        referencing_table: table.to_owned(),
        referencing_column: column.to_owned(),
        referencing_navigation: navigation.to_owned(),
        referenced_navigation: name,
        cascade: Cascade { assign: CascadeType::Active, delete: CascadeType::Restrict, ..Cascade::default() },
        is_custom: true,
    }
}

const FORM: &str = r#"<form><tabs><tab name="t" id="{5df52be9-21a1-460a-8362-9b1fb0e164dc}"><labels><label description="General" languagecode="1033"/></labels><columns><column width="100%"><sections><section name="s" id="{df95f767-4a95-415c-a097-089c583badfb}" showlabel="false"><labels><label description="S" languagecode="1033"/></labels><rows><row><cell id="{38f4f8eb-539b-4efe-914e-5102854751a4}"><labels><label description="Name" languagecode="1033"/></labels><control id="esc_name" classid="{4273EDBD-AC1D-40d3-9FB2-095C621B552D}" datafieldname="esc_name"/></cell></row></rows></section></sections></column></columns></tab></tabs></form>"#;
const MAP: &str = r#"<SiteMap><Area Id="esc_area"><Titles><Title LCID="1033" Title="Mail"/></Titles><Group Id="esc_group"><Titles><Title LCID="1033" Title="Sends"/></Titles><SubArea Id="esc_sub" Entity="esc_send"/></Group></Area></SiteMap>"#;
const RIBBON: &str = r#"<RibbonDiffXml><CustomActions><CustomAction Id="esc.sync" Location="Mscrm.HomepageGrid.esc_send.MainTab.Actions.Controls._children" Sequence="5"><CommandUIDefinition><Button Id="esc.sync.button" Command="esc.sync.command" LabelText="Sync now" TemplateAlias="o1"/></CommandUIDefinition></CustomAction></CustomActions><Templates><RibbonTemplates Id="Mscrm.Templates"/></Templates><CommandDefinitions><CommandDefinition Id="esc.sync.command"><EnableRules/><DisplayRules/><Actions><JavaScriptFunction FunctionName="esc.sync" Library="$webresource:esc_/sync.js"/></Actions></CommandDefinition></CommandDefinitions><RuleDefinitions><TabDisplayRules/><DisplayRules/><EnableRules/></RuleDefinitions><LocLabels/></RibbonDiffXml>"#;

fn send(package: Package) -> Entity {
    let mut columns = of_kinds(package);
    columns.extend(standing());
    let mut table = table("esc_Send", columns);
    if package >= Package::V7_1 {
        table.keys.push(KeyInfo {
            id: Uuid::nil(),
            logical_name: "esc_bymail".into(),
            schema_name: "esc_ByMail".into(),
            label: label("By mail"),
            columns: vec!["esc_mail".into(), "esc_count".into()],
            status: KeyStatus::Active,
        });
    }
    if package < Package::V7_1 {
        table.change_tracking = false;
    }
    if package < Package::V8_0 {
        table.entity_set = String::new();
    }
    if package < Package::V9_0 {
        table.type_code = 10_001;
    }
    let view = |name: &str, kind| View {
        id: id(name),
        names: label(name),
        descriptions: Label::english(""),
        kind,
        is_default: kind == 0,
        quick_find: kind == 4,
        fetch: Some(tree(
            r#"<fetch version="1.0" mapping="logical"><entity name="esc_send"><attribute name="esc_name"/><order attribute="esc_name" descending="false"/></entity></fetch>"#,
        )),
        layout: Some(tree(
            r#"<grid name="resultset" jump="esc_name" select="1" icon="1" preview="1"><row name="result" id="esc_sendid"><cell name="esc_name" width="300"/></row></grid>"#,
        )),
    };
    Entity {
        table,
        forms: vec![Form {
            id: id("form"),
            kind: "main".into(),
            names: label("Information"),
            descriptions: Label::default(),
            active: true,
            body: tree(FORM),
        }],
        views: vec![view("Active sends", 0), view("Find sends", 4)],
        ribbon: Some(tree(RIBBON)),
    }
}

/// A column added to a table of the platform.
fn contact(package: Package) -> Entity {
    let mut table = table("Contact", Vec::new());
    table.columns = vec![column("esc_Score", ColumnKind::Integer { min: 0, max: 10, format: "None".into() })];
    table.columns[0].number = 1;
    let nothing = Label::default();
    let table = TableInfo {
        is_custom: false,
        ownership: OwnershipType::None,
        primary_name: None,
        has_activities: false,
        has_notes: false,
        change_tracking: false,
        entity_set: String::new(),
        type_code: if package < Package::V9_0 { 2 } else { 0 },
        label: nothing.clone(),
        collection_label: nothing.clone(),
        description: nothing,
        ..table
    };
    Entity { table, forms: Vec::new(), views: Vec::new(), ribbon: None }
}

pub fn manifest(package: Package) -> Manifest {
    let root = |kind, name: &str, behavior| Root {
        kind,
        schema_name: Some(name.to_owned()),
        id: None,
        behavior: if package >= Package::V8_0 { behavior } else { 0 },
    };
    Manifest {
        unique_name: "EmailServiceConnector".into(),
        names: label("Email Service Connector"),
        descriptions: Label::english("Sends"),
        version: "1.2.0.3".into(),
        managed: true,
        package,
        publisher: Publisher {
            unique_name: "esc".into(),
            names: label("ESC"),
            descriptions: Label::default(),
            email: Some("esc@example.com".into()),
            website: None,
            prefix: "esc".into(),
            option_prefix: 27_410,
        },
        roots: vec![
            root(component::ENTITY, "esc_send", 0),
            root(component::ENTITY, "contact", 1),
            Root { kind: component::ROLE, schema_name: None, id: Some(id("role")), behavior: 0 },
        ],
        missing: vec![Missing {
            kind: "1".into(),
            schema_name: Some("campaign".into()),
            id: None,
            display_name: "Campaign".into(),
            solution: "System".into(),
            needed_by: "esc_send".into(),
        }],
    }
}

/// What a server of this version can hold.
pub fn solution(package: Package) -> Solution {
    // Before 2016 the file does not say what navigation properties are called.
    let navigation = |name: &'static str| if package >= Package::V8_0 { name } else { "" };
    let mut one_to_many = vec![
        lookup("esc_send", "esc_contactid", "contact", navigation("esc_ContactId")),
        lookup("esc_send", "esc_aboutid", "account", navigation("esc_AboutId_account")),
        lookup("esc_send", "esc_aboutid", "lead", navigation("esc_AboutId_lead")),
        lookup("esc_send", "esc_whoid", "account", navigation("esc_WhoId_account")),
        lookup("esc_send", "esc_whoid", "contact", navigation("esc_WhoId_contact")),
    ];
    if package < Package::V8_0 {
        one_to_many.iter_mut().for_each(|relation| relation.referenced_navigation.clear());
    }
    let end = |table: &str| End {
        table: table.into(),
        column: format!("{table}id"),
        navigation: "esc_Send_List".into(),
    };
    let map = tree(MAP);
    let apps = package >= Package::V8_2;
    Solution {
        manifest: manifest(package),
        entities: vec![send(package), contact(package)],
        roles: vec![Role {
            id: id("role"),
            name: "Email Marketing Viewer".into(),
            privileges: vec![
                ("prvReadesc_Send".into(), "Global".into()),
                ("prvReadContact".into(), "Basic".into()),
            ],
        }],
        ribbon: None,
        site_map: (!apps).then(|| map.clone()),
        one_to_many,
        many_to_many: vec![ManyToMany {
            id: Uuid::nil(),
            schema_name: "esc_Send_List".into(),
            intersect_table: "esc_send_list".into(),
            first: end("esc_send"),
            second: end("list"),
            is_custom: true,
        }],
        option_sets: vec![set("esc_channel", true, &[(1, "Mail"), (2, "Post")])],
        web_resources: vec![WebResource {
            id: id("resource"),
            name: "esc_/sync.js".into(),
            display_name: "Sync".into(),
            description: String::new(),
            kind: 3,
            content: b"var esc = {};".to_vec(),
        }],
        app_site_maps: if apps {
            vec![AppSiteMap { unique_name: "esc_Mail".into(), names: label("Mail"), body: map }]
        } else {
            Vec::new()
        },
        apps: if apps {
            vec![App {
                unique_name: "esc_Mail".into(),
                names: label("Mail"),
                descriptions: Label::english("Mail"),
                icon: DEFAULT_ICON,
                form_factor: 1,
                client: 4,
                components: vec![Root {
                    kind: component::SITE_MAP,
                    schema_name: Some("esc_Mail".into()),
                    id: None,
                    behavior: 0,
                }],
                roles: vec![id("role")],
            }]
        } else {
            Vec::new()
        },
        languages: vec![1033],
        left_out: Vec::new(),
    }
}
