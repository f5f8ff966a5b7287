//! The signals that end, stop and continue netready while it runs commands.

use std::io;

use nix::sys::signal::Signal;

use crate::platform::signals::{self, Action, Whom, action_of, stop};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// netready must end because of this signal.
    End(Signal),
    /// netready must stop: ^Z, or `kill -TSTP`.
    Stop,
    /// netready was stopped and now continues.
    Continue,
}

/// The signals that an attempt listens for. Once this has been made, they have no effect on this process by themselves.
pub struct Signals(signals::Signals<Wake>);

impl Signals {
    /// Listens for all these signals, except those that are ignored: they stay ignored. SIGTERM is always listened
    /// for, because services are stopped with it.
    ///
    /// # Errors
    /// Fails if sigaction(2) fails.
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

    /// Waits, while no command runs, for the next signal that ends netready. Meanwhile netready stops and continues
    /// like any other program.
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
