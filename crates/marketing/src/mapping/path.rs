//! What a mapping reads: a column, a column of the row that a lookup names (`ownerid/fullname`), or several of those joined by
//! commas for a label that holds text.

use std::fmt;

/// Where a label's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path(Vec<Part>);

/// One column, or one behind a lookup.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Part {
    /// Of the record itself.
    pub column: String,
    /// Of the row that the column names.
    pub behind: Option<String>,
}

impl Path {
    /// `None` when nothing is named.
    pub fn read(text: &str) -> Option<Path> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let parts: Vec<Part> = parts
            .map(|part| match part.split_once('/') {
                Some((column, behind)) => {
                    Part { column: column.trim().to_owned(), behind: Some(behind.trim().to_owned()) }
                }
                None => Part { column: part.to_owned(), behind: None },
            })
            .collect();
        (!parts.is_empty()).then_some(Path(parts))
    }

    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The column, when the path is one column of the record itself: only such a one can be written.
    pub fn own_column(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part { column, behind: None }] => Some(column),
            _ => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, part) in self.0.iter().enumerate() {
            let comma = if nth > 0 { "," } else { "" };
            match &part.behind {
                Some(behind) => write!(f, "{comma}{}/{behind}", part.column)?,
                None => write!(f, "{comma}{}", part.column)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, columns: &[&str], own: Option<&str>, written: &str) {
        let path = Path::read(text).unwrap();
        assert_eq!(path.parts().iter().map(|part| part.column.as_str()).collect::<Vec<_>>(), columns);
        assert_eq!((path.own_column(), path.to_string().as_str()), (own, written));
    }

    #[test]
    fn paths() {
        check("firstname", &["firstname"], Some("firstname"), "firstname");
        check("ownerid/fullname", &["ownerid"], None, "ownerid/fullname");
        check(" firstname , lastname,", &["firstname", "lastname"], None, "firstname,lastname");
        assert_eq!(Path::read(" , "), None);
    }
}
