//! The protocol of clients that see lines, bytes or text: every message of theirs is written to
//! the device, and nothing but the device's data is sent to them.

use tokio_tungstenite::tungstenite::Message;

use super::{ClientProtocol, Input};
use crate::hub::Action;
use crate::server::foreign;
use crate::view::LineEnding;

pub(super) struct Plain;

impl ClientProtocol for Plain {
    fn foreign(&self, first: &str) -> Option<&'static str> {
        foreign::is_p5_serialport(first).then_some(foreign::P5_SERIALPORT)
    }

    fn decode(&self, message: Message, append: LineEnding) -> Input {
        match message {
            Message::Text(text) => Input::Action(Action::Write(append.complete(text.into())), None),
            Message::Binary(bytes) => Input::Action(Action::Write(bytes), None),
            _ => Input::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_text_message_is_its_bytes_and_the_ending() {
        let decoded = Plain.decode(Message::text("é"), LineEnding::Lf);
        let expected = Action::Write(Bytes::from_static("é\n".as_bytes()));
        assert_eq!(decoded, Input::Action(expected, None));
    }

    #[test]
    fn a_binary_message_is_its_bytes_exactly() {
        let decoded = Plain.decode(Message::binary(vec![0, 255]), LineEnding::Lf);
        assert_eq!(
            decoded,
            Input::Action(Action::Write(Bytes::from_static(&[0, 255])), None)
        );
    }
}
