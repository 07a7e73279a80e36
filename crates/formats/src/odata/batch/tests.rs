//! Batches: what clients and servers send, and what breaks.

use proptest::prelude::*;

use super::*;

const EXAMPLE: &str = "--batch_b1
Content-Type: multipart/mixed; boundary=changeset_c1

--changeset_c1
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 1

POST /api/data/v9.2/accounts HTTP/1.1
Content-Type: application/json; type=entry

{\"name\":\"A\"}
--changeset_c1
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 2

PUT $1/primarycontactid/$ref HTTP/1.1
Content-Type: application/json

{\"@odata.id\":\"/api/data/v9.2/contacts(1)\"}
--changeset_c1--
--batch_b1
Content-Type: application/http
Content-Transfer-Encoding: binary

GET https://org.example/api/data/v9.2/accounts?$filter=name eq 'x' HTTP/1.1
Accept: application/json

--batch_b1--
";

fn crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

fn request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
    content_id: Option<&str>,
) -> Request {
    Request {
        method: method.into(),
        url: url.into(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.into(),
        content_id: content_id.map(str::to_owned),
    }
}

fn example() -> Vec<BatchItem> {
    let json = ("Content-Type", "application/json");
    let entry = ("Content-Type", "application/json; type=entry");
    vec![
        BatchItem::ChangeSet(vec![
            request("POST", "/api/data/v9.2/accounts", &[entry], "{\"name\":\"A\"}", Some("1")),
            request(
                "PUT",
                "$1/primarycontactid/$ref",
                &[json],
                "{\"@odata.id\":\"/api/data/v9.2/contacts(1)\"}",
                Some("2"),
            ),
        ]),
        BatchItem::One(request(
            "GET",
            "https://org.example/api/data/v9.2/accounts?$filter=name eq 'x'",
            &[("Accept", "application/json")],
            "",
            None,
        )),
    ]
}

#[track_caller]
fn check(content_type: &str, body: &str) {
    assert_eq!(read_requests(content_type, body.as_bytes()), Ok(example()), "{content_type}: {body}");
}

#[test]
fn what_clients_send() {
    check("multipart/mixed; boundary=batch_b1", &crlf(EXAMPLE));
    check("multipart/mixed; boundary=batch_b1", EXAMPLE);
    check("multipart/mixed;boundary=\"batch_b1\"", &crlf(EXAMPLE));
    check("Multipart/Mixed; charset=utf-8; Boundary=batch_b1", &crlf(EXAMPLE));
    check("multipart/mixed; boundary=batch_b1", &format!("\r\n{}", crlf(EXAMPLE)));
    check("multipart/mixed; boundary=batch_b1", &format!("preamble\r\n{}epilogue", crlf(EXAMPLE)));
    check("multipart/mixed; boundary=batch_b1", EXAMPLE.trim_end());
    check(
        "multipart/mixed; boundary=batch_b1",
        &EXAMPLE.replace("Accept: application/json\n\n--", "Accept: application/json\n--"),
    );
}

#[test]
fn the_length_ends_a_body() {
    let body = "--b\r\nContent-Type: application/http\r\n\r\nPOST a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}\r\n\r\n\r\n--b--";
    let items = read_requests("multipart/mixed; boundary=b", body.as_bytes()).unwrap();
    assert_eq!(items, [BatchItem::One(request("POST", "a", &[("Content-Length", "2")], "{}", None))]);
}

#[track_caller]
fn refused(body: &str, expected: &str) {
    let error = read_requests("multipart/mixed; boundary=batch_b1", body.as_bytes()).expect_err(body);
    assert!(error.message.contains(expected), "{error}");
}

#[test]
fn refusals() {
    for kind in [
        "application/json",
        "multipart/mixed",
        "multipart/mixed; boundary=",
        "multipart/form-data; boundary=x",
        "",
    ] {
        assert!(read_requests(kind, EXAMPLE.as_bytes()).is_err(), "{kind}");
    }
    refused("", "closing boundary");
    refused(&EXAMPLE.replace("--batch_b1--", ""), "closing boundary");
    refused(&EXAMPLE.replace("--changeset_c1--", ""), "closing boundary");
    refused(&EXAMPLE.replace("PUT", "GET"), "An invalid HTTP method 'GET'");
    refused(&EXAMPLE.replace("Content-ID: 2", "Content-ID: 1"), "found more than once");
    refused(&EXAMPLE.replace("application/http", "text/plain"), "only application/http");
    refused(&EXAMPLE.replace(" HTTP/1.1", ""), "not the first line of a request");
    refused(&EXAMPLE.replace("Accept: ", "Accept "), "cannot be read");
    let nested = EXAMPLE.replace(
        "Content-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: 1",
        "Content-Type: multipart/mixed; boundary=x",
    );
    refused(&nested, "only application/http");
    let one = "--batch_b1\nContent-Type: application/http\n\nGET a HTTP/1.1\n\n";
    assert!(
        read_requests(
            "multipart/mixed; boundary=batch_b1",
            format!("{}--batch_b1--", one.repeat(1000)).as_bytes()
        )
        .is_ok()
    );
    refused(&format!("{}--batch_b1--", one.repeat(1001)), "too many parts");
}

#[test]
fn a_boundary_has_its_line_to_itself() {
    let body = "--b\nContent-Type: application/http\n\nPOST a HTTP/1.1\n\n\"x --b\"\n--bc\n--b--c\n--b--\n";
    let items = read_requests("multipart/mixed; boundary=b", body.as_bytes()).unwrap();
    assert_eq!(items, [BatchItem::One(request("POST", "a", &[], "\"x --b\"\n--bc\n--b--c", None))]);
}

#[test]
fn answers_have_the_shape_that_clients_parse() {
    let id = Uuid::from_u128(7);
    let made = Response {
        status: 204,
        headers: vec![("OData-Version".into(), "4.0".into()), ("OData-EntityId".into(), "u(1)".into())],
        content_id: Some("1".into()),
        ..Response::default()
    };
    let data = Response {
        status: 200,
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: b"{}".to_vec(),
        content_id: None,
    };
    let message = write_responses(id, &[BatchAnswer::ChangeSet(vec![made]), BatchAnswer::One(data)]);
    assert_eq!(message.content_type, format!("multipart/mixed; boundary=batchresponse_{id}"));
    let expected = format!(
        "--batchresponse_{id}\nContent-Type: multipart/mixed; boundary=changesetresponse_{id}_0\n\n\
         --changesetresponse_{id}_0\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: 1\n\n\
         HTTP/1.1 204 No Content\nOData-Version: 4.0\nOData-EntityId: u(1)\n\n\n--changesetresponse_{id}_0--\n\
         --batchresponse_{id}\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\n\
         HTTP/1.1 200 OK\nContent-Type: application/json\n\n{{}}\n--batchresponse_{id}--\n"
    );
    assert_eq!(String::from_utf8(message.body).unwrap(), crlf(&expected));
}

#[test]
fn line_ends_forge_no_header() {
    let forged = request("GET", "a\r\nX: 1", &[("A", "b\r\nX: 2")], "", Some("1\r\nX: 3"));
    let message = write_requests(Uuid::nil(), &[BatchItem::One(forged)]);
    let items = read_requests(&message.content_type, &message.body).unwrap();
    let [BatchItem::One(read)] = items.as_slice() else { panic!("one request") };
    assert_eq!(read.headers, [("A".to_owned(), "b  X: 2".to_owned())]);
    assert_eq!(read.header("x"), None);
}

#[test]
fn references() {
    assert_eq!(reference("$1/primarycontactid/$ref"), Some(("1", "primarycontactid/$ref")));
    assert_eq!(reference("/$12"), Some(("12", "")));
    assert_eq!(reference("$1?$select=a"), Some(("1", "?$select=a")));
    for url in ["accounts", "$batch", "$metadata", "$", "/api/$1", "$a'b"] {
        assert_eq!(reference(url), None, "{url}");
    }
    assert_eq!(
        Error::no_reference("1").message,
        "Content-ID Reference: '$1' does not exist in the batch context."
    );
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("[A-Z][a-z-]{0,6}x", "[!-~]([ -~]{0,10}[!-~])?"), 0..3)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    // Bodies of line ends alone count as none.
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|mut body| {
            body.insert(0, b'{');
            body
        })
    ]
}

