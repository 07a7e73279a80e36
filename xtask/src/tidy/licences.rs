//! SPDX licence expressions (specification 2.3, annex D), as far as packages use them.

/// Whether `expression` can be satisfied with the licences that `allowed` answers true for.
///
/// `None` when the expression cannot be read. `/`, the packages' old way to write "or", is taken as such.
pub fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    let answer = reader.any()?;
    reader.words.is_empty().then_some(answer)
}

struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a> Reader<'a> {
    fn any(&mut self) -> Option<bool> {
        let mut answer = self.every()?;
        while self.take("OR") {
            answer |= self.every()?;
        }
        Some(answer)
    }

    fn every(&mut self) -> Option<bool> {
        let mut answer = self.one()?;
        while self.take("AND") {
            answer &= self.one()?;
        }
        Some(answer)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let answer = self.any()?;
            return self.take(")").then_some(answer);
        }
        let name = self.next().filter(|name| !["OR", "AND", "WITH", ")"].contains(name))?;
        match self.take("WITH") {
            true => self.next().map(|exception| (self.allowed)(&format!("{name} WITH {exception}"))),
            false => Some((self.allowed)(name)),
        }
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn take(&mut self, word: &str) -> bool {
        let here = self.words.first() == Some(&word);
        if here {
            self.words = &self.words[1..];
        }
        here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: Option<bool>) {
        let allowed = |name: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&name);
        assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
    }

    #[test]
    fn expressions() {
        check("MIT", Some(true));
        check("GPL-3.0-only", Some(false));
        check("GPL-3.0-only OR MIT", Some(true));
        check("GPL-3.0-only AND MIT", Some(false));
        check("GPL-3.0-only AND MIT OR ISC", Some(true));
        check("(MIT OR GPL-3.0-only) AND ISC", Some(true));
        check("GPL-3.0-only/MIT", Some(true));
        check("Apache-2.0 WITH LLVM-exception", Some(true));
        check("GPL-3.0-only WITH Classpath-exception-2.0", Some(false));
    }

    #[test]
    fn what_cannot_be_read_is_not_allowed() {
        for text in ["", "MIT ISC", "(MIT", "MIT OR", "AND MIT", "MIT WITH"] {
            check(text, None);
        }
    }
}
