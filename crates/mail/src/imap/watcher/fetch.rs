//! Gets whole messages from a server that may not give them: in batches, large ones in parts, and each one checked.
//!
//! A message that does not come is [`Got::Bad`]; only trouble with the connection is an error.

use bytes::{Bytes, BytesMut};

use super::super::client::Client;
use super::super::data::Fetched;
use super::super::error::Error;

/// Messages in one batch.
const MOST_IN_BATCH: usize = 64;
/// Bytes in one batch, as the server counts them; one message may be larger.
pub const LARGEST_BATCH: u64 = 8 << 20;
/// Larger messages are fetched in parts of this size.
const PART: u64 = 1 << 20;
/// A quirk, and the word for it.
const SIZES_DIFFER: &str = "RFC822.SIZE differs from what is sent";

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    Mail(Bytes),
    /// Expunged or moved since it was listed.
    Gone,
    /// Why it cannot be used, in one clause.
    Bad(String),
}

/// Splits messages into batches of `most` bytes, in order. Those up to `cautious` come one by one.
pub fn batches(messages: &[Fetched], cautious: u32, most: u64) -> Vec<&[Fetched]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0_u64);
    for (index, message) in messages.iter().enumerate() {
        let size = message.size.unwrap_or(LARGEST_BATCH);
        let is_full = index - start >= MOST_IN_BATCH || bytes.saturating_add(size) > most;
        let is_suspect = message.uid <= cautious || (index > start && messages[index - 1].uid <= cautious);
        if index > start && (is_full || is_suspect) {
            batches.push(&messages[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes = bytes.saturating_add(size);
    }
    if start < messages.len() {
        batches.push(&messages[start..]);
    }
    batches
}

/// How much memory a batch needs.
pub fn weight(batch: &[Fetched], largest: u64) -> u64 {
    batch.iter().map(|message| message.size.unwrap_or(PART).min(largest)).sum()
}

/// Fetches a batch; one answer for each message, in their order. None is larger than `largest`.
pub async fn get(client: &mut Client, batch: &[Fetched], largest: u64) -> Result<Vec<(u32, Got)>, Error> {
    let is_small = |message: &Fetched| message.size.is_some_and(|size| size <= PART);
    let small: Vec<u32> =
        batch.iter().filter(|message| is_small(message)).map(|message| message.uid).collect();
    let mut bodies = match small.is_empty() {
        true => Vec::new(),
        false => match client.bodies(&small).await {
            Ok(bodies) => bodies,
            // One message that the server cannot give makes it refuse them all.
            Err(Error::Refused { .. }) if small.len() > 1 => {
                return get_one_by_one(client, batch, largest).await;
            }
            Err(Error::Refused { text, .. }) => {
                return Ok(vec![(small[0], refused(client, small[0], &text).await?)]);
            }
            Err(error) => return Err(error),
        },
    };
    let mut got = Vec::with_capacity(batch.len());
    for message in batch {
        let one = if is_small(message) {
            let body = bodies.iter_mut().find(|body| body.uid == message.uid).map(|body| body.body.take());
            checked(client, message, body).await?
        } else {
            in_parts(client, message, largest).await?
        };
        got.push((message.uid, one));
    }
    Ok(got)
}

async fn get_one_by_one(
    client: &mut Client,
    batch: &[Fetched],
    largest: u64,
) -> Result<Vec<(u32, Got)>, Error> {
    let mut got = Vec::with_capacity(batch.len());
    for message in batch {
        got.extend(Box::pin(get(client, std::slice::from_ref(message), largest)).await?);
    }
    Ok(got)
}

/// `body` is what FETCH answered: nothing at all, no literal, or bytes.
async fn checked(client: &mut Client, message: &Fetched, body: Option<Option<Bytes>>) -> Result<Got, Error> {
    let size = message.size.unwrap_or(0);
    match body {
        None => gone_or(client, message.uid, "the server passes it over").await,
        Some(None) => gone_or(client, message.uid, "the server sends no body").await,
        Some(Some(raw)) if raw.is_empty() => {
            gone_or(client, message.uid, "the server sends an empty body").await
        }
        Some(Some(raw)) if raw.len() as u64 == size => Ok(Got::Mail(raw)),
        Some(Some(raw)) => again(client, message.uid, size, raw).await,
    }
}

/// Another length than announced: cut short, or (Domino, which makes MIME anew each time) announced wrongly. The server
/// is believed when it says the same twice and little is missing.
async fn again(client: &mut Client, uid: u32, size: u64, raw: Bytes) -> Result<Got, Error> {
    let length = raw.len() as u64;
    let is_plausible = length + length / 10 + 1024 >= size;
    if is_plausible && client.quirks().contains(&SIZES_DIFFER) {
        return Ok(Got::Mail(raw));
    }
    let second = client.bodies(&[uid]).await.map(|bodies| bodies.into_iter().find_map(|body| body.body));
    match second {
        Ok(Some(second)) if second.len() as u64 == size => Ok(Got::Mail(second)),
        Ok(Some(second)) if is_plausible && second.len() == raw.len() => {
            client.note(SIZES_DIFFER);
            Ok(Got::Mail(second))
        }
        Ok(_) | Err(Error::Refused { .. }) => Ok(Got::Bad(format!("{length} bytes came instead of {size}"))),
        Err(error) => Err(error),
    }
}

/// Reads until a part is shorter than asked for: the announced size may be wrong.
async fn in_parts(client: &mut Client, message: &Fetched, largest: u64) -> Result<Got, Error> {
    let mut raw = BytesMut::new();
    loop {
        let offset = raw.len() as u64;
        let part = match client.part(message.uid, offset, PART).await {
            Ok(part) => part,
            Err(Error::Refused { text, .. }) => return refused(client, message.uid, &text).await,
            Err(error) => return Err(error),
        };
        match part {
            None if offset == 0 => return gone_or(client, message.uid, "the server sends no body").await,
            // NIL behind the last byte, where an empty string belongs; or it was expunged meanwhile.
            None if message.size.is_some_and(|size| offset >= size) => break,
            None => return gone_or(client, message.uid, "the server stopped in the midst").await,
            Some(part) if part.len() as u64 > PART => {
                return Ok(Got::Bad("the server sends other parts than asked for".to_owned()));
            }
            Some(part) => {
                let is_last = (part.len() as u64) < PART;
                raw.extend_from_slice(&part);
                if raw.len() as u64 > largest {
                    return Ok(Got::Bad(too_large(raw.len() as u64, largest)));
                }
                if is_last {
                    break;
                }
            }
        }
    }
    let (length, size) = (raw.len() as u64, message.size.unwrap_or(0));
    if length + length / 10 + 1024 < size || length == 0 {
        return Ok(Got::Bad(format!("{length} bytes came instead of {size}")));
    }
    Ok(Got::Mail(raw.freeze()))
}

/// The clause for a message that is over the limit.
pub fn too_large(size: u64, largest: u64) -> String {
    format!("it has {size} bytes; {largest} are allowed")
}

async fn refused(client: &mut Client, uid: u32, text: &str) -> Result<Got, Error> {
    gone_or(client, uid, &format!("the server refuses it: {text}")).await
}

/// A message may have been expunged between two commands; then nobody misses it.
async fn gone_or(client: &mut Client, uid: u32, why: &str) -> Result<Got, Error> {
    match client.survey_these(&[uid]).await {
        Ok(found) if found.is_empty() => Ok(Got::Gone),
        Ok(_) | Err(Error::Refused { .. }) => Ok(Got::Bad(why.to_owned())),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sizes: &[u64], cautious: u32, expected: &[usize]) {
        let messages: Vec<Fetched> = (1..)
            .zip(sizes)
            .map(|(uid, size)| Fetched { uid, size: (*size > 0).then_some(*size), ..Fetched::default() })
            .collect();
        let lengths: Vec<usize> =
            batches(&messages, cautious, LARGEST_BATCH).iter().map(|batch| batch.len()).collect();
        assert_eq!(lengths, expected);
        assert_eq!(lengths.iter().sum::<usize>(), sizes.len());
    }

    #[test]
    fn batches_are_bounded() {
        check(&[], 0, &[]);
        check(&[10; 130], 0, &[64, 64, 2]);
        check(&[5 << 20, 5 << 20, 1, 1], 0, &[1, 3]);
        check(&[100 << 20, 1, 1], 0, &[1, 2]);
        check(&[1, 1, 1, 1, 1], 2, &[1, 1, 3]);
        check(&[0, 1], 0, &[1, 1]);
    }
}
