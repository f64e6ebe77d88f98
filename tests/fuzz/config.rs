//! The law of configuration: command lines and files.

use serial_ws::Config;

/// What a clumsy message would have from a library: it tells people nothing.
const FOREIGN: [&str; 6] = [
    "invalid digit found",
    "cannot parse integer",
    "number too large to fit",
    "number too small to fit",
    "invalid float literal",
    "ParseIntError",
];

/// A command line or a file is taken, or refused with a sentence in our words that cannot move the
/// cursor of the terminal. The first byte chooses: a command line with one argument a line, the
/// value of one flag, or a file.
pub fn config(data: &[u8]) {
    let Some((&choice, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    // Files of the system that never end, or wait for somebody.
    if ["/dev/", "/proc/", "/sys/", "\0"]
        .iter()
        .any(|path| text.contains(path))
    {
        return;
    }
    let refused = match choice % 4 {
        0 => {
            let arguments = text.lines().map(str::to_owned);
            Config::from_args(std::iter::once("serial-ws".to_owned()).chain(arguments))
        }
        1 => Config::from_args(["serial-ws", &format!("--port={text}")]),
        2 => Config::from_args(["serial-ws", "--port=sim", &format!("--allow-origin={text}")]),
        _ => from_file(text),
    };
    let Err(error) = refused else {
        return;
    };
    let shown = format!("{error:#}");
    assert!(!shown.trim().is_empty());
    // A command line is the user's own, and the parser of arguments shows it as it is.
    let may_echo = choice % 4 != 3;
    let moves = |c: char| c.is_control() && c != '\n';
    assert!(may_echo || !shown.contains(moves), "{shown:?}");
    for words in FOREIGN {
        assert!(text.contains(words) || !shown.contains(words), "{shown}");
    }
}

fn from_file(text: &str) -> Result<Config, anyhow::Error> {
    let path = std::env::temp_dir().join(format!("serial-ws-law-{}.toml", std::process::id()));
    std::fs::write(&path, text).expect("there is a folder for files of this kind");
    let config = Config::from_args(["serial-ws", &format!("--config={}", path.display())]);
    let _ = std::fs::remove_file(path);
    config
}
