//! A column: `attribute`, and the option sets that columns share.

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, DateTimeBehavior, Label, OptionItem, OptionSet, RequiredLevel,
};
use uuid::Uuid;

use super::tree::{self, descriptions, display_names, flag, is_set, label, leaf, needed, new, wrong};
use super::{Error, Package};
use crate::xml::Element;

pub(super) const INTRODUCED: &str = "1.0.0.0";
/// Formats of texts and whole numbers, in the words of `ColumnKind`; files have them in lower case.
const TEXTS: &[&str] = &["Text", "TextArea", "Email", "Url", "Phone", "TickerSymbol", "PhoneticGuide"];
const NUMBERS: &[&str] = &["Duration", "TimeZone", "Language", "Locale"];
/// What a memo, a file and an image hold when a file does not say it.
const MEMO: u32 = 2000;
const FILE_KB: u32 = 32_768;

pub(super) fn write(table: &str, column: &ColumnInfo, package: Package) -> Result<Element, Error> {
    let of = format!("the column {table}.{}", column.logical_name);
    let own = column.is_custom && !column.is_primary_id;
    let mut element = new("attribute")
        .attribute("PhysicalName", &column.schema_name)
        .with(leaf("Type", kind_name(&column.kind, column.is_primary_id)))
        .with(leaf("Name", column.logical_name.as_str()))
        .with(leaf("LogicalName", column.logical_name.as_str()))
        .with(leaf("RequiredLevel", required_name(column.required)))
        .with(leaf("DisplayMask", display_mask(column)))
        .with(leaf("ImeMode", "auto"))
        .with(flag("ValidForUpdateApi", column.valid_for_update))
        .with(flag("ValidForReadApi", column.valid_for_read))
        .with(flag("ValidForCreateApi", column.valid_for_create))
        .with(flag("IsCustomField", own))
        .with(flag("IsAuditEnabled", false))
        .with(flag("IsSecured", column.is_secured))
        .with(leaf("IntroducedVersion", INTRODUCED));
    let flags =
        ["IsCustomizable", "IsRenameable", "CanModifySearchSettings", "CanModifyRequirementLevelSettings"];
    element =
        element.with_all(flags.map(|name| flag(name, true))).with(flag("CanModifyAdditionalSettings", true));
    if package >= Package::V9_0 {
        element = element.with(leaf("SourceType", "0"));
    }
    Ok(element
        .with_all(details(&of, column, package)?)
        .with(display_names(&column.label))
        .with(descriptions(&column.description)))
}

fn display_mask(column: &ColumnInfo) -> &'static str {
    match (column.is_primary_id, column.is_primary_name) {
        (true, _) => "ValidForAdvancedFind|RequiredForGrid",
        (_, true) => "PrimaryName|ValidForAdvancedFind|ValidForForm|ValidForGrid|RequiredForForm",
        _ => "ValidForAdvancedFind|ValidForForm|ValidForGrid",
    }
}

fn required_name(level: RequiredLevel) -> &'static str {
    match level {
        RequiredLevel::None => "none",
        RequiredLevel::SystemRequired => "systemrequired",
        RequiredLevel::ApplicationRequired => "required",
        RequiredLevel::Recommended => "recommended",
    }
}

fn kind_name(kind: &ColumnKind, key: bool) -> &'static str {
    match kind {
        ColumnKind::Uniqueidentifier if key => "primarykey",
        ColumnKind::Uniqueidentifier => "uniqueidentifier",
        ColumnKind::Boolean { .. } => "bit",
        ColumnKind::Integer { .. } => "int",
        ColumnKind::BigInt => "bigint",
        ColumnKind::Decimal { .. } => "decimal",
        ColumnKind::Double { .. } => "float",
        ColumnKind::Money { .. } => "money",
        ColumnKind::String { .. } | ColumnKind::EntityName => "nvarchar",
        ColumnKind::Memo { .. } => "ntext",
        ColumnKind::DateTime { .. } => "datetime",
        ColumnKind::Picklist { .. } => "picklist",
        ColumnKind::MultiSelect { .. } => "multiselectpicklist",
        ColumnKind::State { .. } => "state",
        ColumnKind::Status { .. } => "status",
        ColumnKind::Lookup { .. } => "lookup",
        ColumnKind::Customer { .. } => "customer",
        ColumnKind::Owner { .. } => "owner",
        ColumnKind::PartyList { .. } => "partylist",
        ColumnKind::File { .. } => "file",
        ColumnKind::Image { .. } => "image",
        ColumnKind::Virtual => "virtual",
    }
}

