//! What a request says beside FetchXML or a view: `$filter`, `$select`, `$orderby`, `$top`, `$expand` and `$count` go on from
//! the query, what cannot is refused. Nothing is left out in silence.

use postroom_core::Filter;
use postroom_core::metadata::TableInfo;
use postroom_core::query::Link;
use postroom_formats::fetchxml::Fetch;
use postroom_formats::odata::options::Wanted;
use postroom_formats::odata::resolve::{self, Plan};

use super::Problem;
use super::call::Call;

/// Puts the other options of the request into the query, and answers what they ask for besides.
pub(crate) fn obey(call: &Call<'_>, table: &TableInfo, fetch: &mut Fetch) -> Result<Plan, Problem> {
    let (options, wanted) = (&call.options, &call.options.wanted);
    if options.apply.is_some() {
        return Err(Problem::bad("$apply cannot be used with FetchXML or a view: aggregate in the FetchXML"));
    }
    if options.delta_token.is_some() {
        return Err(Problem::bad(
            "Changes cannot be asked for with FetchXML or a view: leave $deltatoken out",
        ));
    }
    let plan = resolve::plan(&call.metadata, &table.logical_name, options)?;
    fetch.total |= plan.count;
    let rows = Wanted { count: false, ..wanted.clone() };
    if rows == Wanted::default() {
        return Ok(plan);
    }
    if fetch.query.computes() || fetch.query.distinct {
        return Err(Problem::bad(
            "$select, $filter, $orderby, $top and $expand cannot be used with a FetchXML or a view that aggregates or is \
             distinct: say it in the FetchXML",
        ));
    }
    let (query, more) = (&mut fetch.query, plan.query.clone());
    let own = std::mem::replace(&mut query.filter, Filter::All(Vec::new()));
    query.filter = Filter::All(vec![own, more.filter]);
    query.order.splice(0..0, more.order);
    query.top = query.top.into_iter().chain(more.top).min();
    if more.columns.is_some() {
        query.columns = more.columns;
        silence(&mut query.links);
        fetch.renamed.clear();
    }
    query.links.extend(more.links);
    Ok(plan)
}

/// The links still choose rows, but answer no columns.
fn silence(links: &mut [Link]) {
    for link in links {
        link.columns = Some(Vec::new());
        silence(&mut link.links);
    }
}
