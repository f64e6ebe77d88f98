//! `serial-ws service`: the bridge as something that the system starts by itself. With systemd it
//! is installed, after saying each step; elsewhere what to write and run is shown, and not done.

mod by_hand;
mod flags;
mod quote;
mod systemd;
mod unit;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::cli::ScopeArgs;
use crate::platform::{self, ServiceManager};

/// Who starts it, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The one who installs it, at login.
    User,
    /// The computer, before anyone logs in, as a user of its own with few rights.
    System,
}

/// Where and whether to act.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// For whom.
    pub(crate) scope: Scope,
    /// Whether to say only what would be done.
    pub(crate) dry_run: bool,
}

impl From<ScopeArgs> for Options {
    fn from(ScopeArgs { system, dry_run }: ScopeArgs) -> Self {
        let scope = if system { Scope::System } else { Scope::User };
        Self { scope, dry_run }
    }
}

/// Lets the system start the bridge with `flags` from now on.
///
/// # Errors
/// What is wrong with the flags, in the way, or not permitted.
pub(crate) fn install(options: Options, flags: &[OsString], out: &mut dyn Write) -> Result<()> {
    let flags = flags::Flags::check(flags)?;
    let program = std::env::current_exe().context("cannot find this program")?;
    match manager(options.scope)? {
        (ServiceManager::Systemd, folder) => {
            systemd::install(options, &folder, &program, &flags, out)
        }
        (ServiceManager::Launchd, folder) => by_hand::launchd(&folder, &program, &flags)?.show(out),
        (ServiceManager::StartupFolder, folder) => {
            by_hand::startup_folder(&folder, &program, &flags)?.show(out)
        }
    }
}

/// Undoes what [`install`] did.
///
/// # Errors
/// Also where there is nothing to undo.
pub(crate) fn remove(options: Options, out: &mut dyn Write) -> Result<()> {
    match manager(options.scope)? {
        (ServiceManager::Systemd, folder) => systemd::remove(options, &folder, out),
        (manager, folder) => by_hand::tell_removal(manager, &folder, out),
    }
}

/// Says whether the bridge is installed and runs; returns whether it runs, where that is known.
///
/// # Errors
/// Where nothing can be said.
pub(crate) fn status(out: &mut dyn Write) -> Result<bool> {
    match manager(Scope::User)? {
        (ServiceManager::Systemd, _) => systemd::status(out),
        (manager, folder) => by_hand::tell_status(manager, &folder, out),
    }
}

/// What starts programs here, and the folder for what describes them.
fn manager(scope: Scope) -> Result<(ServiceManager, PathBuf)> {
    let (manager, folder) = platform::service_manager();
    match (manager, scope) {
        (ServiceManager::Systemd, Scope::System) => Ok((manager, systemd::SYSTEM_FOLDER.into())),
        (_, Scope::System) => {
            bail!("--system is for systemd. Without it, serial-ws starts when you log in")
        }
        (_, Scope::User) => {
            let elevated = std::env::var_os("SUDO_USER").is_some();
            ensure!(
                !elevated,
                "sudo would install it for root. Run it without sudo, or with --system for the \
                 whole computer"
            );
            let folder = folder.context("the system names no folder for your configuration")?;
            Ok((manager, folder))
        }
    }
}

/// Says something. A reader who has left does not stop what is being done.
fn say(out: &mut dyn Write, text: &str) {
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
