//! What a CRM says of its own tables, in Dataverse's words: definitions, not rows.
//!
//! The embedded CRM makes this from its schema, the doors write it (EntityDefinitions, CSDL, SOAP `EntityMetadata`), the
//! outside makes read it back. Names: *logical* names are lower case, *schema* names keep their case.
//! Source: dataverse.md A16, A17 and E5; the entity, attribute and relationship metadata types of the SDK.

use std::collections::HashSet;

use uuid::Uuid;

/// An enumeration of the SDK, whose members are called on every wire as they are here.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($word:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($word),+ }

        impl $name {
            /// Its word in definitions, over the Web API and SOAP alike.
            pub fn name(self) -> &'static str {
                match self { $($name::$word => stringify!($word)),+ }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($word) => Some($name::$word),)+ _ => None }
            }
        }
    };
}

/// Every definition of a CRM at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// Rises with every change to any definition.
    pub version: i64,
    pub tables: Vec<TableInfo>,
    pub one_to_many: Vec<OneToMany>,
    pub many_to_many: Vec<ManyToMany>,
    /// The global ones; local ones stand in their columns.
    pub option_sets: Vec<OptionSet>,
    /// The ids of the definitions that came with a managed solution, of whatever kind.
    pub managed: HashSet<Uuid>,
}

/// Texts by language (LCID, such as 1033).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label(pub Vec<(u32, String)>);

/// One table: `EntityMetadata`.
#[derive(Debug, Clone, PartialEq)]
pub struct TableInfo {
    /// `MetadataId`.
    pub id: Uuid,
    pub logical_name: String,
    pub schema_name: String,
    /// The name in URLs: `contacts`.
    pub entity_set: String,
    /// `ObjectTypeCode`.
    pub type_code: i32,
    pub label: Label,
    pub collection_label: Label,
    pub description: Label,
    pub primary_id: String,
    pub primary_name: Option<String>,
    pub ownership: OwnershipType,
    pub is_activity: bool,
    pub is_activity_party: bool,
    pub has_activities: bool,
    pub has_notes: bool,
    pub is_custom: bool,
    pub is_intersect: bool,
    pub is_managed: bool,
    pub change_tracking: bool,
    pub columns: Vec<ColumnInfo>,
    pub keys: Vec<KeyInfo>,
    pub privileges: Vec<PrivilegeInfo>,
}

impl TableInfo {
    /// A table of which only the schema name is known. Its primary column is called as the platform calls it, and no set is named.
    pub fn named(schema_name: &str) -> Self {
        let logical_name = schema_name.to_ascii_lowercase();
        TableInfo {
            id: Uuid::nil(),
            schema_name: schema_name.to_owned(),
            entity_set: String::new(),
            type_code: 0,
            label: Label::default(),
            collection_label: Label::default(),
            description: Label::default(),
            primary_id: format!("{logical_name}id"),
            primary_name: None,
            ownership: OwnershipType::None,
            is_activity: false,
            is_activity_party: false,
            has_activities: false,
            has_notes: false,
            is_custom: false,
            is_intersect: false,
            is_managed: false,
            change_tracking: false,
            columns: Vec::new(),
            keys: Vec::new(),
            privileges: Vec::new(),
            logical_name,
        }
    }
}

words! {
    /// Who owns rows: `OwnershipType`.
    OwnershipType {
        None,
        UserOwned,
        OrganizationOwned,
        BusinessOwned,
    }
}

/// One column: `AttributeMetadata`.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnInfo {
    /// `MetadataId`.
    pub id: Uuid,
    pub logical_name: String,
    pub schema_name: String,
    pub label: Label,
    pub description: Label,
    pub kind: ColumnKind,
    pub required: RequiredLevel,
    pub valid_for_create: bool,
    pub valid_for_update: bool,
    pub valid_for_read: bool,
    pub is_primary_id: bool,
    pub is_primary_name: bool,
    pub is_custom: bool,
    pub is_secured: bool,
    /// The column that this one only shows more of.
    pub attribute_of: Option<String>,
    pub number: i32,
}

words! {
    /// `AttributeRequiredLevel`.
    RequiredLevel {
        None,
        SystemRequired,
        ApplicationRequired,
        Recommended,
    }
}

/// What a column holds, with what only its type has.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnKind {
    Boolean {
        yes: Label,
        no: Label,
        default: bool,
    },
    /// `format`: None, Duration, TimeZone, Language, Locale.
    Integer {
        min: i32,
        max: i32,
        format: String,
    },
    BigInt,
    Decimal {
        min: f64,
        max: f64,
        precision: u8,
    },
    Double {
        min: f64,
        max: f64,
        precision: u8,
    },
    Money {
        min: f64,
        max: f64,
        precision: u8,
        source: u8,
    },
    /// `format`: Text, TextArea, Email, Url, Phone, TickerSymbol, PhoneticGuide. Lengths are UTF-16 units.
    String {
        max_length: u32,
        format: String,
    },
    Memo {
        max_length: u32,
    },
    DateTime {
        date_only: bool,
        behavior: DateTimeBehavior,
    },
    Picklist {
        options: OptionSet,
        default: Option<i32>,
    },
    MultiSelect {
        options: OptionSet,
    },
    State {
        options: OptionSet,
    },
    Status {
        options: OptionSet,
    },
    Lookup {
        targets: Vec<String>,
    },
    Customer {
        targets: Vec<String>,
    },
    Owner {
        targets: Vec<String>,
    },
    PartyList {
        targets: Vec<String>,
    },
    Uniqueidentifier,
    EntityName,
    File {
        max_kb: u32,
    },
    Image {
        max_kb: u32,
    },
    Virtual,
}

