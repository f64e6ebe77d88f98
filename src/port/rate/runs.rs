//! Bounds the rate at which a board sends by what its bytes look like at another rate.

/// Runs to see, apart from those that begin a character, before the shortest of them tells that the
/// board is slower. From one that is much faster, a character is one low run and ones.
const MIN_INNER: usize = 5;

/// Bytes of zeros alone that tell so.
const MIN_ZEROS: usize = 4;

/// The runs of equal bits within characters. One that a change of the line begins and ends has the
/// length of one or more bits of the sender.
#[derive(Default)]
pub(super) struct Runs {
    count: usize,
    /// Those that do not begin a character.
    inner: usize,
    /// Those of one bit.
    singles: usize,
    /// The shortest of the others.
    shortest: Option<u32>,
    /// Characters that are one long low run.
    zeros: usize,
}

impl Runs {
    /// Adds a character.
    pub(super) fn add(&mut self, byte: u8) {
        // With its start bit. The stop bit ends the last run too early.
        let mut rest = u16::from(byte) << 1;
        let mut left = 9;
        self.zeros += usize::from(byte == 0);
        loop {
            let is_high = rest & 1 == 1;
            let run = if is_high {
                rest.trailing_ones()
            } else {
                rest.trailing_zeros()
            };
            if run >= left {
                return;
            }
            self.count += 1;
            self.inner += usize::from(left < 9);
            match run {
                1 => self.singles += 1,
                _ => self.shortest = Some(self.shortest.map_or(run, |least| least.min(run))),
            }
            rest >>= run;
            left -= run;
        }
    }

    /// Returns the lowest and the highest rate at which the board may send, if these characters
    /// were read at `baud`.
    pub(super) fn bounds(&self, baud: u32) -> (u32, u32) {
        if self.singles >= 2 && self.singles * 10 >= self.count {
            // A run that is sampled once is shorter than two samples are apart.
            return (baud / 20 * 11, u32::MAX);
        }
        if let Some(run) = self.shortest
            && self.singles * 50 <= self.count
        {
            // A run that is sampled twice is shorter than three samples are apart. One that is
            // never sampled less often is hardly shorter than two.
            let is_sure = self.inner >= MIN_INNER;
            let high = if is_sure {
                baud / (2 * run - 1) * 2
            } else {
                u32::MAX
            };
            return (baud / (run + 1) / 10 * 9, high);
        }
        let is_slow = self.count == 0 && self.zeros >= MIN_ZEROS;
        (0, if is_slow { baud / 8 } else { u32::MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], bounds: (u32, u32)) {
        let mut runs = Runs::default();
        bytes.iter().for_each(|byte| runs.add(*byte));
        assert_eq!(runs.bounds(10_000), bounds);
    }

    #[test]
    fn single_bits_come_from_a_board_that_is_not_much_slower() {
        check(b"512,300\r\n", (5500, u32::MAX));
        check(&[0xff, 0xff, 0xff, 0xff], (5500, u32::MAX));
    }

    #[test]
    fn bits_that_are_never_alone_come_from_a_slower_board() {
        // Each bit twice: 66 is _ 01100110 -, with a start bit of two.
        check(&[0x66, 0x66, 0x78, 0x1e, 0x66], (2997, 6666));
        check(
            &[0x1c, 0xe0, 0x1c, 0xe0, 0x1c, 0x1c, 0x1c, 0x1c],
            (2250, 4000),
        );
        check(&[0, 0, 0, 0], (0, 1250));
    }

    #[test]
    fn little_tells_nothing() {
        check(&[0x66], (2997, u32::MAX));
        check(&[0, 0, 0], (0, u32::MAX));
        check(&[], (0, u32::MAX));
    }
}
