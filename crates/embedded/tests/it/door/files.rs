//! File columns at the Web API door.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_embedded::schema::{Column, Kind};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(whole_files, chunks, refusals);

async fn world(on: On) -> (DoorBench, Uuid) {
    let door = DoorBench::new(on).await;
    let column = Column { max_length: Some(64), ..Column::new("new_file", Kind::File) };
    door.bench.crm.add_columns("contact", vec![column]).await.unwrap();
    let contact = door.send("POST", "contacts", json!({"lastname": "C"})).await.made();
    (door, contact)
}

async fn whole_files(on: On) {
    let (door, contact) = world(on).await;
    let url = format!("contacts({contact})/new_file");
    assert_eq!(door.get(&url).await.status, 204);
    let bytes: Vec<u8> = (0..20_000_u32).map(|at| at as u8).collect();
    let headers = [
        ("content-type", "application/octet-stream"),
        ("x-ms-file-name", "a b.bin"),
        ("if-none-match", "null"),
    ];
    let answer = door.ask("PATCH", &url, &headers, bytes.clone()).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let raw = door.ask("GET", &format!("{url}/$value"), &[("range", "bytes=10-12")], "").await;
    assert_eq!((raw.status, raw.header("content-range"), raw.text.len()), (206, "bytes 10-12/20000", 3));
    assert_eq!(door.get(&format!("{url}/$value")).await.header("x-ms-file-name"), "a b.bin");
    let read = door.ask("GET", &format!("{url}?size=full"), &[("range", "bytes=0-4194303")], "").await;
    assert_eq!((read.status, read.header("x-ms-file-size")), (206, "20000"), "{}", read.text);
    assert_eq!(BASE64.decode(read.json["value"].as_str().unwrap()).unwrap(), bytes);
    assert_eq!(read.header("content-disposition"), "attachment; filename=\"a b.bin\"");
    assert_eq!(door.ask("GET", &url, &[("range", "bytes=20000-")], "").await.status, 416);
    // A row shows the file's id and its name, not its bytes.
    let row = door.get(&format!("contacts({contact})")).await.json;
    assert!(row["new_file"].as_str().unwrap().parse::<Uuid>().is_ok(), "{row}");
    assert_eq!(row["new_file_name"], "a b.bin");
    assert_eq!(door.get("contacts?$top=1&$select=new_file").await.status, 200);
    let id = row["new_file"].clone();
    let answer = door.ask("DELETE", &url, &[], "").await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(door.get(&url).await.status, 204);
    door.ask("PATCH", &url, &headers, "x").await;
    let answer = door.send("POST", "DeleteFile", json!({"FileId": id})).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(door.get(&format!("contacts({contact})")).await.json["new_file"], Json::Null);
}

async fn chunks(on: On) {
    let (door, contact) = world(on).await;
    let url = format!("contacts({contact})/new_file");
    let begin = [("x-ms-transfer-mode", "chunked"), ("content-type", "application/json")];
    let begun = door.ask("PATCH", &format!("{url}?x-ms-file-name=b.txt"), &begin, "").await;
    assert_eq!((begun.status, begun.text.as_str(), begun.header("odata-entityid")), (200, "", ""));
    assert_eq!(begun.header("x-ms-chunk-size"), "4194304");
    let location = begun.header("location").to_owned();
    assert!(location.starts_with(&format!("{ROOT}/{url}?sessiontoken=")), "{location}");
    let send = async |range: &str, bytes: &'static str| {
        let headers = [
            ("content-range", range),
            ("x-ms-file-name", "b.txt"),
            ("content-type", "application/octet-stream"),
        ];
        door.ask("PATCH", &location, &headers, bytes).await.status
    };
    assert_eq!(send("bytes 4-7/8", "late").await, 400);
    assert_eq!(send("bytes 0-3/8", "abc").await, 400);
    assert_eq!(send("bytes 0-3/8", "abcd").await, 206);
    assert_eq!(send("bytes 0-3/8", "abcd").await, 206);
    assert_eq!(send("bytes 4-7/8", "efgh").await, 204);
    // The empty chunk that some clients send at the end.
    assert_eq!(send("bytes 8-7/8", "").await, 204);
    let whole = door.get(&format!("{url}/$value")).await;
    assert_eq!((whole.text.as_str(), whole.header("x-ms-file-name")), ("abcdefgh", "b.txt"));
    let by_blocks = json!({"Target": {"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": contact}, "FileAttributeName": "new_file", "FileName": "c.txt"});
    let begun = door.send("POST", "InitializeFileBlocksUpload", by_blocks).await;
    let token = begun.json["FileContinuationToken"].clone();
    let block = json!({"BlockId": "1", "BlockData": "aGk=", "FileContinuationToken": token});
    assert_eq!(door.send("POST", "UploadBlock", block).await.status, 204);
    let commit = json!({"FileName": "c.txt", "MimeType": "text/plain", "BlockList": ["1"], "FileContinuationToken": token});
    let committed = door.send("POST", "CommitFileBlocksUpload", commit).await;
    assert_eq!(committed.json["FileSizeInBytes"], 2, "{}", committed.text);
    assert_eq!(door.get(&format!("{url}/$value")).await.text, "hi");
}

async fn refusals(on: On) {
    let (door, contact) = world(on).await;
    let url = format!("contacts({contact})/new_file");
    let name = [("x-ms-file-name", "a.bin")];
    door.ask("PATCH", &url, &name, vec![0; 65 * 1024]).await.refused(400, "0x80044a02", "64 KB");
    door.ask("PATCH", &url, &[("x-ms-file-name", "../a")], "x").await.refused(400, "0x80044a08", "name");
    let none = format!("contacts({})/new_file", Uuid::from_u128(9));
    door.ask("PATCH", &none, &name, "x").await.refused(404, "0x80040217", "Does Not Exist");
    assert_eq!(door.get(&none).await.status, 404);
    let gone = format!("{url}?sessiontoken={}", Uuid::from_u128(9));
    door.ask("PATCH", &gone, &[("content-range", "bytes 0-0/1")], "x").await.refused(
        400,
        "0x80040203",
        "begin it again",
    );
}
