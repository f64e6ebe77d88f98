//! `serial-ws service`: runs serial-ws as a service of the system: under systemd, launchd, or at login
//! to Windows. Each step is printed before it is carried out.

mod flags;
mod launchd;
mod quote;
mod startup_folder;
mod steps;
mod systemd;
mod unit;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};

use crate::platform::{self, ServiceManager};

/// The account that the service belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The user who installs it, from login on.
    User,
    /// The computer, from before anyone logs in, with an account of its own that has few rights.
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
    /// Start serial-ws now and whenever you log in, or at boot with --system
    ///
    /// Prints each file that it writes and each command that it runs. Uses systemd, launchd on macOS, and
    /// the folder of programs that start at login on Windows. Run it again to change the flags.
    #[command(after_long_help = INSTALL_EXAMPLE)]
    Install(InstallArgs),
    /// Stop the service, and undo what install did
    Remove(ScopeArgs),
    /// Print whether it is installed and running; exits with 1 if it is not running
    Status,
}

const INSTALL_EXAMPLE: &str = "\
Example:
  serial-ws service install -- /dev/ttyACM0 --baud 115200";

/// Arguments of `serial-ws service install`.
#[derive(Debug, Args)]
struct InstallArgs {
    /// The scope.
    #[command(flatten)]
    scope: ScopeArgs,
    /// Flags for serial-ws, after two dashes
    #[arg(last = true)]
    flags: Vec<OsString>,
}

/// Arguments that say where and whether to act.
#[derive(Args, Clone, Copy, Debug)]
struct ScopeArgs {
    /// The service of the whole computer: from boot, under an account with few rights; needs sudo
    #[arg(long)]
    system: bool,
    /// Print what would be done, and do nothing
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

/// Installs or removes the service, or prints its state. Returns false if it is not running.
///
/// # Errors
/// When the flags are wrong, something is in the way or not permitted, or the state is unknown.
pub(crate) fn run(args: &ServiceArgs, out: &mut dyn Write) -> Result<bool> {
    match &args.action {
        ServiceAction::Install(args) => install(args, out)?,
        ServiceAction::Remove(args) => remove(*args, out)?,
        ServiceAction::Status => return status(out),
    }
    Ok(true)
}

/// Has the system start serial-ws from now on.
fn install(args: &InstallArgs, out: &mut dyn Write) -> Result<()> {
    let flags = flags::Flags::check(&args.flags)?;
    let program = std::env::current_exe().context("cannot find this program")?;
    match manager(args.scope.scope())? {
        (ServiceManager::Systemd, folder) => {
            systemd::install(args.scope, &folder, &program, &flags, out)
        }
        (ServiceManager::Launchd, folder) => {
            launchd(folder).install(args.scope, &program, &flags, out)
        }
        (ServiceManager::StartupFolder, folder) => {
            startup_folder::install(args.scope, &folder, &program, &flags, out)
        }
    }
}

/// Undoes what [`install`] did. Fails if there is nothing to undo.
fn remove(args: ScopeArgs, out: &mut dyn Write) -> Result<()> {
    match manager(args.scope())? {
        (ServiceManager::Systemd, folder) => systemd::remove(args, &folder, out),
        (ServiceManager::Launchd, folder) => launchd(folder).remove(args, out),
        (ServiceManager::StartupFolder, folder) => startup_folder::remove(args, &folder, out),
    }
}

/// Prints whether the service is installed and running. Returns true if it is running, or if that is
/// not known.
fn status(out: &mut dyn Write) -> Result<bool> {
    match manager(Scope::User)? {
        (ServiceManager::Systemd, _) => systemd::status(out),
        (ServiceManager::Launchd, folder) => launchd(folder).status(out),
        (ServiceManager::StartupFolder, folder) => Ok(startup_folder::status(&folder, out)),
    }
}

fn launchd(folder: PathBuf) -> launchd::Launchd {
    launchd::Launchd {
        launchctl: "launchctl".into(),
        domain: platform::launchd_domain(),
        folder,
    }
}

/// Notes the variables that are set here and not in a service.
fn note_unseen_variables(out: &mut dyn Write) {
    for name in flags::Flags::unseen_variables() {
        let note =
            format!("note: {name} is set here, but the service does not see it: it has flags only");
        say(out, &note);
    }
}

/// The service manager, and the folder for the files that describe its services.
fn manager(scope: Scope) -> Result<(ServiceManager, PathBuf)> {
    let (manager, folder) = platform::service_manager();
    match (manager, scope) {
        (ServiceManager::Systemd, Scope::System) => Ok((manager, systemd::SYSTEM_FOLDER.into())),
        (_, Scope::System) => {
            bail!("--system needs systemd. Without it, serial-ws starts when you log in")
        }
        (_, Scope::User) => {
            let elevated = std::env::var_os("SUDO_USER").is_some();
            ensure!(
                !elevated,
                "sudo would install it for root. Run it without sudo, or with --system for the \
                 whole computer"
            );
            let folder =
                folder.context("the system does not name a folder for your configuration")?;
            Ok((manager, folder))
        }
    }
}

/// Prints a line. A reader that is gone does not stop what is being done.
fn say(out: &mut dyn Write, text: &str) {
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
