//! Rows out of an answer while it arrives.

use postroom_core::Fault;

use crate::sink::{Sink, unreadable};
use crate::wire::{Piece, Row, Splitter};

/// Reads a row; `None` when it cannot be read.
type Map<T> = fn(&Row<'_>) -> Option<T>;

/// Collects the rows of an array.
pub(super) struct Rows<T> {
    pub found: Vec<T>,
    /// What each row is, when that was asked for.
    pub keys: Vec<u64>,
    route: &'static str,
    map: Map<T>,
    key: Option<fn(&Row<'_>) -> u64>,
    splitter: Splitter,
}

impl<T> Rows<T> {
    pub(super) fn new(route: &'static str, map: Map<T>) -> Rows<T> {
        Rows { found: Vec::new(), keys: Vec::new(), route, map, key: None, splitter: Splitter::rows() }
    }

    pub(super) fn keyed(self, key: fn(&Row<'_>) -> u64) -> Rows<T> {
        Rows { key: Some(key), ..self }
    }
}

impl<T: Send> Sink for Rows<T> {
    fn begin(&mut self) {
        self.found.clear();
        self.keys.clear();
        self.splitter = Splitter::rows();
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Rows { found, keys, route, map, key, splitter } = self;
        splitter.feed(bytes, &mut |_, piece| {
            let row = Row::read(piece).map_err(|_| Broken(route))?;
            found.push(map(&row).ok_or(Broken(route))?);
            keys.extend(key.map(|key| key(&row)));
            Ok::<(), Broken>(())
        })?;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.splitter.end().map_err(|_| unreadable(self.route))
    }
}

/// An answer that cannot be read.
struct Broken(&'static str);

impl From<crate::wire::Broken> for Broken {
    fn from(_: crate::wire::Broken) -> Self {
        Broken("a question")
    }
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        unreadable(broken.0)
    }
}

/// What becomes of an object's members.
pub(super) trait Document: Default + Send {
    /// `None` when the piece cannot be read.
    fn piece(&mut self, piece: Piece<'_>, bytes: &[u8]) -> Option<()>;
}

/// Hands on the members of an object: of an array each element.
pub(super) struct Members<D> {
    pub document: D,
    route: &'static str,
    splitter: Splitter,
}

impl<D: Document> Members<D> {
    pub(super) fn new(route: &'static str) -> Members<D> {
        Members { document: D::default(), route, splitter: Splitter::members() }
    }
}

impl<D: Document> Sink for Members<D> {
    fn begin(&mut self) {
        self.document = D::default();
        self.splitter = Splitter::members();
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Members { document, route, splitter } = self;
        splitter.feed(bytes, &mut |piece, bytes| document.piece(piece, bytes).ok_or(Broken(route)))?;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.splitter.end().map_err(|_| unreadable(self.route))
    }
}
