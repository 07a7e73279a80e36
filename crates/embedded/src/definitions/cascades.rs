//! What happens to the rows that name a row in a lookup, where nobody said otherwise: `CascadeConfiguration` of the standard
//! relationships, and of those that every table made at run time comes with.
//!
//! Source: the entity reference of the product (the pages of account, contact and opportunity, read relationship by
//! relationship; what they do not show follows the same pattern). Relationships made at run time keep what they were made
//! with (`relations`).

use postroom_core::metadata::{Cascade, CascadeType};

use crate::schema::{Column, Table};

/// Parts that stand and fall with the row they belong to, and have no life of their own: table, column.
pub(crate) const PARTS: &[(&str, &str)] = &[
    ("activityparty", "activityid"),
    ("activitymimeattachment", "objectid"),
    ("queueitem", "objectid"),
    ("queueitem", "queueid"),
    ("listmember", "listid"),
    ("listmember", "entityid"),
    ("fieldpermission", "fieldsecurityprofileid"),
];
/// Tables whose rows are merged: what names the one names the other from then on.
const MERGED: &[&str] = &["account", "contact", "lead", "incident"];
/// Lookups about the rows themselves: merging leaves them alone.
const OWN: &[&str] = &["masterid", "existingcase", "parentcaseid"];
/// Lookups of who owns a row or of its currency: what they name stays as long as the row does.
const HOLDERS: &[&str] = &["transactioncurrencyid", "owningbusinessunit", "owningteam"];
/// Customers of these keep their record: it is a document.
const DOCUMENTS: &[&str] = &["salesorder", "invoice"];

const NONE: CascadeType = CascadeType::NoCascade;
const ALL: CascadeType = CascadeType::Cascade;

/// The children share everything: the platform's *Parental*.
const PARENTAL: Cascade =
    Cascade { assign: ALL, delete: ALL, merge: ALL, reparent: ALL, share: ALL, unshare: ALL };
/// Only the deletion travels.
const PART: Cascade = deleted(ALL);

const fn deleted(delete: CascadeType) -> Cascade {
    Cascade { assign: NONE, delete, merge: NONE, reparent: NONE, share: NONE, unshare: NONE }
}

/// The cascade of `table.column` for rows of `target`.
pub(super) fn usual(table: &Table, column: &Column, target: &Table) -> Cascade {
    let cascade = by_name(table, column, target);
    let merges = MERGED.contains(&target.name.as_str()) && !OWN.contains(&column.name.as_str());
    let merge = if merges && !column.read_only { ALL } else { NONE };
    Cascade { merge, ..cascade }
}

fn by_name(table: &Table, column: &Column, target: &Table) -> Cascade {
    let (name, of) = (column.name.as_str(), table.name.as_str());
    if PARTS.contains(&(of, name)) {
        return PART;
    }
    match (of, name) {
        // A pointer shows an activity; it has no rows of its own.
        ("activitypointer", "regardingobjectid") => deleted(CascadeType::RemoveLink),
        // What is said of a job, and who takes part in an activity, outlives the row.
        ("asyncoperation", "regardingobjectid") | ("activityparty", "partyid") => deleted(NONE),
        ("activitymimeattachment", "activityid") => deleted(NONE),
        ("annotation", "objectid") | ("contact", "parentcustomerid") => PARENTAL,
        (_, "regardingobjectid") if table.activity => PARENTAL,
        ("account", "parentaccountid") => Cascade { delete: CascadeType::RemoveLink, ..PARENTAL },
        (_, "customerid") if DOCUMENTS.contains(&of) => Cascade { delete: CascadeType::Restrict, ..PARENTAL },
        ("lead" | "opportunity" | "incident" | "quote" | "contract", "customerid") => PARENTAL,
        ("contract", "billingcustomerid") | ("invoice", "opportunityid") => deleted(CascadeType::Restrict),
        ("quote", "opportunityid") => Cascade { assign: ALL, ..PART },
        ("salesorder", "opportunityid") => Cascade { assign: ALL, ..deleted(CascadeType::Restrict) },
        ("connection", "record1id" | "record2id") => PART,
        ("email", "emailsender" | "sendersaccount") => deleted(CascadeType::RemoveLink),
        ("businessunit", "parentbusinessunitid") | ("systemuser" | "team", "businessunitid") => {
            deleted(CascadeType::Restrict)
        }
        ("solution", "publisherid") => deleted(CascadeType::Restrict),
        _ if HOLDERS.contains(&name) && target.name != "systemuser" => deleted(CascadeType::Restrict),
        // Rows do not lose who made or owns them: such a row is not deleted.
        _ if column.required || column.read_only => deleted(NONE),
        _ => deleted(CascadeType::RemoveLink),
    }
}

#[cfg(test)]
mod tests {
    use crate::definitions::metadata;
    use crate::schema::Schema;

    #[track_caller]
    fn check(name: &str, words: [&str; 6]) {
        let schema = Schema::new(1, Schema::standard());
        let all = metadata(&schema);
        let found = all.one_to_many.iter().find(|relation| relation.schema_name == name);
        let cascade = found.unwrap_or_else(|| panic!("no relationship {name}")).cascade;
        assert_eq!(super::super::relations::cascade_words(cascade), words, "{name}");
    }

    #[test]
    fn as_the_entity_reference_has_them() {
        const C: &str = "Cascade";
        const N: &str = "NoCascade";
        // assign, delete, merge, reparent, share, unshare
        check("contact_customer_accounts", [C, C, C, C, C, C]);
        check("account_parent_account", [C, "RemoveLink", C, C, C, C]);
        check("account_master_account", [N, "RemoveLink", N, N, N, N]);
        check("Account_Emails", [C, C, C, C, C, C]);
        check("Opportunity_Emails", [C, C, N, C, C, C]);
        check("Opportunity_Annotation", [C, C, N, C, C, C]);
        check("opportunity_customer_accounts", [C, C, C, C, C, C]);
        check("invoice_customer_accounts", [C, "Restrict", C, C, C, C]);
        check("contract_billingcustomer_accounts", [N, "Restrict", C, N, N, N]);
        check("opportunity_quotes", [C, C, N, N, N, N]);
        check("opportunity_invoices", [N, "Restrict", N, N, N, N]);
        check("opportunity_sales_orders", [C, "Restrict", N, N, N, N]);
        check("account_connections1", [N, C, C, N, N, N]);
        check("opportunity_parent_account", [N, "RemoveLink", C, N, N, N]);
        check("transactioncurrency_account", [N, "Restrict", N, N, N, N]);
        check("email_activity_parties", [N, C, N, N, N, N]);
    }
}
