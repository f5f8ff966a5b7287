//! The signals that end, stop and continue netready while it runs commands.

use std::io;

use nix::sys::signal::Signal;

use crate::platform::signals::{self, Action, Whom, action_of, stop};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// To end by this signal.
    End(Signal),
    /// To stop: ^Z, or kill -TSTP.
    Stop,
    /// Netready was stopped, and goes on.
    Continue,
}

/// From now on none of them acts on this process by itself.
pub struct Signals(signals::Signals<Wake>);

impl Signals {
    /// All but those that are ignored, which stay so. SIGTERM is always heard: it is how services are stopped.
    ///
    /// # Errors
    /// sigaction(2)'s.
    pub fn new() -> io::Result<Signals> {
        let wanted = [
            (Signal::SIGTERM, Wake::End(Signal::SIGTERM)),
            (Signal::SIGINT, Wake::End(Signal::SIGINT)),
            (Signal::SIGHUP, Wake::End(Signal::SIGHUP)),
            (Signal::SIGQUIT, Wake::End(Signal::SIGQUIT)),
            (Signal::SIGTSTP, Wake::Stop),
            (Signal::SIGCONT, Wake::Continue),
        ];
        let heard = wanted
            .into_iter()
            .filter(|(signal, _)| *signal == Signal::SIGTERM || action_of(*signal) != Action::Ignored);
        Ok(Signals(signals::Signals::new(heard)?))
    }

    /// Waits for the next signal that matters to an attempt.
    pub async fn next(&mut self) -> Wake {
        self.0.next().await
    }

    /// The next one that ends netready, while it runs no command: it stops and continues like any program.
    pub async fn end(&mut self) -> i32 {
        loop {
            match self.next().await {
                Wake::End(signal) => return signal as i32,
                Wake::Stop => {
                    crate::stderr::before_a_stop();
                    stop(Whom::Process, Signal::SIGTSTP);
                }
                Wake::Continue => {}
            }
        }
    }
}
