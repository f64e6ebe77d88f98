//! Starts a program whose standard input and output are ours, in a group of its own that is ended as a
//! whole: the program and what it has started.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::{Child, ChildStderr, Command};

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as os;
#[cfg(windows)]
use windows as os;

pub(crate) use os::{end_reason, find_program, kill_all};

/// The time between two looks at whether all processes of a group have ended.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// The variables by which a service manager speaks with us alone.
const MANAGER_VARIABLES: [&str; 4] = [
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "WATCHDOG_USEC",
    "CREDENTIALS_DIRECTORY",
];

/// The beginning of the names of our own variables, one of which is a token.
const OWN_VARIABLES: &str = "SERIAL_WS_";

/// A program that runs.
pub(crate) struct StartedProgram {
    /// Its standard input.
    pub(crate) input: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output.
    pub(crate) output: Box<dyn AsyncRead + Send + Unpin>,
    /// Its standard error.
    pub(crate) errors: ChildStderr,
    /// The process.
    pub(crate) child: Child,
    /// The program and all that it has started.
    pub(crate) group: ProcessGroup,
}

/// A program and all that it has started, as far as it stayed in its group. They are killed if this is
/// dropped before they have ended.
pub(crate) struct ProcessGroup(os::Group);

impl ProcessGroup {
    /// Asks all of them to end, and kills those that have not after `grace`. Blocks until then.
    pub(crate) fn end(self, grace: Duration) {
        self.0.terminate();
        let deadline = Instant::now() + grace;
        while !self.0.is_empty() && Instant::now() < deadline {
            std::thread::sleep(CHECK_INTERVAL);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// Starts a program with pipes, or with a terminal, where the system has any. It has neither our
/// variables nor our descriptors.
///
/// # Errors
/// As the system reports them.
pub(crate) fn start_program(
    program: &Path,
    arguments: &[String],
    has_terminal: bool,
) -> io::Result<StartedProgram> {
    let mut command = Command::new(program);
    command.args(arguments).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with(OWN_VARIABLES) || MANAGER_VARIABLES.contains(&&*text) {
            command.env_remove(&name);
        }
    }
    let streams = os::prepare(&mut command, has_terminal)?;
    let mut child = command.spawn()?;
    // Closes what is meant for the program alone.
    drop(command);
    let group = ProcessGroup(os::Group::of(&child)?);
    let (input, output) = match streams {
        Some(streams) => streams,
        None => {
            let (input, output) = (child.stdin.take(), child.stdout.take());
            (
                Box::new(input.ok_or(io::ErrorKind::BrokenPipe)?) as _,
                Box::new(output.ok_or(io::ErrorKind::BrokenPipe)?) as _,
            )
        }
    };
    Ok(StartedProgram {
        input,
        output,
        errors: child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?,
        child,
        group,
    })
}
