//! Runs probes. Each try of a probe is a child process, `netready-probe`, which asks one question, writes the answer
//! to a pipe, and ends. It may block while it waits for the answer.
//!
//! Because a try is a process, it can be cancelled at any time (getaddrinfo(3) in a thread cannot), it leaves nothing
//! behind, and it never blocks the loop that watches the gate. The children run a separate program, because the code
//! for TLS and DNS would cost the daemon half a MiB of memory even if it is never used.

mod confine;
mod deadline;
pub(crate) mod dns;
mod gateway;
pub(crate) mod http;
mod ping;
pub(crate) mod program;
mod schedule;
mod socket_error;
mod tcp;
mod tls;
pub mod zone;

use std::collections::BTreeMap;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read};
use std::process::{Command, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::unix::AsyncFd;

use crate::chance::chance;
use crate::clock;
use crate::descriptor::{self, Descriptor};
use crate::model::{NoAnswer, Question, Tried};
use crate::moment::Moment;
use crate::platform::child::Single;
use crate::probe::schedule::{Schedule, limit};
use crate::report::Span;
use crate::sibling;

pub use program::serve;

/// The most bytes of an answer that are kept.
const LONGEST: usize = 4096;

/// Runs the tries of all probes that a verdict asks for, each as a child process.
#[derive(Default)]
pub struct Prober {
    schedule: Schedule,
    tries: Vec<Try>,
    /// Answers that nobody has taken yet.
    known: Vec<(Question, Tried)>,
    /// Whether a failed probe is tried again by itself.
    repeat: bool,
}

/// A child process that tries one probe.
struct Try {
    /// `None` after the child was killed: it only has to be waited for.
    question: Option<Question>,
    child: Single,
    pipe: AsyncFd<Descriptor<File>>,
    said: Vec<u8>,
}

impl Prober {
    /// Starts and ends tries according to the questions that a verdict asks. `news` says whether the network has
    /// changed. `repeat` says whether a failed probe is tried again by itself.
    pub fn follow(
        &mut self,
        questions: &BTreeMap<Question, Option<Duration>>,
        news: bool,
        repeat: bool,
        now: Moment,
    ) {
        self.repeat = repeat;
        // Drop the answers to questions that the verdict no longer asks.
        self.known.retain(|(question, _)| questions.contains_key(question));
        let mut ended = self.schedule.follow(questions, repeat, now);
        if news {
            ended.extend(self.schedule.news(now));
        }
        for question in &ended {
            self.kill(question);
        }
    }

    /// Ends the tries whose time is up, and begins those that are due.
    pub fn tick(&mut self, now: Moment) {
        for question in self.schedule.overdue(now) {
            self.kill(&question);
            let why = format!("timed out after {}", Span(limit(&question)));
            self.ended(question, Err(NoAnswer::Failed(why)), now);
        }
        for question in self.schedule.begin(now) {
            match Try::begin(&question) {
                Ok(begun) => self.tries.push(begun),
                Err(error) => self.ended(question, Err(NoAnswer::NoProgram(error.to_string())), now),
            }
        }
    }

    /// When `tick` must be called next.
    pub fn deadline(&self) -> Option<Moment> {
        self.schedule.deadline()
    }

    /// Whether no answer is waiting, and nothing is tried now or will be before the network changes.
    pub fn is_at_rest(&self) -> bool {
        self.known.is_empty() && self.schedule.is_at_rest()
    }

    /// Waits for the next answer. Never ready if nothing is being tried.
    pub async fn answer(&mut self) -> (Question, Tried) {
        loop {
            if let Some(known) = self.known.pop() {
                return known;
            }
            let done = poll_fn(|context| self.poll(context)).await;
            let (question, said) = done.end();
            if let Some(question) = question {
                self.ended(question, said, clock::now());
            }
        }
    }

    fn ended(&mut self, question: Question, answer: Tried, now: Moment) {
        self.schedule.ended(&question, answer.is_ok(), self.repeat, now, chance());
        self.known.push((question, answer));
    }

    /// Ready when the child of a try has closed its pipe. Removes that try and returns it.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Try> {
        let over = self.tries.iter_mut().position(|one| one.poll(context).is_ready());
        over.map_or(Poll::Pending, |index| Poll::Ready(self.tries.swap_remove(index)))
    }

    /// Kills the child that tries a question. The child is waited for later, once it has closed its pipe, because
    /// wait(2) could block before that.
    fn kill(&mut self, question: &Question) {
        for one in self.tries.iter_mut().filter(|one| one.question.as_ref() == Some(question)) {
            one.question = None;
            one.child.kill();
        }
    }
}

impl Try {
    fn begin(question: &Question) -> io::Result<Try> {
        let path = sibling::path(sibling::PROBE)?;
        let mut command = Command::new(&path);
        command.arg(std::process::id().to_string()).args(program::words(question));
        // The child reports through the pipe only.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.env_remove("NOTIFY_SOCKET");
        let mut child = Single::start(&mut command).map_err(|error| sibling::does_not_run(&path, &error))?;
        let pipe = child.take_stdout().ok_or(ErrorKind::BrokenPipe)?;
        let pipe = descriptor::listen(pipe)?;
        Ok(Try { question: Some(question.clone()), child, pipe, said: Vec::new() })
    }

    /// Ready once the child has closed its end of the pipe.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut buffer = [0; 512];
        loop {
            let mut ready = match self.pipe.poll_read_ready(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(ready)) => ready,
            };
            match ready.try_io(|pipe| (&pipe.get_ref().0).read(&mut buffer)) {
                Ok(Ok(0)) => return Poll::Ready(()),
                Ok(Ok(length)) => {
                    self.said.extend(buffer.get(..length).unwrap_or_default());
                    self.said.truncate(LONGEST);
                }
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Err(_)) => return Poll::Ready(()),
                Err(_) => {}
            }
        }
    }

    /// Waits for the child. Returns the answer, and the question unless the try was cancelled.
    fn end(mut self) -> (Option<Question>, Tried) {
        let tried = match program::read(&self.said) {
            Some(answer) => answer.map_err(NoAnswer::Failed),
            None => Err(NoAnswer::NoProgram(format!(
                "{} ended without an answer; {}",
                sibling::PROBE,
                sibling::INSTALL_AGAIN
            ))),
        };
        (self.question.take(), tried)
    }
}
