//! `pull`: pulls an image as Podman does, and tries again while the failure may pass.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::attempt::{self, Above, AttemptEnd, AttemptError, Bounds, Refused, Signals, Words};
use crate::cli::options::NamedGateOptions;
use crate::cli::retry::{AGAIN, AgainOptions, Bound, Classify, Finished, Judge, Setting, bound};
use crate::cli::{Error, Exit, Tuning, Volume, block_on};

/// How long the tool may take to say whether the image is on this host. It only reads the disk.
const TO_LOOK: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct PullArgs {
    /// The image, written as for podman pull
    #[arg(value_name = "IMAGE")]
    image: String,
    /// When to pull
    #[arg(long, value_name = "WHEN", default_value = "missing", overrides_with = "policy")]
    policy: Policy,
    /// The program that pulls: podman or skopeo, or the path of either
    #[arg(long, value_name = "PATH", default_value = "podman", overrides_with = "tool", value_hint = ValueHint::CommandName)]
    tool: OsString,
    /// Pass this argument before the tool's command, as in podman ARG pull IMAGE
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    global_arg: Vec<OsString>,
    /// End an attempt that made no progress for this time: no output, nothing read or written
    #[arg(long, value_name = "DUR", value_parser = bound, default_value = "1min", help_heading = AGAIN, overrides_with = "stall_timeout")]
    stall_timeout: Bound,
    #[command(flatten)]
    again: AgainOptions,
    #[command(flatten)]
    gate: NamedGateOptions,
    #[command(flatten)]
    volume: Volume,
    #[command(flatten)]
    tuning: Tuning,
    /// More arguments for podman pull (or skopeo copy)
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<OsString>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// Only if the image is not on this host.
    Missing,
    /// Always.
    Always,
    /// Always; if the pull fails, an image that is on this host is enough.
    Newer,
    /// Never; fail if the image is not on this host.
    Never,
}

pub(super) fn execute(args: PullArgs) -> Result<Exit, Error> {
    let judge = Judge { classify: Classify::Oci, retry_on_exit: Vec::new(), fatal_exit: Vec::new() };
    let setting =
        Setting::new(&args.again, args.stall_timeout, judge, &args.gate, &args.volume, &args.tuning);
    let setting = setting.map(|setting| setting.pulls(&args.image));
    block_on(async {
        let mut signals = Signals::new().map_err(AttemptError::from)?;
        let tool = Tool::new(&args);
        let here = match args.policy {
            Policy::Always => false,
            Policy::Missing | Policy::Newer | Policy::Never => match tool.has_image(&mut signals).await? {
                Here::Yes => true,
                Here::No => false,
                Here::Signalled(signal) => return Ok(Exit::Signal(signal)),
            },
        };
        match (args.policy, here, setting) {
            // The image is on this host, so an invalid gate file must not stop the container.
            (_, true, Err(error)) => {
                tracing::warn!("{}; using the image that is on this host", crate::report::chain(&error));
                Ok(Exit::Done)
            }
            (Policy::Missing | Policy::Never, true, Ok(_)) => Ok(Exit::Done),
            (Policy::Newer, true, Ok(mut setting)) => {
                // The pull may fail without harm, so do not wait if the gate is shut.
                setting.gate_must_be_open();
                match tool.pull(&setting, &mut signals).await? {
                    finished @ (Finished::Done | Finished::Signalled(_)) => Ok(finished.exit()),
                    Finished::GaveUp(_) | Finished::Shut => {
                        tracing::warn!(
                            "no newer {} could be pulled; using the one that is on this host",
                            args.image
                        );
                        Ok(Exit::Done)
                    }
                }
            }
            (Policy::Never, false, _) => {
                tracing::error!("{} is not on this host, and --policy never forbids a pull", args.image);
                Ok(Exit::Code(super::OWN_ERROR))
            }
            (Policy::Always | Policy::Missing | Policy::Newer, _, setting) => {
                Ok(tool.pull(&setting?, &mut signals).await?.exit())
            }
        }
    })
}

enum Here {
    Yes,
    No,
    Signalled(i32),
}

/// The command lines of the tool that pulls.
struct Tool<'a> {
    program: &'a OsString,
    exists: Vec<OsString>,
    pull: Vec<OsString>,
}

impl<'a> Tool<'a> {
    fn new(args: &'a PullArgs) -> Tool<'a> {
        let plain = args.image.strip_prefix("docker://").unwrap_or(&args.image);
        let line = |before: &[&str], between: &[OsString], after: &[String]| {
            let global = args.global_arg.iter().cloned();
            let before = before.iter().map(OsString::from);
            global
                .chain(before)
                .chain(between.iter().cloned())
                .chain(after.iter().map(OsString::from))
                .collect()
        };
        let skopeo = Path::new(&args.tool).file_name() == Some(OsStr::new("skopeo"));
        let (exists, pull) = if skopeo {
            let (from, to) = (format!("docker://{plain}"), format!("containers-storage:{plain}"));
            (
                line(&["inspect", "--raw"], &[], std::slice::from_ref(&to)),
                line(&["copy"], &args.arguments, &[from, to]),
            )
        } else {
            (
                line(&["image", "exists"], &[], &[plain.to_owned()]),
                line(&["pull"], &args.arguments, std::slice::from_ref(&args.image)),
            )
        };
        Tool { program: &args.tool, exists, pull }
    }

    async fn pull(&self, setting: &Setting, signals: &mut Signals) -> Result<Finished, Error> {
        // Podman itself extends the unit's timeout to five minutes, which would shorten ours. So it must not
        // notify.
        let above = Above::find().inspect_err(|refused| {
            let why = crate::report::chain(refused);
            match refused {
                // The administrator has configured it this way.
                Refused::Configured(_) => tracing::debug!("the pull has no folder of its own: {why}"),
                Refused::Io { .. } | Refused::Owner(_) | Refused::Open(_) | Refused::NoRuntimeDirectory => {
                    tracing::warn!("if this pull is ended, its temporary files stay: {why}");
                }
            }
        });
        let words = Words {
            program: self.program,
            arguments: &self.pull,
            may_notify: false,
            silent: false,
            temporary: above.as_ref().ok(),
        };
        setting.pursue(&words, signals).await
    }

    /// Asks the tool whether the image is on this host. The tool only reads its storage. If it cannot tell, the
    /// pull will.
    async fn has_image(&self, signals: &mut Signals) -> Result<Here, Error> {
        let words = Words {
            program: self.program,
            arguments: &self.exists,
            may_notify: false,
            silent: true,
            temporary: None,
        };
        let bounds = Bounds { attempt: Some(TO_LOOK), ..Bounds::default() };
        match attempt::run(&words, bounds, signals).await {
            Ok(outcome) => Ok(match outcome.ended {
                AttemptEnd::Exited(0) => Here::Yes,
                AttemptEnd::Exited(_)
                | AttemptEnd::Stalled(_)
                | AttemptEnd::TookTooLong(_)
                | AttemptEnd::TimeUp => Here::No,
                AttemptEnd::Signalled(signal, _) | AttemptEnd::Interrupted(signal) => Here::Signalled(signal),
            }),
            // The attempt to pull reports this error, with its exit code.
            Err(AttemptError::Spawn { .. }) => Ok(Here::No),
            Err(error @ AttemptError::Follow(_)) => Err(error.into()),
        }
    }
}
