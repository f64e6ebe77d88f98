//! The prefixes that loggers put before a message: ESP-IDF's `I (1234) tag: `, and groups in brackets, such as
//! `[  1234][I][main.cpp:42] loop(): `.

use super::{LineValues, MAX_NAME_CHARS, read, time};

/// The parts of ESP-IDF that log while a board starts and connects. Their numbers are no readings.
const SYSTEM_TAGS: &[&str] = &[
    "BLE_INIT",
    "BTDM_INIT",
    "MSPI Timing",
    "app_init",
    "app_start",
    "bootloader_random",
    "cache",
    "clk",
    "coexist",
    "cpu_start",
    "dport_access",
    "efuse",
    "efuse_init",
    "esp_eth.netif.netif_glue",
    "esp_image",
    "esp_netif_handlers",
    "esp_netif_lwip",
    "esp_psram",
    "flash_parts",
    "gpio",
    "heap_init",
    "intr_alloc",
    "main_task",
    "memory_layout",
    "mmu",
    "net80211",
    "nvs",
    "opi psram",
    "phy",
    "phy_init",
    "pm",
    "pmu",
    "pp",
    "psram",
    "quad_psram",
    "rtc_init",
    "sleep",
    "sleep_gpio",
    "spi_flash",
    "spiram",
    "system_api",
    "system_event",
    "task_wdt",
    "tcpip_adapter",
    "time",
    "uart",
    "wifi",
    "wifi_init",
];

/// Returns the values of a message after a logger's prefix; None where there is no prefix.
pub(super) fn read_after(text: &str, depth: usize) -> Option<LineValues> {
    if let Some((tag, message)) = esp_idf(text) {
        let is_system = SYSTEM_TAGS.contains(&tag)
            || ["boot", "secure_boot", "esp_core_dump", "flash_encrypt"]
                .iter()
                .any(|part| tag.starts_with(part));
        if is_system || tag.chars().count() >= MAX_NAME_CHARS {
            return Some(LineValues::default());
        }
        return Some(read(message, depth).named(tag));
    }
    let (message, is_time) = after_brackets(text)?;
    let values = read(message, depth);
    // Numbers without a name after a bracket may be those of different things: `[1] 512`, `[2] 300`.
    let is_certain = is_time || values.iter().any(|value| value.name.is_some());
    Some(if is_certain {
        values
    } else {
        LineValues::default()
    })
}

/// Splits a line of ESP-IDF's log into its tag and its message.
fn esp_idf(text: &str) -> Option<(&str, &str)> {
    let rest = text
        .strip_prefix(['E', 'W', 'I', 'D', 'V'])?
        .strip_prefix(" (")?;
    let (time, rest) = rest.split_once(") ")?;
    let is_time = time
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'));
    let (tag, message) = rest.split_once(':')?;
    (is_time && !time.is_empty()).then(|| (tag.trim(), message.trim()))
}

/// Returns what follows groups in brackets at the beginning, and whether they are times.
fn after_brackets(text: &str) -> Option<(&str, bool)> {
    let mut rest = text;
    let mut is_time = true;
    while let Some(inside) = rest.strip_prefix('[') {
        let (group, after) = inside.split_once(']')?;
        is_time &= group.split(' ').all(time::is_time);
        rest = after.trim_start();
    }
    if let Some(level) = rest.strip_prefix('<') {
        rest = level.split_once('>')?.1.trim_start();
    }
    (rest.len() < text.len() && text.starts_with('[') && !rest.is_empty())
        .then_some((rest, is_time))
}
