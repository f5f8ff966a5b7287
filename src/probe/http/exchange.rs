//! Sends one request on an existing connection and reads the head of the answer. hyper implements the protocol.

use std::error::Error;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use futures::FutureExt;
use futures::future::{Either, select};
use http::StatusCode;
use http::response::Parts;
use hyper::client::conn::http1;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::probe::tls;

/// The largest head of an answer, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The most fields in the head of an answer.
const MAX_FIELDS: usize = 1024;

/// Sends a request without a body to the server `host`. Returns the head of the answer and the stream. An error is
/// the reason. The body of the answer is not read.
pub async fn exchange<S>(stream: S, request: http::Request<String>, host: &str) -> Result<(Parts, S), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let watched = Watched { stream, start: Vec::new(), sent: false, reader: None };
    let (mut sender, mut connection) = http1::Builder::new()
        .title_case_headers(true)
        .ignore_invalid_headers_in_responses(true)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .handshake(watched)
        .await
        .map_err(|error| error.to_string())?;
    let mut answer = pin!(sender.send_request(request));
    let answer = match select(&mut answer, &mut connection).await {
        Either::Left((answer, _)) => Some(answer),
        // hyper delivers the answer or the error before its connection ends.
        Either::Right((_, answer)) => answer.now_or_never(),
    };
    let watched = connection.into_parts().io;
    match answer {
        Some(Ok(answer)) => Ok((answer.into_parts().0, watched.stream)),
        Some(Err(error)) => Err(explain(&error, &watched.start, host)),
        None => Err(CLOSED.to_owned()),
    }
}

const CLOSED: &str = "the connection was closed without an answer";

/// The reason why there is no answer, from hyper's error and the first bytes that the server sent.
fn explain(error: &hyper::Error, start: &[u8], host: &str) -> String {
    let broken = std::iter::successors(error.source(), |error| (*error).source())
        .find_map(|error| error.downcast_ref::<io::Error>());
    match broken {
        Some(error) if error.kind() != io::ErrorKind::UnexpectedEof => tls::explain(error, host),
        // A TLS connection that ends without close_notify is reported like any other closed connection.
        Some(_) => CLOSED.to_owned(),
        None if start.is_empty() => CLOSED.to_owned(),
        None if is_http2(start) => "the answer is HTTP/2: the server does not speak HTTP/1.1".to_owned(),
        None if error.is_incomplete_message() => {
            "the connection was closed in the middle of the answer".to_owned()
        }
        None => "the server did not answer with HTTP".to_owned(),
    }
}

/// Whether the first bytes from the server, as far as they came, are the header of a SETTINGS or GOAWAY frame on
/// stream 0 (RFC 9113, 4.1). The first byte of the frame's length is 0, and no HTTP/1 answer begins with 0.
fn is_http2(start: &[u8]) -> bool {
    let frame = start.iter().enumerate().all(|(place, byte)| match place {
        0 | 5..=8 => *byte == 0,
        3 => matches!(byte, 4 | 7),
        _ => true,
    });
    frame && !start.is_empty()
}

/// The meaning of a status in the words of RFC 9110, with a space before it: ` not found`. Empty if the RFC does not
/// define the status.
pub fn meaning(status: StatusCode) -> String {
    status.canonical_reason().map_or(String::new(), |reason| format!(" {}", reason.to_lowercase()))
}

/// The number of the first bytes that `is_http2` needs.
const FRAME_HEADER: usize = 9;

/// A stream that keeps the first bytes that it reads, and that delays reading until something was written. hyper
/// treats an answer that comes before the request as an error, but a server that is too busy sends 503 at once.
struct Watched<S> {
    stream: S,
    start: Vec<u8>,
    sent: bool,
    reader: Option<Waker>,
}

impl<S: AsyncRead + Unpin> hyper::rt::Read for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.sent {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let mut bytes = [0; 4096];
        let (room, _) = bytes.split_at_mut(buffer.remaining().min(4096));
        let mut read = ReadBuf::new(room);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        let missing = FRAME_HEADER - self.start.len();
        self.start.extend(read.filled().iter().take(missing));
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> hyper::rt::Write for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let length = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.sent = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
