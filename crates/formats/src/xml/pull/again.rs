//! Stretches of markup, known again as a whole.
//!
//! Rows of a page repeat the same markup around their values. What a stretch of text means depends on the text itself, on the
//! elements that it ends and on the scope that it stands in: where all three are the same again, so is everything that came
//! of it, and nothing in it is looked at a second time. What is not the same is read in the ordinary way, so a stretch that
//! is not known, or was forgotten, costs time alone; near a limit everything is read so, and the limit finds its place.

use std::rc::Rc;

use super::{Pull, Tag, Token};
use crate::xml::Error;

/// A stretch that is longer is not remembered.
const LONGEST: usize = 1024;
/// Stretches that are remembered of elements which nobody reads.
const REMEMBERED: usize = 64;

/// Markup, with texts or without, and what came of it.
#[derive(Debug)]
pub(crate) struct Stretch {
    raw: Box<str>,
    outer: u32,
    /// The open elements that it ends, outermost first.
    closes: Vec<Rc<Tag>>,
    /// Those that it opens and does not end.
    opens: Vec<Rc<Tag>>,
    nodes: usize,
    /// Which tag was opened last.
    last: usize,
}

/// Where a stretch begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    at: usize,
    outer: u32,
    depth: usize,
    nodes: usize,
}

/// The stretches between the texts of elements that nobody reads, in the order in which they came before.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    known: Vec<Rc<Stretch>>,
    /// For each of them, and for the beginning: which one came behind it.
    behind: Vec<usize>,
    last: usize,
}

impl<'t> Pull<'t> {
    /// A stretch begins here.
    pub(crate) fn mark(&self) -> Mark {
        Mark { at: self.at, outer: self.inside(), depth: self.open.len(), nodes: self.nodes }
    }

    /// What was read since the mark, when no element that was open there has ended; `None` when it is not worth remembering.
    pub(crate) fn since(&self, mark: Mark) -> Option<Stretch> {
        self.stretch(mark, self.at, mark.depth, Vec::new()).filter(|_| !self.empty)
    }

    /// The text from the mark to `end`. It ended the elements `closes`, which left `low` of them open.
    fn stretch(&self, mark: Mark, end: usize, low: usize, closes: Vec<Rc<Tag>>) -> Option<Stretch> {
        let raw = &self.text[mark.at..end];
        let nodes = self.nodes - mark.nodes;
        let opens = self.open.get(low..)?.to_vec();
        let stretch =
            Stretch { raw: Box::from(raw), outer: mark.outer, closes, opens, nodes, last: self.last };
        (1..=LONGEST).contains(&raw.len()).then_some(stretch)
    }

    /// Goes over a stretch when it stands here again.
    pub(crate) fn again(&mut self, stretch: &Stretch) -> bool {
        let same = !self.empty
            && self.inside() == stretch.outer
            && self.text.as_bytes()[self.at..].starts_with(stretch.raw.as_bytes())
            && self.ends_with(&stretch.closes)
            // Each element in it is a node: so deep it goes at most.
            && self.open.len() + stretch.nodes <= self.limits.depth
            && self.nodes + stretch.nodes <= self.limits.nodes;
        if same {
            self.at += stretch.raw.len();
            self.open.truncate(self.open.len() - stretch.closes.len());
            self.open.extend(stretch.opens.iter().cloned());
            self.nodes += stretch.nodes;
            self.last = stretch.last;
        }
        same
    }

    fn ends_with(&self, closes: &[Rc<Tag>]) -> bool {
        let Some(kept) = self.open.len().checked_sub(closes.len()) else { return false };
        self.open[kept..].iter().zip(closes).all(|(open, closed)| Rc::ptr_eq(open, closed))
    }

    /// Up to the end of the open element.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        let floor = self.open.len();
        while self.open.len() >= floor {
            if !self.skipped_again(floor) {
                self.skip_to_text(floor)?;
            }
        }
        Ok(())
    }

    /// Goes over the stretch that came here before and the text behind it.
    fn skipped_again(&mut self, floor: usize) -> bool {
        let place = self.skipped.behind.get(self.skipped.last).copied().unwrap_or_default();
        let Some(stretch) = self.skipped.known.get(place).map(Rc::clone) else { return false };
        if self.open.len() - floor < stretch.closes.len() || !self.again(&stretch) {
            return false;
        }
        self.skipped.last = place + 1;
        let rest = &self.text.as_bytes()[self.at..];
        self.at += memchr::memchr2(b'<', b'&', rest).unwrap_or(rest.len());
        true
    }

    /// Reads up to the end of the next text, and remembers what stood in front of it.
    fn skip_to_text(&mut self, floor: usize) -> Result<(), Error> {
        let mark = self.mark();
        let (mut low, mut closes) = (mark.depth, Vec::new());
        loop {
            let (at, top) = (self.at, self.open.last().cloned());
            match self.next()? {
                Token::Open(_) => {}
                Token::Text(_) => {
                    closes.reverse();
                    self.remember(mark, at, low, closes);
                    return Ok(());
                }
                Token::Close if self.open.len() < floor => return Ok(()),
                Token::Close if self.open.len() < low => {
                    low = self.open.len();
                    closes.extend(top);
                }
                Token::Close => {}
                Token::End => return Ok(()),
            }
        }
    }

    fn remember(&mut self, mark: Mark, end: usize, low: usize, closes: Vec<Rc<Tag>>) {
        let Some(stretch) = self.stretch(mark, end, low, closes) else { return };
        let skipped = &mut self.skipped;
        let place = match skipped.known.iter().position(|known| known.is_like(&stretch)) {
            Some(place) => place,
            None if skipped.known.len() < REMEMBERED => {
                skipped.known.push(Rc::new(stretch));
                skipped.known.len() - 1
            }
            None => return,
        };
        skipped.behind.resize(skipped.known.len() + 1, 0);
        skipped.behind[skipped.last] = place;
        skipped.last = place + 1;
    }
}

