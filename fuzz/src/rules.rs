//! Entry points into `postroom-mail` and `postroom-tracking`, which have property tests of their own.

use bytes::BytesMut;
use postroom_mail::imap::wire::{Limits, Reader, Response};
use postroom_mail::imap::{fetched, listed, namespaces, status};
use postroom_mail::listener::{Command, DataEnd, DataReader, Line, take_line};
use postroom_tracking::token;

/// An SMTP client's bytes: command lines, then a mail. How they are cut into packets must not matter.
pub fn smtp(data: &[u8]) {
    let mut input = BytesMut::from(data);
    while let Line::Whole(line) = take_line(&mut input) {
        let _ = Command::parse(&line);
    }
    let whole = end_of_data(data, data.len().max(1));
    for piece in [1, 2, 7] {
        assert_eq!(end_of_data(data, piece), whole, "in pieces of {piece} bytes the mail ends elsewhere");
    }
}

fn end_of_data(data: &[u8], piece: usize) -> Option<DataEnd> {
    let (mut reader, mut input) = (DataReader::new(1 << 20), BytesMut::new());
    for part in data.chunks(piece) {
        input.extend_from_slice(part);
        let end = reader.take(&mut input);
        if end.is_some() {
            return end;
        }
    }
    None
}

/// An IMAP server's bytes: responses, and what is asked of them. How they are cut into packets must not matter.
pub fn imap(data: &[u8]) {
    let whole = responses(data, data.len().max(1));
    for piece in [1, 2, 7] {
        assert_eq!(responses(data, piece), whole, "in pieces of {piece} bytes the responses are others");
    }
    for response in whole {
        if let Response::Data(tokens) = response {
            let _ = (fetched(&tokens), listed(&tokens), namespaces(&tokens), status(&tokens));
        }
    }
}

/// Up to the first that is too much.
fn responses(data: &[u8], piece: usize) -> Vec<Response> {
    let limits = Limits { line: 1 << 20, literal: 1 << 20, response: 1 << 20 };
    let (mut reader, mut input, mut found) = (Reader::new(limits), BytesMut::new(), Vec::new());
    for part in data.chunks(piece) {
        input.extend_from_slice(part);
        loop {
            match reader.take(&mut input) {
                Ok(Some(response)) => found.push(response),
                Ok(None) => break,
                Err(_) => return found,
            }
        }
    }
    found
}

/// A subject: what is stamped on it is found again.
pub fn token(data: &[u8]) {
    let subject = String::from_utf8_lossy(data);
    let (_, _) = (token::find_tokens(&subject), token::near_misses(&subject));
    let _ = token::find_microsoft_tokens(&subject, "CRM:", 4..=12);
    let _ = token::without_tokens(&subject);
}
