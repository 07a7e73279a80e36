//! POST, PUT and DELETE of definitions. Each is one durable unit, and known to every process at once: there is nothing left
//! to publish.

use http::{Method, StatusCode};
use postroom_core::metadata::{ColumnInfo, Metadata, TableInfo};
use serde_json::{Map, Value};

use super::body::{self, Body};
use super::node::Node;
use super::place::{self, At, Place};
use super::read::{noun, reply};
use super::{current, evaluate};
use crate::solutions;
use crate::webapi::call::Call;
use crate::webapi::{Problem, Reply, in_solution, read};

pub(super) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    // In a batch, what an earlier request made is there already.
    let metadata = current(call).await?;
    let place = place::find(&metadata, &call.path.segments, &call.options)?;
    let verb = match call.method {
        Method::POST => "Create",
        Method::PUT => "Write",
        Method::DELETE => "Delete",
        _ => return Err(Problem::method(&call.method)),
    };
    let noun = noun(place.kind).ok_or_else(|| Problem::method(&call.method))?;
    call.session.check_misc(&format!("prv{verb}{noun}")).await?;
    solution(call, in_solution::header(call)).await?;
    match (&call.method, &place.at) {
        (&Method::POST, At::List(_)) => create(call, &metadata, &place).await,
        (&Method::PUT, At::One(node)) => update(call, *node).await,
        (&Method::DELETE, At::One(node)) => delete(call, *node).await,
        _ => Err(Problem::method(&call.method)),
    }
}

/// Refuses a solution that is not there or cannot be added to.
pub(super) async fn solution(call: &Call<'_>, name: Option<&str>) -> Result<(), Problem> {
    match name {
        Some(name) => Ok(solutions::named(&call.session, name).await?),
        None => Ok(()),
    }
}

async fn create(call: &Call<'_>, metadata: &Metadata, place: &Place<'_>) -> Result<Reply, Problem> {
    let crm = call.session.crm();
    let body = body::object(&call.body)?;
    let of_table = || match place.parent {
        Some(Node::Table(table)) => Ok(table),
        _ => Err(Problem::method(&call.method)),
    };
    let unfound = || Problem::bad("What was made is gone already");
    match place.kind.name {
        "EntityMetadata" => {
            let info = body::table(metadata, &body)?;
            let name = info.schema_name.to_ascii_lowercase();
            crm.create_tables(vec![info]).await?;
            let now = current(call).await?;
            created(call, &now, Node::Table(now.table(&name).ok_or_else(unfound)?), None).await
        }
        "EntityKeyMetadata" => {
            let table = of_table()?;
            let info = body::key(&body)?;
            let name = info.schema_name.to_ascii_lowercase();
            crm.create_key(&table.logical_name, info).await?;
            let now = current(call).await?;
            let table = now.table(&table.logical_name).ok_or_else(unfound)?;
            let key = table.keys.iter().find(|key| key.logical_name == name).ok_or_else(unfound)?;
            created(call, &now, Node::Key(table, key), Some(table)).await
        }
        "RelationshipMetadataBase" | "OneToManyRelationshipMetadata" | "ManyToManyRelationshipMetadata" => {
            relationship(call, metadata, place, &body).await
        }
        "OptionSetMetadataBase" | "OptionSetMetadata" => {
            let info = body::option_set(&body)?;
            let name = info.name.clone();
            crm.create_option_set(info).await?;
            let now = current(call).await?;
            let set = now.option_sets.iter().find(|set| set.name.eq_ignore_ascii_case(&name));
            created(call, &now, Node::Options(set.ok_or_else(unfound)?, "Picklist"), None).await
        }
        _ => {
            let table = of_table()?;
            let info = column(metadata, place, &body)?;
            let name = info.schema_name.to_ascii_lowercase();
            crm.add_column(&table.logical_name, info).await?;
            let now = current(call).await?;
            let table = now.table(&table.logical_name).ok_or_else(unfound)?;
            created(call, &now, Node::Column(table, table.column(&name).ok_or_else(unfound)?), Some(table))
                .await
        }
    }
}

/// A new column; the path may name its type instead of the body.
fn column(metadata: &Metadata, place: &Place<'_>, body: &Body) -> Result<ColumnInfo, Problem> {
    let mut body = body.clone();
    if place.kind.name != "AttributeMetadata" && !body.contains_key("@odata.type") {
        body.insert("@odata.type".into(), place.kind.name.into());
    }
    body::column(metadata, &body)
}

async fn relationship(
    call: &Call<'_>,
    metadata: &Metadata,
    place: &Place<'_>,
    body: &Body,
) -> Result<Reply, Problem> {
    let crm = call.session.crm();
    let many = match body::class(body) {
        Some(class) => class == "ManyToManyRelationshipMetadata",
        None => {
            place.kind.name == "ManyToManyRelationshipMetadata" || body.contains_key("Entity1LogicalName")
        }
    };
    let name = if many {
        let info = body::many_to_many(body)?;
        let name = info.schema_name.clone();
        crm.create_many_to_many(info).await?;
        name
    } else {
        let info = body::one_to_many(body)?;
        let lookup = body::lookup(metadata, body, false)?;
        let name = info.schema_name.clone();
        crm.create_relationship(info, lookup).await?;
        name
    };
    let now = current(call).await?;
    let one = now.one_to_many.iter().find(|known| known.schema_name == name).map(Node::OneToMany);
    let made =
        one.or_else(|| now.many_to_many.iter().find(|known| known.schema_name == name).map(Node::ManyToMany));
    created(call, &now, made.ok_or_else(|| Problem::bad("What was made is gone already"))?, None).await
}

