//! A thread for jobs that may block, for example writing to a pipe that nobody reads or to a busy disk.
//!
//! The owner adds jobs to a backlog and never waits. The thread is started for the first job. It does the jobs one
//! after the other, until the process ends. The backlog decides what it keeps if jobs come faster than they are done.

use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow};

use crate::platform::clock;

/// The jobs that are to be done.
pub trait Backlog: Send {
    /// One job.
    type Job;

    /// Takes the next job. `None` if there is none.
    fn take(&mut self) -> Option<Self::Job>;

    /// Whether there is no job.
    fn is_empty(&self) -> bool;
}

/// The newest job alone. It replaces an older job that was not begun.
impl<Job: Send> Backlog for Option<Job> {
    type Job = Job;

    fn take(&mut self) -> Option<Job> {
        Option::take(self)
    }

    fn is_empty(&self) -> bool {
        self.is_none()
    }
}

/// A backlog and the thread that works it off.
#[derive(Debug)]
pub struct Worker<B> {
    state: Mutex<State<B>>,
    /// Notified when there is a job.
    work: Condvar,
    /// Notified after each job.
    done: Condvar,
}

#[derive(Debug)]
struct State<B> {
    backlog: B,
    /// Whether the thread was started.
    started: bool,
    /// Whether the thread is doing a job, which is no longer in the backlog.
    busy: bool,
    /// The number of jobs that were done.
    done: u64,
}

impl<B: Backlog> Worker<B> {
    /// A worker whose thread is not started yet.
    pub const fn new(backlog: B) -> Worker<B> {
        let state = State { backlog, started: false, busy: false, done: 0 };
        Worker { state: Mutex::new(state), work: Condvar::new(), done: Condvar::new() }
    }

    /// Starts the thread unless it was started, and returns whether there is a thread: the kernel may refuse one.
    /// `worker` is a reference to the worker that lives as long as the thread.
    pub fn start<W>(worker: W, thread: Builder, mut job: impl FnMut(B::Job) + Send + 'static) -> bool
    where
        W: Deref<Target = Worker<B>> + Clone + Send + 'static,
    {
        let mut state = worker.lock();
        if !state.started {
            let worker = worker.clone();
            // Block all signals in the new thread, so that the main thread gets them.
            let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
            state.started = thread.spawn(move || worker.serve(&mut job)).is_ok();
            if let Ok(before) = before {
                // An error cannot happen: this mask was in force before.
                let _ = before.thread_set_mask();
            }
        }
        state.started
    }

    /// Looks at the backlog.
    pub fn look<T>(&self, look: impl FnOnce(&B) -> T) -> T {
        look(&self.lock().backlog)
    }

    /// Changes the backlog, for example adds a job.
    pub fn change<T>(&self, change: impl FnOnce(&mut B) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state.backlog);
        if !state.backlog.is_empty() {
            self.work.notify_one();
        }
        result
    }

    /// Waits until all jobs are done, and returns whether they are. Gives up after `longest`, or once no job was
    /// finished for `patience`.
    pub fn finish(&self, patience: Duration, longest: Duration) -> bool {
        let end = clock::now() + longest;
        let mut state = self.lock();
        while !state.is_idle() {
            let (before, left) = (state.done, end - clock::now());
            let waited = self.done.wait_timeout(state, patience.min(left));
            let (next, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = next;
            if left.is_zero() || (timeout.timed_out() && state.done == before) {
                return state.is_idle();
            }
        }
        true
    }

    /// Whether nothing is to be done, and nothing is being done.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.lock().is_idle()
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, do_job: &mut dyn FnMut(B::Job)) {
        let mut state = self.lock();
        loop {
            let Some(job) = state.backlog.take() else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.busy = true;
            drop(state);
            do_job(job);
            state = self.lock();
            state.busy = false;
            state.done = state.done.saturating_add(1);
            self.done.notify_all();
        }
    }
}

impl<B: Backlog> State<B> {
    fn is_idle(&self) -> bool {
        !self.busy && self.backlog.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);

    #[test]
    fn a_newer_job_replaces_one_that_was_not_begun() {
        let worker = Arc::new(Worker::new(None));
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let job = move |job: u32| {
            begun.send(job).unwrap();
            released.recv().unwrap();
        };
        assert!(worker.finish(SHORT, SHORT), "nothing is to be done");
        worker.change(|next| *next = Some(1));
        assert!(Worker::start(Arc::clone(&worker), Builder::new(), job));
        assert_eq!(begins.recv(), Ok(1));
        for number in [2, 3] {
            worker.change(|next| *next = Some(number));
        }
        assert!(!worker.finish(SHORT, LONG), "the first job blocks");
        assert!(!worker.finish(LONG, SHORT), "the first job blocks");
        release.send(()).unwrap();
        assert_eq!(begins.recv(), Ok(3));
        assert!(!worker.finish(SHORT, LONG), "the backlog is empty, but the last job blocks");
        release.send(()).unwrap();
        assert!(worker.finish(LONG, LONG));
        assert!(begins.try_recv().is_err());
    }
}
