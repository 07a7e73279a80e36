//! The managed properties: what may be changed of a definition that came with a managed solution.

use postroom_core::metadata::Label;
use serde_json::Value;
use uuid::Uuid;

use super::labels;
use super::node::Node;
use super::tables::INTRODUCED;
use super::types::Member;
use crate::schema::names;

/// One managed property: its logical name, the type that it is about, and the member that it opens.
#[derive(Debug)]
pub(crate) struct Property {
    pub(super) name: &'static str,
    entity: &'static str,
    member: &'static str,
}

const fn of(name: &'static str, entity: &'static str, member: &'static str) -> Property {
    Property { name, entity, member }
}

const ALL: &[Property] = &[
    of("canmodifyauditsettings", "Entity", "IsAuditEnabled"),
    of("canmodifyconnectionsettings", "Entity", "IsConnectionsEnabled"),
    of("canmodifyduplicatedetectionsettings", "Entity", "IsDuplicateDetectionEnabled"),
    of("canmodifymailmergesettings", "Entity", "IsMailMergeEnabled"),
    of("canmodifymobilevisibility", "Entity", "IsVisibleInMobile"),
    of("canmodifyqueuesettings", "Entity", "IsValidForQueue"),
    of("cancreateattributes", "Entity", "CanCreateAttributes"),
    of("cancreateforms", "Entity", "CanCreateForms"),
    of("cancreateviews", "Entity", "CanCreateViews"),
    of("cancreatecharts", "Entity", "CanCreateCharts"),
    of("canbeinmanytomany", "Entity", "CanBeInManyToMany"),
    of("canmodifyrequirementlevelsettings", "Attribute", "RequiredLevel"),
    of("canmodifysearchsettings", "Attribute", "IsValidForAdvancedFind"),
    of("canmodifyadditionalsettings", "Attribute", "CanModifyAdditionalSettings"),
    of("iscustomizable", "Entity", "IsCustomizable"),
    of("isrenameable", "Entity", "IsRenameable"),
];

pub(super) fn all<'m>() -> Vec<Node<'m>> {
    ALL.iter().map(Node::Managed).collect()
}

impl Property {
    pub(super) fn id(&self) -> Uuid {
        crate::definitions::id("managedproperty", self.name)
    }

    pub(super) fn member(&self, member: &Member) -> Option<Value> {
        Some(match member.name {
            "DisplayName" => labels::json(&Label::english(names::words(self.member))),
            "EnablesAttributeName" => self.member.into(),
            "EnablesEntityName" => self.entity.into(),
            "EvaluationPriority" => "Normal".into(),
            "IntroducedVersion" => INTRODUCED.into(),
            "LogicalName" => self.name.into(),
            "ManagedPropertyType" => "Attribute".into(),
            "Operation" => "Update".into(),
            _ => return None,
        })
    }
}
