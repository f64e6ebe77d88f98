//! Units of measurement, which may stand behind a number without being a part of it.

/// Units that begin with a letter. They decide whether `3D` or `20C` is a number: what is not in
/// this list makes a word of the whole.
const UNITS: &[&str] = &[
    // Temperature and humidity.
    "C",
    "F",
    "K",
    "degC",
    "degF",
    "celsius",
    "Celsius",
    "fahrenheit",
    "Fahrenheit",
    "percent",
    "RH",
    "rH",
    // Angles and motion.
    "deg",
    "degree",
    "degrees",
    "rad",
    "rpm",
    "RPM",
    "dps",
    "g",
    "G",
    "mg",
    "m/s",
    "m/s2",
    "m/s^2",
    "m/s²",
    "km/h",
    "mph",
    "kn",
    "knots",
    "rad/s",
    "deg/s",
    // Length, area, volume.
    "nm",
    "um",
    "mm",
    "cm",
    "dm",
    "m",
    "km",
    "in",
    "inch",
    "inches",
    "ft",
    "mi",
    "m2",
    "m3",
    "ml",
    "mL",
    "l",
    "L",
    "L/min",
    "l/min",
    "ul",
    // Mass, force, pressure.
    "kg",
    "lb",
    "lbs",
    "oz",
    "t",
    "N",
    "kN",
    "Nm",
    "Pa",
    "hPa",
    "kPa",
    "MPa",
    "bar",
    "mbar",
    "psi",
    "PSI",
    "atm",
    "mmHg",
    "inHg",
    // Time and frequency.
    "s",
    "sec",
    "secs",
    "seconds",
    "second",
    "ms",
    "us",
    "ns",
    "min",
    "mins",
    "minutes",
    "h",
    "hours",
    "Hz",
    "kHz",
    "MHz",
    "GHz",
    "fps",
    "bpm",
    "BPM",
    // Electricity.
    "V",
    "mV",
    "uV",
    "kV",
    "volt",
    "volts",
    "Volt",
    "Volts",
    "VDC",
    "VAC",
    "A",
    "mA",
    "uA",
    "amp",
    "amps",
    "Amps",
    "W",
    "mW",
    "kW",
    "watt",
    "watts",
    "Wh",
    "kWh",
    "Ah",
    "mAh",
    "VA",
    "var",
    "J",
    "kJ",
    "Ohm",
    "ohm",
    "Ohms",
    "ohms",
    "kOhm",
    "MOhm",
    "nF",
    "uF",
    "pF",
    "mF",
    "H",
    "mH",
    "uH",
    "T",
    "mT",
    "uT",
    "Gauss",
    "gauss",
    // Light, sound, gases, conductivity.
    "lx",
    "lux",
    "Lux",
    "lm",
    "lumen",
    "cd",
    "dB",
    "dBm",
    "dBA",
    "ppm",
    "ppb",
    "ug/m3",
    "ug/m^3",
    "mg/m3",
    "uS/cm",
    "mS/cm",
    "uS",
    "mS",
    "pH",
    "NTU",
    // Data and counts.
    "bit",
    "bits",
    "bytes",
    "byte",
    "B",
    "kB",
    "KB",
    "KiB",
    "MB",
    "MiB",
    "GB",
    "px",
    "cnt",
    "counts",
    "steps",
    "pcs",
];

/// Returns true for a unit, such as `kg`, `°C`, `%` or `µs`.
pub(super) fn is_unit(text: &str) -> bool {
    if UNITS.contains(&text) {
        return true;
    }
    let mut characters = text.chars();
    let rest = |characters: std::str::Chars<'_>| characters.as_str().to_owned();
    match characters.next() {
        // A degree sign of another encoding arrives as U+FFFD.
        Some('°' | 'º' | '*' | '\u{fffd}') => {
            matches!(characters.as_str(), "" | "C" | "F" | "K") && text != "*"
        }
        Some('%') => matches!(characters.as_str(), "" | "RH" | "rH" | "rh"),
        Some('‰' | '℃' | '℉' | '′' | '″') => characters.as_str().is_empty(),
        Some('µ' | 'μ') => UNITS.contains(&&*format!("u{}", rest(characters))),
        Some('k' | 'M' | 'm') if characters.as_str().starts_with(['Ω', '\u{2126}']) => true,
        Some('Ω' | '\u{2126}') => characters.as_str().is_empty(),
        _ => false,
    }
}

/// Returns true for a unit that could be a hexadecimal digit as well, as in `3F`.
pub(super) fn is_hex_digit(text: &str) -> bool {
    matches!(text, "A" | "B" | "C" | "F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_known_by_name() {
        for unit in [
            "kg",
            "°C",
            "*C",
            "\u{fffd}C",
            "%",
            "µs",
            "kΩ",
            "m/s²",
            "hPa",
        ] {
            assert!(is_unit(unit), "{unit}");
        }
        for word in ["", "D", "x", "d80", "apples", "*", "e5"] {
            assert!(!is_unit(word), "{word}");
        }
    }
}
