//! Programs on Linux and macOS: process groups, signals, and pseudo-terminals.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::{Child, Command};

use crate::platform::AsyncDescriptor;
use crate::platform::pty::{PtyPair, open_pty, set_raw};

/// Bytes at the beginning of a file that tell a script from a program.
const HEAD_BYTES: usize = 64;

/// The groups of all programs that run, to be killed if we have to end in a hurry.
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// The input and the output of a program, where they are not pipes.
pub(super) type Streams = (
    Box<dyn AsyncWrite + Send + Unpin>,
    Box<dyn AsyncRead + Send + Unpin>,
);

/// A process group, which has the number of the program that it began with. The system gives that
/// number to nobody else as long as a process is in the group.
pub(super) struct Group(Pid);

impl Group {
    pub(super) fn of(child: &Child) -> io::Result<Self> {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group = id.and_then(Pid::from_raw).ok_or(ErrorKind::NotFound)?;
        groups(|groups| groups.push(group));
        Ok(Self(group))
    }

    /// Returns true once nobody in the group is left to wait for. Those that [`kill_all`] has killed may
    /// still be there until their parents have noticed.
    pub(super) fn is_empty(&self) -> bool {
        !groups(|groups| groups.contains(&self.0)) || test_kill_process_group(self.0).is_err()
    }

    pub(super) fn terminate(&self) {
        // All of them may have ended.
        let _ = kill_process_group(self.0, Signal::TERM);
    }

    pub(super) fn kill(&self) {
        groups(|groups| groups.retain(|group| *group != self.0));
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

/// Kills all programs that still run, because we end at once.
pub(crate) fn kill_all() {
    groups(|groups| {
        for group in groups.drain(..) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    });
}

fn groups<T>(change: impl FnOnce(&mut Vec<Pid>) -> T) -> T {
    change(&mut GROUPS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Lets no program have the descriptors that we were started with. Our own ones have the same mark
/// from their beginning.
fn mark_inherited_descriptors() {
    let Ok(entries) = fs::read_dir("/dev/fd") else {
        return;
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    for number in names.filter_map(|name| name.to_str()?.parse::<i32>().ok()) {
        if number > libc::STDERR_FILENO {
            // SAFETY: the call takes numbers, and changes nothing but what a program inherits.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

/// Gives the program a group of its own, and pipes or a terminal.
pub(super) fn prepare(command: &mut Command, has_terminal: bool) -> io::Result<Option<Streams>> {
    mark_inherited_descriptors();
    if !has_terminal {
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        return Ok(None);
    }
    let PtyPair { ours, terminal, .. } = open_pty()?;
    set_raw(&terminal)?;
    command.stdin(terminal.try_clone()?).stdout(terminal);
    // SAFETY: between fork and exec, the closure makes two system calls and nothing else.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            // The standard input is the terminal by now.
            let input = rustix::stdio::stdin();
            rustix::process::ioctl_tiocsctty(input)?;
            Ok(())
        })
    };
    let input = AsyncDescriptor::new(ours.try_clone()?)?;
    let output = AsyncDescriptor::new(ours)?;
    Ok(Some((Box::new(input), Box::new(output))))
}

/// Says how a program ended.
pub(crate) fn end_reason(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// Finds the file of a program: at its path, or by its name in the folders of `PATH`.
///
/// # Errors
/// Says why it cannot be run, and what to do.
pub(crate) fn find_program(program: &str) -> Result<PathBuf, String> {
    if program.contains('/') {
        let path = PathBuf::from(program);
        return check_program(&path).map(|()| path);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut why = None;
    for folder in std::env::split_paths(&folders) {
        let path = folder.join(program);
        match check_program(&path) {
            Ok(()) => return Ok(path),
            Err(_) if !path.is_file() => {}
            Err(reason) => why = why.or(Some(reason)),
        }
    }
    Err(why.unwrap_or_else(|| {
        let is_here = Path::new(program).exists();
        let meant = if is_here {
            format!("; did you mean `./{program}`?")
        } else {
            String::new()
        };
        format!("no folder of PATH has it{meant}")
    }))
}

fn check_program(path: &Path) -> Result<(), String> {
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound if path.is_relative() => match std::env::current_dir() {
            Ok(folder) => format!("there is no such file in {}", folder.display()),
            Err(_) => "there is no such file".to_owned(),
        },
        _ => super::super::reason(&error),
    })?;
    if found.is_dir() {
        return Err("it is a folder".to_owned());
    }
    if found.permissions().mode() & 0o111 == 0 {
        let advice = "it is not executable: chmod +x makes it so, or name the program that runs it \
                      first, such as python3";
        return Err(advice.to_owned());
    }
    check_script(path)
}

/// Checks that a script names its interpreter, which must be there.
fn check_script(path: &Path) -> Result<(), String> {
    let mut head = Vec::new();
    // A program may be executable and not readable.
    let read =
        File::open(path).and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut head));
    if read.is_err() {
        return Ok(());
    }
    let is_text = head
        .iter()
        .all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace());
    let Some(rest) = head.strip_prefix(b"#!") else {
        if !is_text || head.is_empty() {
            return Ok(());
        }
        let advice =
            "it is a script whose first line does not name what runs it, such as #!/bin/sh";
        return Err(advice.to_owned());
    };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let interpreter = String::from_utf8_lossy(line);
    let interpreter = interpreter.split_whitespace().next().unwrap_or_default();
    let is_whole = rest.contains(&b'\n');
    if is_whole && !Path::new(interpreter).exists() {
        let interpreter = crate::terminal::shown(interpreter);
        return Err(format!(
            "its first line says that {interpreter} runs it, which is not there"
        ));
    }
    Ok(())
}
