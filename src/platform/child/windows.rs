//! Programs on Windows: a job object has a program and all that it starts.

use std::io::{self, ErrorKind};
use std::mem::size_of;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::ptr::null;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::{Child, Command};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicAccountingInformation, JobObjectExtendedLimitInformation,
    QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::CREATE_NEW_PROCESS_GROUP;

/// The input and the output of a program, where they are not pipes.
pub(super) type Streams = (
    Box<dyn AsyncWrite + Send + Unpin>,
    Box<dyn AsyncRead + Send + Unpin>,
);

/// A job, which ends with its last handle, so also when we end in any way.
pub(super) struct Group {
    job: OwnedHandle,
    /// The number of the program, which is that of its console group too.
    id: u32,
}

impl Group {
    pub(super) fn of(child: &Child) -> io::Result<Self> {
        // SAFETY: the call makes an object without a name, and returns a handle of ours or null.
        let job = unsafe { CreateJobObjectW(null(), null()) };
        if job.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle is valid, and nobody else owns it.
        let job = unsafe { OwnedHandle::from_raw_handle(job.cast()) };
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        let process = child.raw_handle().ok_or(ErrorKind::NotFound)?;
        // SAFETY: both handles are open, and the call reads as many bytes as the limits have.
        let is_done = unsafe {
            SetInformationJobObject(
                job.as_raw_handle().cast(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32,
            ) != 0
                && AssignProcessToJobObject(job.as_raw_handle().cast(), process.cast()) != 0
        };
        let id = child.id().unwrap_or_default();
        // One that has ended already cannot be assigned, and needs no job.
        if !is_done {
            tracing::debug!(error = %io::Error::last_os_error(), "a program has no job");
        }
        Ok(Self { job, id })
    }

    pub(super) fn is_empty(&self) -> bool {
        let mut found = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: the handle is open, and the call writes no more bytes than there are.
        let is_known = unsafe {
            QueryInformationJobObject(
                self.job.as_raw_handle().cast(),
                JobObjectBasicAccountingInformation,
                (&raw mut found).cast(),
                size_of::<JOBOBJECT_BASIC_ACCOUNTING_INFORMATION>() as u32,
                std::ptr::null_mut(),
            ) != 0
        };
        !is_known || found.ActiveProcesses == 0
    }

    /// Sends Ctrl-Break, which console programs can catch. Others only end when they are killed.
    pub(super) fn terminate(&self) {
        // SAFETY: the call takes two numbers.
        unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, self.id) };
    }

    pub(super) fn kill(&self) {
        // SAFETY: the handle is open.
        unsafe { TerminateJobObject(self.job.as_raw_handle().cast(), 1) };
    }
}

/// Does nothing: the system kills all of a job when its last handle is closed.
pub(crate) fn kill_all() {}

/// Gives the program a console group of its own, and pipes.
pub(super) fn prepare(command: &mut Command, has_terminal: bool) -> io::Result<Option<Streams>> {
    if has_terminal {
        return Err(ErrorKind::Unsupported.into());
    }
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(None)
}

/// Says how a program ended.
pub(crate) fn end_reason(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with status {code}"),
        None => "ended".to_owned(),
    }
}

/// Returns the program as it was named: the system looks for it in the folders of `PATH`, and adds
/// `.exe`.
///
/// # Errors
/// Says why it cannot be run, and what to do.
pub(crate) fn find_program(program: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(program);
    if path.is_dir() {
        return Err("it is a folder".to_owned());
    }
    Ok(path)
}
