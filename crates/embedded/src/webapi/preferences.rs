//! Which preferences of a request are followed. The others are passed over, as RFC 7240 wants, and `Preference-Applied` does
//! not name them.

use http::{HeaderMap, Method};
use postroom_formats::odata::options::Options;
use postroom_formats::odata::path::Segment;
use postroom_formats::odata::prefer::Preferences;

/// All that the `Prefer` headers say.
pub(crate) fn read(headers: &HeaderMap) -> Preferences {
    Preferences::parse(headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()))
}

/// What of it this request can follow.
pub(crate) fn followed(
    prefer: Preferences,
    method: &Method,
    segments: &[Segment],
    options: &Options,
) -> Preferences {
    let (reads, batch) = (method == Method::GET, segments == [Segment::Batch]);
    let plain = || {
        let queries = [&options.fetch_xml, &options.sql].iter().any(|query| query.is_some());
        !queries && options.saved_query.is_none() && options.user_query.is_none()
    };
    let whole_set = matches!(segments, [Segment::Name { arguments: None, .. }]);
    // A row on its own has no pages, but what it is asked to expand has.
    let one_row = matches!(segments.last(), Some(Segment::Name { arguments: Some(_), .. }));
    let pages = !one_row || !options.wanted.expand.is_empty();
    Preferences {
        representation: prefer.representation.filter(|_| !reads && !batch),
        max_page_size: prefer.max_page_size.filter(|_| reads && pages),
        track_changes: prefer.track_changes && reads && whole_set && plain(),
        continue_on_error: prefer.continue_on_error && batch,
        // Nothing runs asynchronously here.
        respond_async: false,
        annotations: prefer.annotations,
    }
}

#[cfg(test)]
mod tests {
    use postroom_formats::odata::path::{Path, resource};

    use super::*;

    #[test]
    fn what_is_followed_where() {
        let check = |method: &str, url: &str, expected: &str| {
            let all = Preferences::parse([
                "return=representation,odata.maxpagesize=5,odata.track-changes,odata.continue-on-error,respond-async",
            ]);
            let resource = resource(url);
            let (path, options) =
                (Path::parse(resource.path).unwrap(), Options::parse(resource.query).unwrap());
            let found = followed(all, &method.parse().unwrap(), &path.segments, &options);
            assert_eq!(found.to_string(), expected, "{method} {url}");
        };
        let row = "contacts(00000000-0000-0000-0000-000000000001)";
        check("GET", "contacts", "odata.maxpagesize=5,odata.track-changes");
        check("GET", "contacts?$select=lastname", "odata.maxpagesize=5,odata.track-changes");
        check("GET", "contacts?fetchXml=%3Cfetch%2F%3E", "odata.maxpagesize=5");
        check("GET", "contacts?sql=SELECT+1", "odata.maxpagesize=5");
        check("GET", "contacts?savedQuery=00000000-0000-0000-0000-000000000001", "odata.maxpagesize=5");
        check("GET", row, "");
        check("GET", &format!("{row}?$expand=Contact_Emails"), "odata.maxpagesize=5");
        check("GET", &format!("{row}/Contact_Emails"), "odata.maxpagesize=5");
        check("POST", "contacts", "return=representation");
        check("PATCH", row, "return=representation");
        check("DELETE", row, "return=representation");
        check("POST", "$batch", "odata.continue-on-error");
    }
}