impl Stretch {
    fn is_like(&self, other: &Stretch) -> bool {
        let ends = |a: &[Rc<Tag>], b: &[Rc<Tag>]| a.iter().map(Rc::as_ptr).eq(b.iter().map(Rc::as_ptr));
        self.outer == other.outer && self.raw == other.raw && ends(&self.closes, &other.closes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Limits;

    fn limits(nodes: usize, depth: usize) -> Limits {
        Limits { bytes: 10_000, nodes, depth }
    }

    /// What a reader of the root's children says that passes over every one of them, or makes a tree of every one.
    fn read(text: &str, limits: &Limits, skip: bool) -> Result<(usize, usize), Error> {
        let mut pull = Pull::new(text, limits)?;
        pull.root()?;
        let mut children = 0;
        while let Some(child) = pull.child()? {
            children += 1;
            match skip {
                true => pull.skip()?,
                false => drop(pull.element(&child)?),
            }
        }
        pull.rest()?;
        Ok((children, pull.nodes))
    }

    /// Whatever the limits are, what is passed over counts and fails as what is read.
    #[track_caller]
    fn check(text: &str, well_formed: bool) {
        for (nodes, depth) in (1..60).flat_map(|nodes| [(nodes, 64), (1000, nodes)]) {
            let limits = limits(nodes, depth);
            assert_eq!(read(text, &limits, true), read(text, &limits, false), "{text} with {limits:?}");
        }
        assert_eq!(read(text, &limits(1000, 64), true).is_ok(), well_formed, "{text}");
    }

    const ROW: &str =
        "<a><p:k>one</p:k><p:v n='1'>two</p:v><e/></a><a><p:k>three</p:k><p:v n='1'>four</p:v><e/></a>";

    fn rows(other: &str) -> String {
        let row = format!("<row xmlns:p='urn:p'>{ROW}</row>");
        format!("<r>{row}{row}<row xmlns:p='urn:p'>{ROW}{other}</row>{row}</r>")
    }

    #[test]
    fn passing_over_is_reading() {
        check(&rows(""), true);
        check(&rows("<a><p:k>&lt;<![CDATA[<]]> \r\n</p:k><p:v n='1'/></a>"), true);
        check(&rows("<a><p:k>one</p:k>two<p:v n='1'>two</p:v><!-- three --></a>"), true);
        check(&rows("<a><p:k>one</p:k><p:v n='1'>two</a></p:v>"), false);
        check(&rows("<b><p:k>one</p:k><p:v n='1'>two</p:v><e/></a>"), false);
        check(&rows("<a><q:k>one</q:k></a>"), false);
        check(&rows("<a><p:k>&own;</p:k></a>"), false);
        check(&rows("<a><p:k>one"), false);
    }

    #[test]
    fn the_same_markup_in_another_scope_is_another() {
        let inside = "<p:k>one</p:k><p:v>two</p:v>";
        let row = format!("<row xmlns:p='urn:p'>{inside}</row>");
        check(&format!("<r>{row}{row}{row}</r>"), true);
        // The prefix is declared around the first two only.
        check(&format!("<r>{row}{row}<row>{inside}</row></r>"), false);
    }

    #[test]
    fn an_end_that_is_not_its_element_s_is_refused() {
        let row = "<row><a><c>1</c>x</a><a>y</a></row>";
        check(&format!("<r>{row}{row}<row><b><c>1</c>x</b><a>y</a></row></r>"), true);
        check(&format!("<r>{row}{row}<row><b><c>1</c>x</a><a>y</a></row></r>"), false);
    }

    #[test]
    fn what_is_passed_over_ends_with_its_element() {
        check("<r><row><a>x</a><a>y</a></row><row><a>x</a></row><a>x</a><a>y</a></r>", true);
    }

    /// Rows with and without a column, in turns: what comes in another order than before is read all the same.
    #[test]
    fn what_stands_in_another_order_is_found() {
        let (one, two) = ("<k>1</k><v>x</v>", "<w>1</w><v>x</v><k>2</k>");
        let text: String =
            (0..9).map(|n| format!("<row>{}{}</row>", [one, two][n % 2], [two, one][n % 3 / 2])).collect();
        check(&format!("<r>{text}</r>"), true);
    }

    /// A reader that knows a stretch goes over it only where it stands.
    #[test]
    fn a_stretch_stands_where_it_stood() {
        let text = "<r><a><k>one</k><v>1</v></a><a><k>one</k><v>2</v></a><a><k>two</k><v>3</v></a></r>";
        let mut pull = Pull::new(text, &limits(100, 9)).unwrap();
        pull.root().unwrap();
        let mark = pull.mark();
        pull.child().unwrap().unwrap();
        pull.child().unwrap().unwrap();
        assert_eq!(pull.text().unwrap(), "one");
        pull.child().unwrap().unwrap();
        let head = pull.since(mark).unwrap();
        assert!(!pull.again(&head));
        assert_eq!(pull.text().unwrap(), "1");
        assert!(pull.child().unwrap().is_none());
        assert!(pull.again(&head));
        assert_eq!(pull.text().unwrap(), "2");
        assert!(pull.child().unwrap().is_none());
        assert!(!pull.again(&head));
        assert!(pull.child().unwrap().is_some());
    }
}