/// What only columns of its type have.
fn details(of: &str, column: &ColumnInfo, package: Package) -> Result<Vec<Element>, Error> {
    let since = |first: Package, why| match package >= first {
        true => Ok(()),
        false => Err(Error::TooOld { component: of.to_owned(), package, why }),
    };
    let number = |name: &str, number: f64| leaf(name, number.to_string());
    Ok(match &column.kind {
        ColumnKind::String { max_length, format } => vec![
            leaf("Format", format.to_ascii_lowercase()),
            leaf("MaxLength", max_length.to_string()),
            leaf("Length", max_length.to_string()),
        ],
        ColumnKind::EntityName => vec![leaf("Format", "text"), leaf("MaxLength", "64")],
        ColumnKind::Memo { max_length } => {
            vec![leaf("Format", "textarea"), leaf("MaxLength", max_length.to_string())]
        }
        ColumnKind::Integer { min, max, format } => vec![
            leaf("Format", if format == "None" { String::new() } else { format.to_ascii_lowercase() }),
            leaf("MinValue", min.to_string()),
            leaf("MaxValue", max.to_string()),
        ],
        ColumnKind::Decimal { min, max, precision } | ColumnKind::Double { min, max, precision } => {
            vec![number("MinValue", *min), number("MaxValue", *max), leaf("Accuracy", precision.to_string())]
        }
        ColumnKind::Money { min, max, precision, source } => vec![
            number("MinValue", *min),
            number("MaxValue", *max),
            leaf("Accuracy", precision.to_string()),
            leaf("AccuracySource", source.to_string()),
        ],
        ColumnKind::DateTime { date_only, behavior } => {
            let mut all = vec![leaf("Format", if *date_only { "date" } else { "datetime" })];
            if *behavior != DateTimeBehavior::UserLocal {
                since(Package::V7_1, "times that are not those of the user came with 7.1")?;
            }
            if package >= Package::V8_0 {
                all.push(leaf("Behavior", (*behavior as u8 + 1).to_string()));
            }
            all
        }
        ColumnKind::Boolean { yes, no, default } => {
            let item = |value: i32, label: &Label| OptionItem {
                value,
                label: label.clone(),
                state: None,
                default_status: None,
            };
            let name = format!("{}_{}", column.schema_name.to_ascii_lowercase(), "bit");
            let options = vec![item(1, yes), item(0, no)];
            let set = OptionSet { options, ..unnamed(name, column.label.clone()) };
            vec![flag("AppDefaultValue", *default), option_set(&set, "bit")]
        }
        ColumnKind::Picklist { options, default } => {
            let default = leaf("AppDefaultValue", default.unwrap_or(-1).to_string());
            vec![default, chosen(options)]
        }
        ColumnKind::MultiSelect { options } => {
            since(Package::V9_0, "columns with several choices came with 9.0")?;
            vec![leaf("AppDefaultValue", "-1"), chosen(options)]
        }
        ColumnKind::State { options } => vec![option_set(options, "state")],
        ColumnKind::Status { options } => vec![option_set(options, "status")],
        ColumnKind::Lookup { .. } | ColumnKind::Customer { .. } => {
            vec![leaf("LookupStyle", "single"), new("LookupTypes")]
        }
        ColumnKind::Owner { .. } => vec![leaf("LookupStyle", "single"), owners()],
        ColumnKind::PartyList { .. } => vec![leaf("LookupStyle", "multi"), new("LookupTypes")],
        ColumnKind::File { max_kb } => {
            since(Package::V9_2, "file columns came with 9.1")?;
            vec![leaf("MaxSizeInKB", max_kb.to_string())]
        }
        ColumnKind::Image { max_kb } if package >= Package::V9_2 => {
            vec![leaf("MaxSizeInKB", max_kb.to_string())]
        }
        ColumnKind::Image { .. }
        | ColumnKind::BigInt
        | ColumnKind::Uniqueidentifier
        | ColumnKind::Virtual => Vec::new(),
    })
}

/// The type codes of users and teams.
fn owners() -> Element {
    let one = |code: &str| leaf("LookupType", code).attribute("id", Uuid::nil().to_string());
    new("LookupTypes").with(one("8")).with(one("9"))
}

fn chosen(options: &OptionSet) -> Element {
    match options.is_global {
        true => leaf("OptionSetName", options.name.as_str()),
        false => option_set(options, "picklist"),
    }
}

fn unnamed(name: String, label: Label) -> OptionSet {
    OptionSet {
        id: Uuid::nil(),
        name,
        is_global: false,
        is_custom: true,
        label,
        description: Label::default(),
        options: Vec::new(),
    }
}

