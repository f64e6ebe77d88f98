//! Settles with each frame which header names its values, for every framing.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Framer;
use crate::hub::Data;
use crate::values::HeaderTracker;

/// A framer whose frames know the header in force for them.
pub(super) struct WithHeaders {
    framer: Box<dyn Framer>,
    headers: HeaderTracker,
}

impl WithHeaders {
    /// Cuts frames as `framer` does.
    pub(super) fn new(framer: Box<dyn Framer>) -> Self {
        let headers = HeaderTracker::default();
        Self { framer, headers }
    }
}

impl Framer for WithHeaders {
    fn begin(&mut self, starts_whole: bool) {
        // Another program may run on the board now, and one that restarts prints its header again.
        self.headers.reset();
        self.framer.begin(starts_whole);
    }

    fn push(&mut self, chunk: Bytes) -> Data {
        let mut data = self.framer.push(chunk);
        data.frames.settle_headers(&mut self.headers);
        data
    }

    fn has_begun(&self) -> bool {
        self.framer.has_begun()
    }

    fn deadline(&self, last_read: Instant) -> Option<Instant> {
        self.framer.deadline(last_read)
    }

    fn on_silence(&mut self) -> Option<Data> {
        let mut data = self.framer.on_silence()?;
        data.frames.settle_headers(&mut self.headers);
        Some(data)
    }

    fn set_silence(&mut self, silence: Duration) {
        self.framer.set_silence(silence);
    }

    fn cut(&mut self) -> Option<Data> {
        let mut data = self.framer.cut()?;
        data.frames.settle_headers(&mut self.headers);
        Some(data)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Framing;
    use super::*;

    fn framer() -> Box<dyn Framer> {
        let framing: Framing = "lf".parse().unwrap();
        framing.framer(99)
    }

    /// The values of each line, as JSON.
    fn values(data: &[Data]) -> Vec<String> {
        let frames = data.iter().flat_map(|data| data.frames.iter());
        let json = frames.map(|frame| {
            let mut text = Vec::new();
            frame.values().write_json(&mut text);
            String::from_utf8(text).unwrap()
        });
        json.collect()
    }

    #[test]
    fn a_header_names_the_first_row_too_however_late_it_comes() {
        let mut framer = framer();
        let chunks = ["temp,h", "um\n", "2", "1,40\n22,41\n"];
        let data: Vec<_> = chunks.map(|chunk| framer.push(chunk.into())).into();
        let expected = ["[]", r#"{"temp":21,"hum":40}"#, r#"{"temp":22,"hum":41}"#];
        assert_eq!(values(&data), expected);
    }

    #[test]
    fn an_opening_ends_a_header_and_a_fragment_is_none() {
        let mut framer = framer();
        let before = framer.push("a,b\n1,2\n".into());
        framer.begin(false);
        let after = framer.push("c,d\n3,4\n".into());
        assert_eq!(
            values(&[before, after]),
            ["[]", r#"{"a":1,"b":2}"#, "[]", "[3,4]"]
        );
    }

    proptest! {
        #[test]
        fn names_do_not_depend_on_how_the_input_is_cut(
            lines in prop::collection::vec(prop::sample::select(vec![
                "a,b", "1,2", "3,4", "5", "x y", "6 7", "log", "", "8,", "a;b", "1,5;2", "é,f",
            ]), 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        ) {
            let text: Vec<u8> = lines.iter().flat_map(|line| [*line, "\n"].concat().into_bytes()).collect();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut whole = framer();
            let expected: Vec<_> = (!text.is_empty()).then(|| whole.push(text.clone().into())).into_iter().collect();
            let mut pieces = framer();
            let parts = cuts.windows(2).filter(|cut| cut[0] < cut[1]);
            let data: Vec<_> = parts.map(|cut| pieces.push(Bytes::copy_from_slice(&text[cut[0]..cut[1]]))).collect();
            prop_assert_eq!(values(&data), values(&expected));
        }
    }
}
