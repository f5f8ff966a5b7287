//! Texts that users, registries and servers write.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::assert_printable;
use crate::kernel_line::KernelLine;
use crate::retry::classify::classify;
use crate::{cli, config, probe, resolv as resolver};

fn lossy(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// A gate file. What `cat` prints of a gate is the same gate.
pub fn gate_file(data: &[u8]) {
    let text = lossy(data);
    match config::parse("fuzz", "gate.toml", &text) {
        Ok(gate) => {
            let printed = config::gate_text(&gate);
            assert_printable(&printed);
            let again = config::parse("fuzz", "gate.toml", &printed)
                .unwrap_or_else(|error| panic!("{text:?} was printed as {printed:?}: {error}"));
            assert_eq!(again, gate, "{printed}");
        }
        Err(error) => error.problems.iter().for_each(|problem| assert_printable(&problem.to_string())),
    }
}

/// A command line: the arguments are divided by line ends.
pub fn options(data: &[u8]) {
    let words = data.split(|octet| *octet == b'\n').map(|word| OsString::from_vec(word.to_vec()));
    cli::understand(words.collect());
}

/// What a tool that pulls images said on stderr.
pub fn podman_text(data: &[u8]) {
    let meaning = classify(&lossy(data));
    assert_printable(&crate::escape::escape(&meaning.why));
    assert!(
        meaning.why.chars().count() < 400,
        "{} characters: {:?}",
        meaning.why.chars().count(),
        meaning.why
    );
}

/// resolv.conf, and the kernel command line.
fn resolv(data: &[u8]) {
    let text = lossy(data);
    let _ = resolver::first(&text);
    assert!(resolver::understood(&text).servers.len() <= 3);
    let (_, problems) = KernelLine::of_text(&text);
    problems.iter().for_each(|problem| assert_printable(&problem.to_string()));
}

/// What a name server answered, what resolv.conf says, and what a probe wrote.
pub fn answers(data: &[u8]) {
    probe::dns::understand(data);
    if let Some(answer) = probe::program::read(data) {
        assert_printable(&answer.unwrap_or_else(|why| why));
    }
    resolv(data);
}

/// What a server answers to a GET.
pub fn http(data: &[u8]) {
    if let Some(answer) = probe::http::understand(Server(data)) {
        assert_printable(&crate::escape::escape(&answer.unwrap_or_else(|why| why)));
    }
}

/// A server that has said all that it will say, and takes whatever it is sent.
struct Server<'a>(&'a [u8]);

impl AsyncRead for Server<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, rest) = self.0.split_at(self.0.len().min(into.remaining()));
        into.put_slice(now);
        self.0 = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
