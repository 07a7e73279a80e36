//! The SOAP door: texts as values, names, aliases and operators of its three kinds of query, and as attributes of rows.

use postroom_formats::soap::envelope::Soap;
use uuid::Uuid;

use super::{HOSTILE, all, census, escaped};
use crate::bench::{On, on_both};
use crate::soapdoor::{NS, SoapBench, entity, named, text};

on_both!(texts_are_found_as_they_are, names_are_names);

fn expression(condition: &str) -> String {
    format!(
        "<query i:type=\"b:QueryExpression\"><b:ColumnSet><b:AllColumns>false</b:AllColumns><b:Columns/></b:ColumnSet>\
         <b:Criteria><b:Conditions>{condition}</b:Conditions><b:FilterOperator>And</b:FilterOperator><b:Filters/></b:Criteria>\
         <b:Distinct>false</b:Distinct><b:EntityName>contact</b:EntityName><b:LinkEntities/><b:Orders/></query>"
    )
}

fn condition(column: &str, operator: &str, value: &str) -> String {
    format!(
        "<b:ConditionExpression><b:AttributeName>{column}</b:AttributeName><b:Operator>{operator}</b:Operator><b:Values>\
         <arr:anyType i:type=\"d:string\">{value}</arr:anyType></b:Values></b:ConditionExpression>"
    )
}

async fn texts_are_found_as_they_are(on: On) {
    let bench = SoapBench::new(on).await;
    bench.create(&entity("contact", Uuid::nil(), &text("lastname", "Bystander"))).await;
    for hostile in HOSTILE {
        let value = escaped(hostile);
        let id = bench.create(&entity("contact", Uuid::nil(), &text("lastname", &value))).await;
        let row = bench.retrieve("contact", id, &["lastname"]).await;
        assert_eq!(named(&row, "lastname").as_deref(), Some(*hostile));
        let plain: String = hostile
            .chars()
            .map(|c| if "%_[".contains(c) { format!("[{c}]") } else { c.to_string() })
            .collect();
        let by_attribute = format!(
            "<query i:type=\"b:QueryByAttribute\"><b:Attributes><arr:string>lastname</arr:string></b:Attributes><b:ColumnSet>\
             <b:AllColumns>false</b:AllColumns><b:Columns/></b:ColumnSet><b:EntityName>contact</b:EntityName><b:Orders/>\
             <b:Values><arr:anyType i:type=\"d:string\">{value}</arr:anyType></b:Values></query>"
        );
        let asks = [
            expression(&condition("lastname", "Equal", &value)),
            expression(&condition("lastname", "Like", &escaped(&plain))),
            expression(&condition("lastname", "Contains", &value)),
            by_attribute,
        ];
        for ask in asks {
            let found: Vec<Uuid> = bench.rows(&ask).await.entities.iter().map(|row| row.id).collect();
            assert_eq!(found, [id], "{hostile:?} by {ask}");
        }
        let delete = format!("<Delete {NS}><entityName>contact</entityName><id>{id}</id></Delete>");
        assert_eq!(bench.ask(Soap::V11, &delete).await.status, 200);
    }
}

async fn names_are_names(on: On) {
    let bench = SoapBench::new(on).await;
    bench.create(&entity("contact", Uuid::nil(), &text("lastname", "Bystander"))).await;
    let before = census(&bench.bench).await;
    let many = |query: String| format!("<RetrieveMultiple {NS}>{query}</RetrieveMultiple>");
    for hostile in all() {
        let value = escaped(&hostile);
        let asks = [
            many(expression(&condition(&value, "Equal", "x"))),
            many(expression(&condition("lastname", &value, "x"))),
            many(expression(&condition("numberofchildren", "Equal", &value))),
            many(expression(&condition("createdon", "On", &value))),
            many(expression("").replace("<b:EntityName>contact<", &format!("<b:EntityName>{value}<"))),
            many(expression("").replace(
                "<b:Orders/>",
                &format!(
                    "<b:Orders><b:OrderExpression><b:AttributeName>{value}</b:AttributeName><b:OrderType>Ascending</b:OrderType>\
                     </b:OrderExpression></b:Orders>"
                ),
            )),
            many(expression("").replace("<b:Columns/>", &format!("<b:Columns><arr:string>{value}</arr:string></b:Columns>"))),
            many(expression("").replace(
                "<b:Orders/>",
                &format!(
                    "<b:Orders/><b:PageInfo><b:Count>1</b:Count><b:PageNumber>2</b:PageNumber><b:PagingCookie>{value}\
                     </b:PagingCookie></b:PageInfo>"
                ),
            )),
            many(expression("").replace(
                "<b:LinkEntities/>",
                &format!(
                    "<b:LinkEntities><b:LinkEntity><b:Columns><b:AllColumns>true</b:AllColumns></b:Columns><b:EntityAlias>{value}\
                     </b:EntityAlias><b:JoinOperator>LeftOuter</b:JoinOperator><b:LinkEntities/>\
                     <b:LinkFromAttributeName>parentcustomerid</b:LinkFromAttributeName>\
                     <b:LinkFromEntityName>contact</b:LinkFromEntityName><b:LinkToAttributeName>accountid</b:LinkToAttributeName>\
                     <b:LinkToEntityName>account</b:LinkToEntityName></b:LinkEntity></b:LinkEntities>"
                ),
            )),
            many(format!("<query i:type=\"b:FetchExpression\"><b:Query>{value}</b:Query></query>")),
            format!("<Retrieve {NS}><entityName>{value}</entityName><id>{}</id><columnSet/></Retrieve>", Uuid::nil()),
            format!("<Delete {NS}><entityName>contact</entityName><id>{value}</id></Delete>"),
            format!("<Create {NS}><entity>{}</entity></Create>", entity("contact", Uuid::nil(), &text(&value, "x"))),
            format!("<Create {NS}><entity>{}</entity></Create>", entity(&value, Uuid::nil(), &text("name", "x"))),
            format!(
                "<Associate {NS}><entityName>contact</entityName><entityId>{}</entityId><relationship><b:SchemaName>{value}\
                 </b:SchemaName></relationship><relatedEntities/></Associate>",
                Uuid::nil()
            ),
            crate::soapdoor::message(&value, ""),
            crate::soapdoor::message("RetrieveEntity", &text("LogicalName", &value)),
        ];
        for ask in asks {
            let answer = bench.ask(Soap::V11, &ask).await;
            if answer.status != 200 {
                let fault = answer.fault();
                assert!(!fault.message.is_empty(), "{ask}");
                assert!(!unhandled(&fault), "{:.900}: {fault:?}", ask.replace(NS, ""));
            }
        }
    }
    assert_eq!(census(&bench.bench).await, before);
}

/// `UnExpected`: something broke.
fn unhandled(fault: &postroom_formats::soap::fault::Fault) -> bool {
    fault.code == 0x8004_0216_u32.cast_signed()
}