/// Where a definition stands. A table is named by its logical name here: clients take the first id in the address.
fn url(call: &Call<'_>, node: Node<'_>, table: Option<&TableInfo>) -> String {
    let id = node.id();
    let of = |part: &str| {
        let name = table.map_or("", |table| table.logical_name.as_str());
        format!("{}/EntityDefinitions(LogicalName='{name}')/{part}({id})", call.root)
    };
    match node {
        Node::Table(_) => format!("{}/EntityDefinitions({id})", call.root),
        Node::Column(..) | Node::YesNo(..) => of("Attributes"),
        Node::Key(..) => of("Keys"),
        Node::OneToMany(_) | Node::ManyToMany(_) => format!("{}/RelationshipDefinitions({id})", call.root),
        Node::Options(..) => format!("{}/GlobalOptionSetDefinitions({id})", call.root),
        Node::Managed(_) => format!("{}/ManagedPropertyDefinitions({id})", call.root),
    }
}

/// Answers a new definition, once it is in the solution that the request names.
async fn created(
    call: &Call<'_>,
    now: &Metadata,
    node: Node<'_>,
    table: Option<&TableInfo>,
) -> Result<Reply, Problem> {
    let mut made = vec![node.id()];
    if let Node::OneToMany(relation) = node {
        let table = now.table(&relation.referencing_table);
        made.extend(
            table.and_then(|table| table.column(&relation.referencing_column)).map(|column| column.id),
        );
    }
    solutions::add_made(&call.session, in_solution::header(call), now, &made).await?;
    let url = url(call, node, table);
    match call.prefer.representation {
        Some(true) => {
            represented(call, now, node, StatusCode::CREATED).map(|reply| reply.header("location", &url))
        }
        _ => Ok(Reply::empty(StatusCode::NO_CONTENT).header("odata-entityid", &url).header("location", &url)),
    }
}

fn represented(
    call: &Call<'_>,
    now: &Metadata,
    node: Node<'_>,
    status: StatusCode,
) -> Result<Reply, Problem> {
    let mut row: Map<String, Value> = evaluate::one(now, node, node.kind(), &call.options.wanted)?;
    let root = match node {
        Node::OneToMany(_) | Node::ManyToMany(_) => "RelationshipDefinitions",
        Node::Options(..) => "GlobalOptionSetDefinitions",
        _ => "EntityDefinitions",
    };
    row.insert("@odata.context".into(), call.context(&format!("{root}/$entity")).into());
    Ok(read::applied(call, reply(status, &Value::Object(row))))
}

async fn update(call: &Call<'_>, node: Node<'_>) -> Result<Reply, Problem> {
    let crm = call.session.crm();
    let body = body::object(&call.body)?;
    let merge = call.header("mscrm.mergelabels").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match node {
        Node::Table(table) => crm.update_table(body::table_over(table, &body, merge)).await?,
        Node::Column(table, column) => {
            crm.update_column(&table.logical_name, body::column_over(column, &body, merge)?).await?;
        }
        Node::OneToMany(relation) => {
            let cascade = body::cascade_over(relation.cascade, &body)?;
            let changed = postroom_core::metadata::OneToMany { cascade, ..relation.clone() };
            crm.update_relationship(changed).await?;
        }
        // Of pairs only the menus can be changed, and there are none.
        Node::ManyToMany(_) => {}
        Node::Options(set, _) if set.is_global => {
            crm.update_option_set(body::option_set_over(set, &body, merge)).await?;
        }
        Node::Key(..) | Node::Options(..) | Node::YesNo(..) | Node::Managed(_) => {
            return Err(Problem::method(&call.method));
        }
    }
    let now = current(call).await?;
    solutions::add_changed(&call.session, in_solution::header(call), &now, &[node.id()]).await?;
    if call.prefer.representation == Some(true) {
        let place = place::find(&now, &call.path.segments, &call.options)?;
        return represented(call, &now, place.node()?, StatusCode::OK);
    }
    let table = match node {
        Node::Column(table, _) => Some(table),
        _ => None,
    };
    Ok(Reply::empty(StatusCode::NO_CONTENT).header("odata-entityid", &url(call, node, table)))
}

async fn delete(call: &Call<'_>, node: Node<'_>) -> Result<Reply, Problem> {
    let crm = call.session.crm();
    match node {
        Node::Table(table) => crm.delete_table(&table.logical_name).await?,
        Node::Column(table, column) => {
            crm.delete_column(&table.logical_name, &column.logical_name).await?;
        }
        Node::Key(table, key) => crm.delete_key(&table.logical_name, &key.logical_name).await?,
        Node::OneToMany(relation) => crm.delete_relationship(&relation.schema_name).await?,
        Node::ManyToMany(relation) => crm.delete_relationship(&relation.schema_name).await?,
        Node::Options(set, _) if set.is_global => crm.delete_option_set(&set.name).await?,
        Node::Options(..) | Node::YesNo(..) | Node::Managed(_) => {
            return Err(Problem::method(&call.method));
        }
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