fn any_request(method: &'static str) -> impl Strategy<Value = Request> {
    ("[a-z/$?()'=é]{1,20}", headers(), body()).prop_map(move |(url, headers, body)| Request {
        method: method.into(),
        url,
        headers,
        body,
        content_id: None,
    })
}

fn any_set() -> impl Strategy<Value = Vec<Request>> {
    prop::collection::vec(any_request("PATCH"), 0..4).prop_map(|mut set| {
        for (at, request) in set.iter_mut().enumerate() {
            request.content_id = Some(at.to_string());
        }
        set
    })
}

fn any_response() -> impl Strategy<Value = Response> {
    (100..600_u16, headers(), body(), prop::option::of("[0-9]{1,3}"))
        .prop_map(|(status, headers, body, content_id)| Response { status, headers, body, content_id })
}

proptest! {
    #[test]
    fn requests_come_back(items in prop::collection::vec(prop_oneof![any_request("GET").prop_map(BatchItem::One), any_set().prop_map(BatchItem::ChangeSet)], 0..4), id in any::<u128>()) {
        let message = write_requests(Uuid::from_u128(id), &items);
        prop_assert_eq!(read_requests(&message.content_type, &message.body), Ok(items));
    }

    #[test]
    fn answers_come_back(answers in prop::collection::vec(prop_oneof![any_response().prop_map(BatchAnswer::One), prop::collection::vec(any_response(), 0..3).prop_map(BatchAnswer::ChangeSet)], 0..4), id in any::<u128>()) {
        let message = write_responses(Uuid::from_u128(id), &answers);
        prop_assert_eq!(read_responses(&message.content_type, &message.body), Ok(answers));
    }

    #[test]
    fn any_bytes_are_read_or_refused(noise in prop::collection::vec(any::<u8>(), 0..8), at in 0..900_usize, end in 0..900_usize) {
        let mut body = EXAMPLE.as_bytes().to_vec();
        let at = at.min(body.len());
        body.splice(at..end.clamp(at, EXAMPLE.len()).min(at + 20), noise);
        let _ = read_requests("multipart/mixed; boundary=batch_b1", &body);
        let _ = read_responses("multipart/mixed; boundary=batch_b1", &body);
    }
}
