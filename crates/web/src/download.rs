//! Files for people to keep: what strangers sent never becomes a page of ours, and what is long is never held whole.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http_body::{Body, Frame};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postroom_core::Fault;
use tokio::sync::mpsc;

/// An answer that a browser saves and never shows. `name` is made safe by whoever read it.
pub(crate) fn file(name: &str, bytes: Bytes) -> Response {
    let disposition = format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, disposition),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
    ];
    (headers, bytes).into_response()
}

/// A body that is written while it is sent. A fault breaks the transfer off, so that nobody takes a part for the whole.
pub(crate) struct Pages(mpsc::Receiver<Result<Bytes, Fault>>);

/// A body and where its pages go; it ends when the sender is dropped.
pub(crate) fn pages() -> (mpsc::Sender<Result<Bytes, Fault>>, Pages) {
    let (send, receive) = mpsc::channel(1);
    (send, Pages(receive))
}

impl Body for Pages {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        self.0.poll_recv(cx).map(|page| page.map(|page| page.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use postroom_core::Code;

    use super::*;

    async fn next(body: &mut Pages) -> Option<Result<Bytes, Fault>> {
        let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        frame.map(|frame| frame.map(|frame| frame.into_data().expect("there are no trailers")))
    }

    #[tokio::test]
    async fn what_breaks_off_does_not_look_whole() {
        let (pages, mut body) = pages();
        pages.send(Ok(Bytes::from_static(b"one"))).await.unwrap();
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "one");
        pages.send(Err(Fault::retry(Code::STORE_AWAY, "the database is away"))).await.unwrap();
        assert!(next(&mut body).await.unwrap().is_err());
        drop(pages);
        assert!(next(&mut body).await.is_none());
    }
}