/// `optionset`; `kind` is picklist, state, status or bit.
pub(super) fn option_set(set: &OptionSet, kind: &str) -> Element {
    let (list, item) = match kind {
        "state" => ("states", "state"),
        "status" => ("statuses", "status"),
        _ => ("options", "option"),
    };
    let one = |option: &OptionItem| {
        let mut element = new(item).attribute("value", option.value.to_string());
        if kind == "state" {
            element = element
                .attribute("defaultstatus", option.default_status.unwrap_or(option.value).to_string())
                .attribute("invariantname", option.label.text().unwrap_or_default());
        }
        if let Some(state) = option.state {
            element = element.attribute("state", state.to_string());
        }
        element.with(tree::labels("labels", "label", &option.label))
    };
    let mut element = new("optionset").attribute("Name", &set.name);
    if set.is_global {
        element = element.attribute("localizedName", set.label.text().unwrap_or(&set.name));
    }
    element
        .with(leaf("OptionSetType", kind))
        .with(flag("IsGlobal", set.is_global))
        .with(leaf("IntroducedVersion", INTRODUCED))
        .with(flag("IsCustomizable", true))
        .with(display_names(&set.label))
        .with(descriptions(&set.description))
        .with(new(list).with_all(set.options.iter().map(one)))
}

pub(super) fn read(table: &str, element: &Element) -> Result<ColumnInfo, Error> {
    let physical = element.get("PhysicalName").unwrap_or_default();
    let of = format!("the column {table}.{physical}");
    if physical.is_empty() {
        return Err(Error::Missing { component: of, element: "PhysicalName" });
    }
    let logical = element.text_of("LogicalName").or(element.text_of("Name")).unwrap_or(physical);
    let mask = element.text_of("DisplayMask").unwrap_or_default();
    let kind = needed(element, "Type", &of)?;
    let label = label(element, "displaynames");
    Ok(ColumnInfo {
        id: Uuid::nil(),
        logical_name: logical.to_ascii_lowercase(),
        schema_name: physical.to_owned(),
        kind: read_kind(&of, kind, element, &label)?,
        label,
        description: tree::label(element, "Descriptions"),
        required: required(element.text_of("RequiredLevel").unwrap_or("none")),
        valid_for_create: is_set(element, "ValidForCreateApi"),
        valid_for_update: is_set(element, "ValidForUpdateApi"),
        valid_for_read: is_set(element, "ValidForReadApi"),
        is_primary_id: kind == "primarykey",
        is_primary_name: mask.split('|').any(|part| part == "PrimaryName"),
        is_custom: is_set(element, "IsCustomField"),
        is_secured: is_set(element, "IsSecured"),
        attribute_of: element.text_of("AttributeOf").map(str::to_ascii_lowercase),
        number: 0,
    })
}

fn required(word: &str) -> RequiredLevel {
    match word {
        "systemrequired" => RequiredLevel::SystemRequired,
        "required" | "applicationrequired" => RequiredLevel::ApplicationRequired,
        "recommended" => RequiredLevel::Recommended,
        _ => RequiredLevel::None,
    }
}

fn word(given: Option<&str>, words: &[&str], otherwise: &str) -> String {
    let known = words.iter().find(|word| given.is_some_and(|given| word.eq_ignore_ascii_case(given)));
    known.copied().unwrap_or(otherwise).to_owned()
}

