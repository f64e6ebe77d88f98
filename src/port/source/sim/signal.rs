//! The readings of simulated sensors: pure functions of the time since the board was switched on,
//! so that every run shows the same picture.

use std::f64::consts::TAU;

/// The largest reading of an Arduino's `analogRead`.
const ANALOG_MAX: f64 = 1023.0;

/// The presses of the button, from and to, in seconds of a cycle: as irregular as a person's.
const PRESSES: [(f64, f64); 5] = [(1.2, 1.5), (3.1, 3.25), (3.5, 3.7), (6.4, 7.6), (9.3, 9.45)];
const PRESS_CYCLE: f64 = 11.0;

/// A potentiometer turned slowly from end to end and back, 0 to 1023.
pub(crate) fn potentiometer(seconds: f64) -> u16 {
    analog(0.5 - 0.5 * wave(seconds, 8.0, 0.0))
}

/// A light sensor in a room with people in it: slow shadows, and noise in every reading, 0 to 1023.
pub(crate) fn light(seconds: f64) -> u16 {
    analog(0.55 + 0.2 * wave(seconds, 13.0, 0.0) + 0.03 * noise(seconds))
}

/// Returns whether the button is held down.
pub(crate) fn button(seconds: f64) -> bool {
    let phase = seconds % PRESS_CYCLE;
    PRESSES
        .iter()
        .any(|&(down, up)| down <= phase && phase < up)
}

/// A room's temperature in degrees Celsius.
pub(crate) fn temperature(seconds: f64) -> f64 {
    21.5 + 1.5 * wave(seconds, 30.0, 0.0) + 0.05 * noise(seconds)
}

/// Relative humidity in percent.
pub(crate) fn humidity(seconds: f64) -> f64 {
    47.0 - 6.0 * wave(seconds, 30.0, 0.1) + 0.3 * noise(seconds + 0.5)
}

/// Heading (0 to 360), pitch and roll (-180 to 180) of a hand-held board, in degrees.
pub(crate) fn orientation(seconds: f64) -> [f64; 3] {
    let heading = (seconds * 30.0 + 20.0 * wave(seconds, 5.0, 0.0)).rem_euclid(360.0);
    let pitch = 35.0 * wave(seconds, 7.0, 0.0) + 0.2 * noise(seconds);
    let roll = 60.0 * wave(seconds, 11.0, 0.25) + 0.2 * noise(seconds + 0.5);
    [heading, pitch, roll]
}

/// A cosine between -1 and 1 with this period, `phase` of a turn ahead.
fn wave(seconds: f64, period: f64, phase: f64) -> f64 {
    (TAU * (seconds / period + phase)).cos()
}

/// A fraction of the whole range as an analog reading.
fn analog(fraction: f64) -> u16 {
    (fraction * ANALOG_MAX).round().clamp(0.0, ANALOG_MAX) as u16
}

/// Noise between -1 and 1, another value each millisecond.
fn noise(seconds: f64) -> f64 {
    let millisecond = (seconds * 1000.0) as u64;
    // The mixing steps of SplitMix64: neighbouring times give unrelated values.
    let mut mixed = millisecond.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^= mixed >> 27;
    f64::from((mixed >> 40) as u32) / f64::from(1_u32 << 23) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_minutes() -> impl Iterator<Item = f64> {
        (0..12_000).map(|n| f64::from(n) / 100.0)
    }

    #[test]
    fn a_potentiometer_goes_from_end_to_end() {
        let readings: Vec<u16> = two_minutes().map(potentiometer).collect();
        assert_eq!(readings.iter().min(), Some(&0));
        assert_eq!(readings.iter().max(), Some(&1023));
    }

    #[test]
    fn light_is_noisy_but_stays_within_the_range() {
        let readings: Vec<u16> = two_minutes().map(light).collect();
        assert!(
            readings
                .iter()
                .all(|&reading| reading < 1023 && reading > 0)
        );
        let unequal = readings
            .windows(2)
            .filter(|pair| pair[0] != pair[1])
            .count();
        assert!(
            unequal > readings.len() / 2,
            "only {unequal} readings differ from the one before"
        );
    }

    #[test]
    fn a_button_is_pressed_now_and_then() {
        let down = two_minutes().filter(|&seconds| button(seconds)).count();
        assert!(
            (1_000..4_000).contains(&down),
            "down for {down} of 12000 readings"
        );
    }

    #[test]
    fn orientation_stays_within_a_turn() {
        for [heading, pitch, roll] in two_minutes().map(orientation) {
            assert!((0.0..360.0).contains(&heading));
            assert!(pitch.abs() <= 180.0 && roll.abs() <= 180.0);
        }
    }

    #[test]
    fn noise_fills_its_range_evenly() {
        let values: Vec<f64> = two_minutes().map(noise).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!(values.iter().all(|value| (-1.0..=1.0).contains(value)));
        assert!(mean.abs() < 0.05, "mean {mean}");
    }
}
