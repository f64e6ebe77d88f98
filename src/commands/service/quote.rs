//! Quotes arguments for what starts programs: systemd, launchd, and the shells of Unix and Windows.
//! Pure.

use std::ffi::OsStr;

use anyhow::{Result, ensure};

/// Quotes the path of a program for `ExecStart=` (systemd.service(5), "Command lines"). Variables are
/// not expanded in it.
///
/// # Errors
/// For a path that systemd does not accept.
pub(crate) fn systemd_program(path: &OsStr) -> Result<String> {
    let is_unfit = |b: &u8| b.is_ascii_control() || b"\"'\\".contains(b);
    let bytes = path.as_encoded_bytes();
    ensure!(
        !bytes.iter().any(is_unfit),
        "systemd does not run programs whose path has quotes or backslashes: {}. Move the program",
        path.display()
    );
    Ok(systemd(path).replace("$$", "$"))
}

/// Quotes an argument for `ExecStart=` if it is not plain, and escapes specifiers and variables.
pub(crate) fn systemd(text: &OsStr) -> String {
    let bytes = text.as_encoded_bytes();
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./:=,@+".contains(b);
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return text.to_string_lossy().into_owned();
    }
    let mut quoted = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '%' => quoted.push_str("%%"),
                '$' => quoted.push_str("$$"),
                '"' | '\\' => quoted.extend(['\\', character]),
                c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", c as u32)),
                c => quoted.push(c),
            }
        }
        // File names need not be text.
        for byte in chunk.invalid() {
            quoted.push_str(&format!("\\x{byte:02x}"));
        }
    }
    quoted + "\""
}

/// Quotes an argument for a Unix shell.
pub(crate) fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Escapes text for an XML element.
pub(crate) fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Quotes an argument in a `.cmd` file, for a program that parses its command line as Microsoft's C
/// library does.
///
/// # Errors
/// For text that cannot be written there.
pub(crate) fn batch(text: &str) -> Result<String> {
    ensure!(
        !text.contains(|c: char| c == '"' || c.is_control()),
        "{text:?} has quotes or control characters, which a .cmd file cannot have"
    );
    // A backslash before the closing quote would make it part of the argument.
    let body = text.trim_end_matches('\\');
    let backslashes = text.len() - body.len();
    let end = "\\".repeat(2 * backslashes);
    Ok(format!("\"{}{end}\"", body.replace('%', "%%")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_systemd(text: &str, expected: &str) {
        assert_eq!(systemd(text.as_ref()), expected);
    }

    #[test]
    fn nothing_has_a_meaning_for_systemd() {
        check_systemd("--port=a=/dev/ttyACM0,raw", "--port=a=/dev/ttyACM0,raw");
        check_systemd("", r#""""#);
        check_systemd(";", r#"";""#);
        check_systemd("a b", r#""a b""#);
        check_systemd("100%h $HOME", r#""100%%h $$HOME""#);
        check_systemd(r#"say "hi" \n"#, r#""say \"hi\" \\n""#);
        check_systemd("a\nb\tc", r#""a\x0ab\x09c""#);
        check_systemd("größe", "\"größe\"");
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_text_is_written_byte_by_byte() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(systemd(OsStr::from_bytes(b"/a\xff/b")), r#""/a\xff/b""#);
    }

    #[test]
    fn the_program_of_a_unit_is_no_pattern() {
        let program = |path: &str| systemd_program(path.as_ref());
        assert_eq!(program("/opt/a b$c%/x").unwrap(), r#""/opt/a b$c%%/x""#);
        assert_eq!(program("/usr/bin/x").unwrap(), "/usr/bin/x");
        assert!(program(r#"/opt/a"b"#).is_err());
    }

    #[track_caller]
    fn check_batch(text: &str, expected: &str) {
        assert_eq!(batch(text).unwrap(), expected);
    }

    #[test]
    fn nothing_has_a_meaning_for_the_other_shells() {
        assert_eq!(shell("it's $5"), r"'it'\''s $5'");
        assert_eq!(xml("<a & b>"), "&lt;a &amp; b&gt;");
        check_batch("--port", "\"--port\"");
        check_batch(r"C:\My Files\", r#""C:\My Files\\""#);
        check_batch("100%PATH% & more", "\"100%%PATH%% & more\"");
        assert!(batch("a\"b").is_err());
        assert!(batch("a\nb").is_err());
    }
}
