//! The reasons that systems and libraries give for an error, in words for people.

use std::io::{self, ErrorKind};

/// Returns the reason of an error in words for people: our own words if it has some.
pub(crate) fn reason(error: &io::Error) -> String {
    if error.get_ref().is_some() {
        // One of ours, in words already.
        return error.to_string();
    }
    let known = of_number(error).or_else(|| of_kind(error.kind()));
    known.map_or_else(|| of_system(error), str::to_owned)
}

/// Returns a sentence about an error and its causes, without the words of the standard library.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let causes = error.chain().map(|cause| match cause.downcast_ref() {
        Some(error) => reason(error),
        None => cause.to_string(),
    });
    causes.collect::<Vec<_>>().join(": ")
}

/// Numbers that no kind stands for, or a kind with another meaning for us.
#[cfg(unix)]
fn of_number(error: &io::Error) -> Option<&'static str> {
    Some(match error.raw_os_error()? {
        libc::ENOTTY => "it cannot do this",
        libc::EIO => "it does not respond",
        libc::ENXIO | libc::ENODEV => "there is no such device",
        libc::EMFILE | libc::ENFILE => "too many files are open",
        libc::ELOOP => "its links lead in a circle",
        libc::ENOEXEC => "it is not a program that this computer can run",
        _ => return None,
    })
}

/// For most of what matters here, Windows has kinds.
#[cfg(windows)]
fn of_number(error: &io::Error) -> Option<&'static str> {
    use windows_sys::Win32::Foundation::ERROR_BAD_EXE_FORMAT;
    let is_no_program = error.raw_os_error() == Some(ERROR_BAD_EXE_FORMAT as i32);
    is_no_program.then_some("it is not a program that this computer can run")
}

fn of_kind(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NotFound => "there is no such file",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "a part of its path is not a folder",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::AlreadyExists => "it exists already",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "your share of the disk is full",
        ErrorKind::ReadOnlyFilesystem => "it can only be read there",
        ErrorKind::FileTooLarge => "the file would be too large",
        ErrorKind::InvalidFilename => {
            "the name is too long or has a character that it may not have"
        }
        ErrorKind::ResourceBusy => "it is in use",
        ErrorKind::OutOfMemory => "there is not enough memory",
        ErrorKind::Unsupported => "it cannot do this",
        ErrorKind::InvalidInput => "the system does not accept it",
        ErrorKind::TimedOut => "it took too long",
        ErrorKind::ConnectionRefused => "nothing listens there",
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => "the connection was closed",
        ErrorKind::HostUnreachable => "that computer cannot be reached",
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => "no network leads there",
        ErrorKind::AddrInUse => "another program uses this address",
        ErrorKind::AddrNotAvailable => "this computer does not have this address",
        _ => return None,
    })
}

/// Returns the words of the system, which may be in the language of the user.
fn of_system(error: &io::Error) -> String {
    let text = error.to_string();
    let (words, number) = text.split_once(" (os error ").unwrap_or((&text, ""));
    match number.trim_end_matches(')') {
        "" => words.to_owned(),
        number => format!(
            "{} (error {number} of the system)",
            words.trim_end_matches('.')
        ),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_reason_is_in_words_for_people() {
        assert_eq!(reason(&ErrorKind::NotFound.into()), "there is no such file");
        assert_eq!(
            reason(&io::Error::other("it is not text")),
            "it is not text"
        );
        let error = anyhow::Error::from(io::Error::from(ErrorKind::StorageFull));
        let error = Err::<(), _>(error).context("cannot write a").unwrap_err();
        assert_eq!(sentence(&error), "cannot write a: the disk is full");
    }

    #[cfg(unix)]
    #[test]
    fn a_number_of_the_system_is_told_where_it_has_no_words_of_ours() {
        let reason_of = |number| reason(&io::Error::from_raw_os_error(number));
        assert_eq!(reason_of(libc::ENOTTY), "it cannot do this");
        assert_eq!(reason_of(libc::ENOENT), "there is no such file");
        let other = reason_of(libc::EPROTO);
        assert!(
            other.ends_with(&format!(" (error {} of the system)", libc::EPROTO)),
            "{other}"
        );
    }
}