fn read_kind(of: &str, kind: &str, element: &Element, label: &Label) -> Result<ColumnKind, Error> {
    let format = element.text_of("Format");
    let length = || tree::number::<u32>(element, "MaxLength", of);
    let bounds = |most: f64| -> Result<(f64, f64, u8), Error> {
        let min = tree::number(element, "MinValue", of)?.unwrap_or(-most);
        let max = tree::number(element, "MaxValue", of)?.unwrap_or(most);
        Ok((min, max, tree::number(element, "Accuracy", of)?.unwrap_or(2)))
    };
    Ok(match kind {
        "primarykey" | "uniqueidentifier" => ColumnKind::Uniqueidentifier,
        "nvarchar" | "varchar" | "nchar" | "char" | "phoneticguide" => {
            ColumnKind::String { max_length: length()?.unwrap_or(100), format: word(format, TEXTS, "Text") }
        }
        "ntext" | "text" => ColumnKind::Memo { max_length: length()?.unwrap_or(MEMO) },
        "int" | "smallint" | "tinyint" | "timezone" => ColumnKind::Integer {
            min: tree::number(element, "MinValue", of)?.unwrap_or(i32::MIN),
            max: tree::number(element, "MaxValue", of)?.unwrap_or(i32::MAX),
            format: word(format, NUMBERS, "None"),
        },
        "bigint" | "timestamp" => ColumnKind::BigInt,
        "decimal" | "numeric" => {
            let (min, max, precision) = bounds(100_000_000_000.0)?;
            ColumnKind::Decimal { min, max, precision }
        }
        "float" | "real" => {
            let (min, max, precision) = bounds(100_000_000_000.0)?;
            ColumnKind::Double { min, max, precision }
        }
        "money" | "smallmoney" => {
            let (min, max, precision) = bounds(922_337_203_685_477.0)?;
            let source = tree::number(element, "AccuracySource", of)?.unwrap_or(2);
            ColumnKind::Money { min, max, precision, source }
        }
        "datetime" | "smalldatetime" => ColumnKind::DateTime {
            date_only: format == Some("date"),
            behavior: match element.text_of("Behavior") {
                Some("2") => DateTimeBehavior::DateOnly,
                Some("3") => DateTimeBehavior::TimeZoneIndependent,
                _ => DateTimeBehavior::UserLocal,
            },
        },
        "bit" | "picklist" | "multiselectpicklist" | "state" | "status" => choice(of, kind, element, label)?,
        "lookup" => ColumnKind::Lookup { targets: Vec::new() },
        "customer" => ColumnKind::Customer { targets: ["account", "contact"].map(str::to_owned).into() },
        "owner" => ColumnKind::Owner { targets: ["systemuser", "team"].map(str::to_owned).into() },
        "partylist" => ColumnKind::PartyList { targets: Vec::new() },
        "file" | "image" => {
            let max_kb = tree::number(element, "MaxSizeInKB", of)?.unwrap_or(FILE_KB);
            if kind == "file" { ColumnKind::File { max_kb } } else { ColumnKind::Image { max_kb } }
        }
        "virtual" | "managedproperty" | "HierarchyId" | "binary" | "varbinary" | "sql_variant" => {
            ColumnKind::Virtual
        }
        other => return Err(wrong(of, "Type", other)),
    })
}

fn choice(of: &str, kind: &str, element: &Element, label: &Label) -> Result<ColumnKind, Error> {
    let options = match (element.child("optionset"), element.text_of("OptionSetName")) {
        (Some(set), _) => read_option_set(set)?,
        (None, Some(name)) => OptionSet { is_global: true, ..unnamed(name.to_owned(), label.clone()) },
        (None, None) => unnamed(String::new(), label.clone()),
    };
    let default: Option<i32> = tree::number(element, "AppDefaultValue", of)?;
    Ok(match kind {
        "bit" => {
            let named = |value: i32, otherwise: &str| {
                let option = options.options.iter().find(|option| option.value == value);
                option.map_or_else(|| Label::english(otherwise), |option| option.label.clone())
            };
            ColumnKind::Boolean { yes: named(1, "Yes"), no: named(0, "No"), default: default == Some(1) }
        }
        "multiselectpicklist" => ColumnKind::MultiSelect { options },
        "state" => ColumnKind::State { options },
        "status" => ColumnKind::Status { options },
        _ => ColumnKind::Picklist { options, default: default.filter(|default| *default >= 0) },
    })
}

/// A global one when it says so.
pub(super) fn read_option_set(element: &Element) -> Result<OptionSet, Error> {
    let name = element.get("Name").unwrap_or_default();
    let of = format!("the option set {name}");
    let lists = ["options", "states", "statuses"].into_iter().filter_map(|list| element.child(list));
    let options = lists.flat_map(|list| &list.children).map(|item| read_option(&of, item));
    let mut label = tree::label(element, "displaynames");
    if let Some(text) = element.get("localizedName").filter(|_| label.0.is_empty()) {
        label = Label::english(text);
    }
    Ok(OptionSet {
        is_global: is_set(element, "IsGlobal"),
        description: tree::label(element, "Descriptions"),
        options: options.collect::<Result<_, _>>()?,
        ..unnamed(name.to_owned(), label)
    })
}

fn read_option(of: &str, item: &Element) -> Result<OptionItem, Error> {
    let number = |name: &str| {
        item.get(name).map(|text| text.parse().map_err(|_| wrong(of, "option", text))).transpose()
    };
    let value =
        number("value")?.ok_or_else(|| Error::Missing { component: of.to_owned(), element: "value" })?;
    let default_status = if item.name.local == "state" { number("defaultstatus")? } else { None };
    Ok(OptionItem { value, label: tree::label(item, "labels"), state: number("state")?, default_status })
}
