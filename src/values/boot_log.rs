//! The boot logs of ESP32 and ESP8266, whose numbers are no readings.

/// Beginnings of lines that boot ROMs, bootloaders, the SDK of ESP8266 and crash handlers print.
const BEGINNINGS: &[&str] = &[
    // Boot ROM and bootloader.
    "ets ",
    "ESP-ROM:",
    "rst:0x",
    "rst cause:",
    "reset cause",
    "boot:0x",
    "boot mode:",
    "configsip:",
    "SPIWP:0x",
    "clk_drv:0x",
    "mode:DIO",
    "mode:QIO",
    "mode:DOUT",
    "mode:QOUT",
    "load:0x",
    "load 0x",
    "entry 0x",
    "ho 0 tail",
    "chksum 0x",
    "csum 0x",
    "csum err",
    "Saved PC:",
    "flash read err",
    "invalid header",
    "ets_main.c",
    "SHA-256 comparison",
    "2nd boot version",
    "SPI Speed",
    "SPI Mode",
    "SPI Flash Size",
    "jump to run",
    "Fatal exception",
    "wdt reset",
    "epc1=",
    "rf cal sector",
    "rf_cal",
    "freq trace enable",
    "rf[",
    "SDK ver:",
    "phy ver:",
    "phy_version",
    // The Wi-Fi library of ESP8266.
    "scandone",
    "state: ",
    "connected with ",
    "pm open",
    "pm close",
    "fpm ",
    "sleep enable",
    "sleep disable",
    "mode : ",
    "ip:",
    "bcn_timout",
    "wifi evt",
    "station: ",
    // Crashes.
    "Guru Meditation",
    "Core ",
    "Exception (",
    "Exception was",
    "excvaddr",
    "EXCVADDR",
    "Backtrace",
    "ELF file SHA",
    "ctx: ",
    "sp: ",
    ">>>stack",
    "<<<stack",
    "last failed alloc",
    "assert failed",
    "abort() was called",
    "Stack smashing",
    "CORRUPT HEAP",
    "PC      :",
    "MEPC    :",
    "A10     :",
    "Brownout detector",
    "Rebooting",
];

/// Words that stand before one whole number in these logs.
const COUNTS: &[&str] = &["tail", "add", "aid", "bcn", "del"];

/// Returns true for a line of such a log.
pub(super) fn is_boot_log(text: &str) -> bool {
    let begins = BEGINNINGS
        .iter()
        .any(|beginning| text.starts_with(beginning));
    begins && !is_ordinary(text) || is_count(text) || is_memory_map(text)
}

/// Returns true where a sketch may well print the same beginning: a state that is no change, a
/// station that is no address.
fn is_ordinary(text: &str) -> bool {
    let is_state = text.starts_with("state: ") && !text.contains("->");
    let is_mode = text.starts_with("mode : ") && !text.contains('(');
    let is_address = text.starts_with("station: ") && !text.contains("join");
    let is_sp = text.starts_with("sp: ") && !text.contains("end:");
    let is_core =
        text.starts_with("Core ") && !text.contains("register") && !text.contains("panic");
    is_state || is_mode || is_address || is_sp || is_core
}

/// Returns true for `tail 0`, `aid 1` and the like.
fn is_count(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(word, count)| {
        COUNTS.contains(&word) && count.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Returns true for `1150 mmu set 00010000, pos 00010000` and `ho 0 tail 12 room 4`.
fn is_memory_map(text: &str) -> bool {
    text.contains(" mmu set ") || text.contains(" tail ") && text.contains(" room ")
}