words! {
    /// `DateTimeBehavior`.
    DateTimeBehavior {
        UserLocal,
        DateOnly,
        TimeZoneIndependent,
    }
}

/// `OptionSetMetadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionSet {
    pub id: Uuid,
    pub name: String,
    pub is_global: bool,
    pub is_custom: bool,
    pub label: Label,
    pub description: Label,
    pub options: Vec<OptionItem>,
}

/// One option; of a status or state with what only those have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionItem {
    pub value: i32,
    pub label: Label,
    /// A status: the state it belongs to.
    pub state: Option<i32>,
    /// A state: the status a row gets with it.
    pub default_status: Option<i32>,
}

/// An alternate key: `EntityKeyMetadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    pub id: Uuid,
    pub logical_name: String,
    pub schema_name: String,
    pub label: Label,
    pub columns: Vec<String>,
    pub status: KeyStatus,
}

words! {
    /// `EntityKeyIndexStatus`.
    KeyStatus {
        Pending,
        InProgress,
        Active,
        Failed,
    }
}

/// `SecurityPrivilegeMetadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivilegeInfo {
    pub id: Uuid,
    /// `prvReadContact`.
    pub name: String,
    pub kind: PrivilegeKind,
    /// Whether it knows user, business unit and parent-child levels besides the organisation.
    pub levels: bool,
}

words! {
    /// `PrivilegeType`.
    PrivilegeKind {
        Create,
        Read,
        Write,
        Delete,
        Assign,
        Share,
        Append,
        AppendTo,
    }
}

/// `OneToManyRelationshipMetadata`: one lookup column and one of the tables it may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneToMany {
    pub id: Uuid,
    pub schema_name: String,
    pub referenced_table: String,
    pub referenced_column: String,
    pub referencing_table: String,
    pub referencing_column: String,
    /// The single-valued navigation property on the table with the lookup: `parentcustomerid_account`.
    pub referencing_navigation: String,
    /// The collection-valued one on the other table: `contact_customer_accounts`.
    pub referenced_navigation: String,
    pub cascade: Cascade,
    pub is_custom: bool,
}

/// `CascadeConfiguration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cascade {
    pub assign: CascadeType,
    pub delete: CascadeType,
    pub merge: CascadeType,
    pub reparent: CascadeType,
    pub share: CascadeType,
    pub unshare: CascadeType,
}

words! {
    /// `CascadeType`.
    CascadeType {
        NoCascade,
        Cascade,
        Active,
        UserOwned,
        RemoveLink,
        Restrict,
    }
}

/// `ManyToManyRelationshipMetadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManyToMany {
    pub id: Uuid,
    pub schema_name: String,
    pub intersect_table: String,
    pub first: End,
    pub second: End,
    pub is_custom: bool,
}

/// One side of a many-to-many relationship.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub table: String,
    /// The column of the intersect table that names this side's row.
    pub column: String,
    /// The collection-valued navigation property on this side's table.
    pub navigation: String,
}

impl Label {
    /// One text in English (1033), the only language that every organisation has here.
    pub fn english(text: impl Into<String>) -> Self {
        Label(vec![(1033, text.into())])
    }

    /// The English text, else the first one.
    pub fn text(&self) -> Option<&str> {
        let english = self.0.iter().find(|(language, _)| *language == 1033);
        english.or(self.0.first()).map(|(_, text)| text.as_str())
    }
}

impl Default for Cascade {
    /// Nothing travels; a deleted parent leaves its children without one.
    fn default() -> Self {
        let none = CascadeType::NoCascade;
        Cascade {
            assign: none,
            delete: CascadeType::RemoveLink,
            merge: none,
            reparent: none,
            share: none,
            unshare: none,
        }
    }
}

impl Metadata {
    pub fn table(&self, logical_name: &str) -> Option<&TableInfo> {
        self.tables.iter().find(|table| table.logical_name == logical_name)
    }

    pub fn by_entity_set(&self, name: &str) -> Option<&TableInfo> {
        self.tables.iter().find(|table| table.entity_set == name)
    }

    /// The lookups of a table, one entry for each table they may name: `ManyToOneRelationships`.
    pub fn many_to_one_of<'m>(&'m self, table: &'m str) -> impl Iterator<Item = &'m OneToMany> {
        self.one_to_many.iter().filter(move |relation| relation.referencing_table == table)
    }

    /// The lookups that name this table: `OneToManyRelationships`.
    pub fn one_to_many_of<'m>(&'m self, table: &'m str) -> impl Iterator<Item = &'m OneToMany> {
        self.one_to_many.iter().filter(move |relation| relation.referenced_table == table)
    }

    pub fn many_to_many_of<'m>(&'m self, table: &'m str) -> impl Iterator<Item = &'m ManyToMany> {
        let of =
            move |relation: &&ManyToMany| relation.first.table == table || relation.second.table == table;
        self.many_to_many.iter().filter(of)
    }
}

impl TableInfo {
    pub fn column(&self, logical_name: &str) -> Option<&ColumnInfo> {
        self.columns.iter().find(|column| column.logical_name == logical_name)
    }
}
