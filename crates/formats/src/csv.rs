//! Tables as text (RFC 4180, and what programs make of it): a byte order mark, lone LF, rows that are shorter or longer than
//! the head. What the columns mean is for who asked.

/// Rows by the names of their columns, as the head writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a table whose first line is its head. Bytes that are no UTF-8 are replaced; lines without anything are left out.
    pub fn read(bytes: &[u8]) -> Table {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
        let text = |record: csv::ByteRecord| -> Vec<String> {
            record.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
        };
        // A reader over a slice has no errors of IO, and a flexible one over bytes none of form.
        let mut records = reader.byte_records().filter_map(Result::ok).map(text);
        let head = records.next().unwrap_or_default();
        Table { head, rows: records.filter(|row| row.iter().any(|cell| !cell.is_empty())).collect() }
    }

    /// The place of a column; names are compared without case.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.head.iter().position(|known| known.eq_ignore_ascii_case(name))
    }

    /// The cell of a row in a column; nothing when the row is too short or there is no such column.
    pub fn cell<'t>(&'t self, row: &'t [String], name: &str) -> &'t str {
        self.column(name).and_then(|at| row.get(at)).map_or("", String::as_str)
    }
}

/// A line with its end, for people. A cell that a spreadsheet would compute begins with an apostrophe.
pub fn line(cells: &[&str]) -> String {
    let mark = |cell: &str| if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    joined(cells.iter().map(|cell| written(mark(cell), cell)).collect())
}

/// A line with its end, for a program: the cells are what they are.
pub fn row(cells: &[&str]) -> String {
    joined(cells.iter().map(|cell| written("", cell)).collect())
}

fn joined(cells: Vec<String>) -> String {
    format!("{}\r\n", cells.join(","))
}

fn written(mark: &str, cell: &str) -> String {
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{mark}{}\"", cell.replace('"', "\"\"")),
        false => format!("{mark}{cell}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, head: &[&str], rows: &[&[&str]]) {
        let found = Table::read(text.as_bytes());
        assert_eq!(found.head, head, "{text:?}");
        assert_eq!(found.rows, rows, "{text:?}");
    }

    #[test]
    fn tables_as_programs_write_them() {
        check("", &[], &[]);
        check("\u{feff}Reason,email\r\nBlocked,a@x\r\n", &["Reason", "email"], &[&["Blocked", "a@x"]]);
        check("a,b\n\"x, \"\"y\"\"\nz\",2", &["a", "b"], &[&["x, \"y\"\nz", "2"]]);
        check("a,b\n1\n1,2,3\n\n,\n", &["a", "b"], &[&["1"], &["1", "2", "3"]]);
    }

    #[test]
    fn cells_by_name() {
        let table = Table::read(b"Reason,Email\nBlocked\nFailures,o'brien+x@example.com\n");
        let cells: Vec<&str> = table.rows.iter().map(|row| table.cell(row, "EMAIL")).collect();
        assert_eq!(cells, ["", "o'brien+x@example.com"]);
        assert_eq!(table.cell(&table.rows[0], "phone"), "");
    }

    #[test]
    fn lines_read_back() {
        let cells = ["o'brien+x@example.com", "a, \"b\"\nc", "", "x"];
        let table = Table::read(line(&cells).as_bytes());
        assert_eq!(table.head, cells);
        assert_eq!(line(&["=1+1", "-2", "@x", "a=b"]), "'=1+1,'-2,'@x,a=b\r\n");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            Table::read(&bytes);
        }
    }
}
