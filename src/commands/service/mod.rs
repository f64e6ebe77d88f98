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
use clap::{Args, Subcommand};

use crate::platform::{self, ServiceManager};

/// Who starts it, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The one who installs it, at login.
    User,
    /// The computer, before anyone logs in, as a user of its own with few rights.
    System,
}

/// Arguments of `serial-ws service`.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    /// The action.
    #[command(subcommand)]
    action: ServiceAction,
}

/// An action on the service.
#[derive(Debug, Subcommand)]
enum ServiceAction {
    /// Start the bridge now and whenever you log in, or with the computer
    ///
    /// Says each file that it writes and each command that it runs. With systemd only; on macOS and
    /// Windows it shows what to do. Run it again to change the flags.
    #[command(after_long_help = INSTALL_EXAMPLE)]
    Install(InstallArgs),
    /// Stop it, and undo what install did
    Remove(ScopeArgs),
    /// Say whether it is installed and runs; exits with 1 where it does not run
    Status,
}

const INSTALL_EXAMPLE: &str = "\
Example:
  serial-ws service install -- --port /dev/ttyACM0 --baud 115200";

/// Arguments of `serial-ws service install`.
#[derive(Debug, Args)]
struct InstallArgs {
    /// The scope.
    #[command(flatten)]
    scope: ScopeArgs,
    /// Flags of the bridge, after two dashes
    #[arg(last = true)]
    flags: Vec<OsString>,
}

/// Arguments that say where and whether to act.
#[derive(Args, Clone, Copy, Debug)]
struct ScopeArgs {
    /// For the whole computer, from its start on, as a user with few rights; needs sudo
    #[arg(long)]
    system: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl ScopeArgs {
    fn scope(self) -> Scope {
        if self.system {
            Scope::System
        } else {
            Scope::User
        }
    }
}

/// Installs or removes the service, or says how it is. Returns false where it does not run.
///
/// # Errors
/// When something is wrong with the flags, in the way, or not permitted, or nothing can be said.
pub(crate) fn run(args: &ServiceArgs, out: &mut dyn Write) -> Result<bool> {
    match &args.action {
        ServiceAction::Install(args) => install(args, out)?,
        ServiceAction::Remove(args) => remove(*args, out)?,
        ServiceAction::Status => return status(out),
    }
    Ok(true)
}

/// Lets the system start the bridge from now on.
fn install(args: &InstallArgs, out: &mut dyn Write) -> Result<()> {
    let flags = flags::Flags::check(&args.flags)?;
    let program = std::env::current_exe().context("cannot find this program")?;
    match manager(args.scope.scope())? {
        (ServiceManager::Systemd, folder) => {
            systemd::install(args.scope, &folder, &program, &flags, out)
        }
        (ServiceManager::Launchd, folder) => by_hand::launchd(&folder, &program, &flags)?.show(out),
        (ServiceManager::StartupFolder, folder) => {
            by_hand::startup_folder(&folder, &program, &flags)?.show(out)
        }
    }
}

/// Undoes what [`install`] did, and fails where there is nothing to undo.
fn remove(args: ScopeArgs, out: &mut dyn Write) -> Result<()> {
    match manager(args.scope())? {
        (ServiceManager::Systemd, folder) => systemd::remove(args, &folder, out),
        (manager, folder) => by_hand::tell_removal(manager, &folder, out),
    }
}

/// Says whether the bridge is installed and runs. Returns whether it runs, where that is known.
fn status(out: &mut dyn Write) -> Result<bool> {
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
