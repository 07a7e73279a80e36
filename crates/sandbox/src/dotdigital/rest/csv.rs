//! Comma-separated values (RFC 4180) and the one part of a multipart body (RFC 7578) that uploads use.

/// Rows of cells; a byte-order mark is dropped, and so are empty lines.
pub(super) fn read(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let (mut row, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => end(&mut rows, &mut row, &mut cell),
            c => cell.push(c),
        }
    }
    end(&mut rows, &mut row, &mut cell);
    rows
}

fn end(rows: &mut Vec<Vec<String>>, row: &mut Vec<String>, cell: &mut String) {
    if !row.is_empty() || !cell.is_empty() {
        row.push(std::mem::take(cell));
        rows.push(std::mem::take(row));
    }
}

/// One line, quoted where it must be.
pub(super) fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted = cells.map(|cell| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    });
    quoted.collect::<Vec<_>>().join(",") + "\r\n"
}

/// File name and bytes of the first part that has a name.
pub(super) fn part(body: &[u8], boundary: &str) -> Option<(String, Vec<u8>)> {
    let mark = format!("--{boundary}");
    let from = find(body, mark.as_bytes())? + mark.len();
    let rest = &body[from..];
    let split = find(rest, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&rest[..split]);
    let data = &rest[split + 4..];
    let end = find(data, format!("\r\n{mark}").as_bytes())?;
    let name = head.split("filename=").nth(1)?.trim_start_matches('"').split(['"', '\r', ';']).next()?;
    Some((name.to_owned(), data[..end].to_vec()))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_and_line_ends() {
        let rows = read("\u{feff}Email,NAME\r\na@x.io,\"Smith, \"\"Al\"\"\nJr\"\r\n\r\nb@x.io,");
        assert_eq!(rows, [vec!["Email", "NAME"], vec!["a@x.io", "Smith, \"Al\"\nJr"], vec!["b@x.io", ""]]);
    }

    #[test]
    fn a_part_is_found() {
        let body = b"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"c.csv\"\r\n\
            Content-Type: text/csv\r\n\r\nEmail\r\na@x.io\r\n--B--\r\n";
        assert_eq!(part(body, "B"), Some(("c.csv".to_owned(), b"Email\r\na@x.io".to_vec())));
        assert_eq!(part(b"--B", "B"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(cells in proptest::collection::vec("[a-z,\"\n\r ]{1,8}", 1..6)) {
            let text = line(cells.iter().map(String::as_str));
            prop_assert_eq!(read(&text), vec![cells]);
        }
    }
}
