//! Telnet, as far as RFC 2217 needs it: parts data from commands, and agrees on options (RFC 854,
//! RFC 855, RFC 1143). Pure: it is given bytes and returns bytes.

/// Begins every command. As data it is sent twice.
pub(crate) const IAC: u8 = 255;
/// Begins a subnegotiation.
pub(super) const SB: u8 = 250;
/// Ends it.
pub(super) const SE: u8 = 240;

/// The option of sending eight bits (RFC 856).
const BINARY: u8 = 0;
/// The option of not taking turns (RFC 858).
const SUPPRESS_GO_AHEAD: u8 = 3;
/// The option that everybody answers and that changes nothing (RFC 860).
const TIMING_MARK: u8 = 6;
/// The option of RFC 2217.
pub(super) const COM_PORT: u8 = 44;

/// The options that are agreed to. All others are refused.
const OPTIONS: [u8; 3] = [BINARY, SUPPRESS_GO_AHEAD, COM_PORT];

/// Bytes of the longest subnegotiation. A longer one is left out: nothing that is known is so long.
const MAX_SUBNEGOTIATION: usize = 256;

/// A word about an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// The sender will use it.
    Will = 251,
    /// The sender will not.
    Wont = 252,
    /// The receiver shall use it.
    Do = 253,
    /// The receiver shall not.
    Dont = 254,
}

/// The thing that comes in a stream beside data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TelnetEvent {
    /// A word about an option.
    Negotiation(Verb, u8),
    /// The option and the bytes of a subnegotiation.
    Subnegotiation(Vec<u8>),
}

/// Parts data from commands.
#[derive(Default)]
pub(crate) struct TelnetDecoder {
    state: DecoderState,
    /// The subnegotiation so far.
    body: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
enum DecoderState {
    #[default]
    Data,
    Command,
    Option(Verb),
    Subnegotiation,
    CommandWithin,
}

impl TelnetDecoder {
    /// Decodes `input` up to the next event, and appends the data before it to `data`. Returns how
    /// many bytes were decoded, which are all if there is no event.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        data: &mut Vec<u8>,
    ) -> (usize, Option<TelnetEvent>) {
        let mut at = 0;
        while at < input.len() {
            if let DecoderState::Data = self.state {
                let rest = &input[at..];
                let end = memchr::memchr(IAC, rest).unwrap_or(rest.len());
                data.extend_from_slice(&rest[..end]);
                at += end;
                if at == input.len() {
                    break;
                }
            }
            let event = self.take(input[at], data);
            at += 1;
            if event.is_some() {
                return (at, event);
            }
        }
        (at, None)
    }

    fn take(&mut self, byte: u8, data: &mut Vec<u8>) -> Option<TelnetEvent> {
        use DecoderState::{Command, CommandWithin, Data, Option, Subnegotiation};
        let (next, event) = match (self.state, byte) {
            (Data, IAC) => (Command, None),
            (Data, byte) | (Command, byte @ IAC) => {
                data.push(byte);
                (Data, None)
            }
            (Command, byte) => return self.command(byte),
            (Option(verb), option) => (Data, Some(TelnetEvent::Negotiation(verb, option))),
            (Subnegotiation, IAC) => (CommandWithin, None),
            (Subnegotiation, byte) | (CommandWithin, byte @ IAC) => {
                // One more than may be tells that it was too long.
                if self.body.len() <= MAX_SUBNEGOTIATION {
                    self.body.push(byte);
                }
                (Subnegotiation, None)
            }
            (CommandWithin, SE) => {
                let body = std::mem::take(&mut self.body);
                let is_whole = (1..=MAX_SUBNEGOTIATION).contains(&body.len());
                (Data, is_whole.then_some(TelnetEvent::Subnegotiation(body)))
            }
            // Its end was lost.
            (CommandWithin, byte) => return self.command(byte),
        };
        self.state = next;
        event
    }

    /// Begins a command. Those that stand alone mean nothing to a serial port.
    fn command(&mut self, byte: u8) -> Option<TelnetEvent> {
        let verbs = [Verb::Will, Verb::Wont, Verb::Do, Verb::Dont];
        let verb = verbs.into_iter().find(|verb| *verb as u8 == byte);
        self.state = match (verb, byte) {
            (Some(verb), _) => DecoderState::Option(verb),
            (None, SB) => DecoderState::Subnegotiation,
            (None, _) => DecoderState::Data,
        };
        self.body.clear();
        None
    }
}

/// Appends data so that none of it is taken for a command.
pub(crate) fn escape(data: &[u8], output: &mut Vec<u8>) {
    for byte in data {
        output.push(*byte);
        if *byte == IAC {
            output.push(IAC);
        }
    }
}

/// The state of an option on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum OptionState {
    #[default]
    Off,
    /// It was offered or asked for, and not answered yet.
    Asked,
    On,
    Refused,
}

/// The options of a connection.
#[derive(Default)]
pub(crate) struct TelnetOptions {
    ours: [OptionState; OPTIONS.len()],
    theirs: [OptionState; OPTIONS.len()],
    /// True once the other end has answered to [`TelnetOptions::probe`].
    pub(crate) answers_probes: bool,
}

impl TelnetOptions {
    /// Offers and asks for every option.
    pub(crate) fn offer(&mut self, output: &mut Vec<u8>) {
        for option in OPTIONS {
            say(Verb::Will, option, output);
            say(Verb::Do, option, output);
        }
        self.ours = [OptionState::Asked; OPTIONS.len()];
        self.theirs = self.ours;
    }

    /// Asks for a sign of life.
    pub(crate) fn probe(output: &mut Vec<u8>) {
        say(Verb::Do, TIMING_MARK, output);
    }

    /// Notes what the other end says of an option, and answers where an answer is due. Answers are
    /// never answered, so that two ends agree at some time.
    pub(crate) fn answer(&mut self, verb: Verb, option: u8, output: &mut Vec<u8>) {
        let is_ours = matches!(verb, Verb::Do | Verb::Dont);
        let is_on = matches!(verb, Verb::Do | Verb::Will);
        let (agreed, refused) = if is_ours {
            (Verb::Will, Verb::Wont)
        } else {
            (Verb::Do, Verb::Dont)
        };
        if option == TIMING_MARK && !is_ours {
            self.answers_probes = true;
            return;
        }
        let Some(index) = OPTIONS.iter().position(|known| *known == option) else {
            if is_on {
                say(refused, option, output);
            }
            return;
        };
        let side = if is_ours {
            &mut self.ours
        } else {
            &mut self.theirs
        };
        let next = if is_on {
            OptionState::On
        } else {
            OptionState::Refused
        };
        let before = std::mem::replace(&mut side[index], next);
        match (before, is_on) {
            (OptionState::Off | OptionState::Refused, true) => say(agreed, option, output),
            (OptionState::On, false) => say(refused, option, output),
            _ => {}
        }
    }

    /// Returns whether both ends agreed to control a serial port; None until that is known.
    pub(crate) fn has_com_port(&self) -> Option<bool> {
        let index = OPTIONS.len() - 1;
        let sides = [self.ours[index], self.theirs[index]];
        if sides.contains(&OptionState::On) {
            return Some(true);
        }
        (sides == [OptionState::Refused; 2]).then_some(false)
    }
}

fn say(verb: Verb, option: u8, output: &mut Vec<u8>) {
    output.extend([IAC, verb as u8, option]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes the pieces of a stream.
    fn decode(pieces: &[&[u8]]) -> (Vec<u8>, Vec<(usize, TelnetEvent)>) {
        let (mut decoder, mut data) = (TelnetDecoder::default(), Vec::new());
        let mut events = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (used, event) = decoder.decode(rest, &mut data);
                assert!(used > 0);
                rest = &rest[used..];
                events.extend(event.map(|event| (data.len(), event)));
            }
            assert!(decoder.body.len() <= MAX_SUBNEGOTIATION + 1);
        }
        (data, events)
    }

    #[test]
    fn data_and_commands_are_parted() {
        let stream = b"a\xff\xff\xff\xfd\x2cb\xff\xf1\xff\xfa\x2c\x65\xff\xff\xff\xf0c";
        let (data, events) = decode(&[stream]);
        assert_eq!(data, b"a\xffbc");
        let expected = [
            (2, TelnetEvent::Negotiation(Verb::Do, 44)),
            (3, TelnetEvent::Subnegotiation(vec![44, 0x65, 0xff])),
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn a_subnegotiation_without_end_is_bounded_and_left_out() {
        let mut stream = vec![IAC, SB];
        stream.resize(100_000, b'x');
        stream.extend([IAC, SE, b'a', IAC, SB, IAC, SE, b'b']);
        assert_eq!(decode(&[&stream]), (b"ab".to_vec(), vec![]));
        let cut = [IAC, SB, 44, 1, IAC, Verb::Will as u8, 44, b'a'];
        let event = TelnetEvent::Negotiation(Verb::Will, 44);
        assert_eq!(decode(&[&cut]), (b"a".to_vec(), vec![(0, event)]));
    }

    /// Checks what is answered to these words about options.
    #[track_caller]
    fn check_answers(options: &mut TelnetOptions, asked: &[(Verb, u8)], expected: &[(Verb, u8)]) {
        let (mut output, mut answers) = (Vec::new(), Vec::new());
        for (verb, option) in asked {
            options.answer(*verb, *option, &mut output);
        }
        for (verb, option) in expected {
            say(*verb, *option, &mut answers);
        }
        assert_eq!(output, answers);
    }

    #[test]
    fn known_options_are_agreed_to_and_unknown_ones_are_refused() {
        use Verb::{Do, Dont, Will, Wont};
        let mut options = TelnetOptions::default();
        // As pyserial begins.
        check_answers(
            &mut options,
            &[(Do, 1), (Will, 3), (Do, 3), (Do, 44), (Will, 44)],
            &[(Wont, 1), (Do, 3), (Will, 3), (Will, 44), (Do, 44)],
        );
        assert_eq!(options.has_com_port(), Some(true));
        // Nothing is said twice, and a refusal of what is off needs no answer.
        check_answers(&mut options, &[(Do, 44), (Dont, 99), (Wont, 1)], &[]);
        check_answers(
            &mut options,
            &[(Dont, 44), (Wont, 44)],
            &[(Wont, 44), (Dont, 44)],
        );
        assert_eq!(options.has_com_port(), Some(false));
    }

    #[test]
    fn two_ends_agree_and_fall_silent() {
        let mut ends = [TelnetOptions::default(), TelnetOptions::default()];
        let mut output = Vec::new();
        ends[0].offer(&mut output);
        let mut rounds = 0;
        while !output.is_empty() {
            rounds += 1;
            assert!(rounds < 4);
            let mut answers = Vec::new();
            for event in decode(&[&output]).1 {
                let TelnetEvent::Negotiation(verb, option) = event.1 else {
                    panic!("{event:?}");
                };
                ends[rounds % 2].answer(verb, option, &mut answers);
            }
            output = answers;
        }
        assert_eq!(ends.map(|end| end.has_com_port()), [Some(true); 2]);
    }

    #[test]
    fn a_server_without_serial_ports_is_known_by_both_refusals() {
        let mut options = TelnetOptions::default();
        options.offer(&mut Vec::new());
        assert_eq!(options.has_com_port(), None);
        check_answers(&mut options, &[(Verb::Dont, 44), (Verb::Wont, 44)], &[]);
        assert_eq!(options.has_com_port(), Some(false));
        check_answers(&mut options, &[(Verb::Wont, TIMING_MARK)], &[]);
        assert!(options.answers_probes);
    }

    proptest! {
        #[test]
        fn data_survives_every_cut(
            data in prop::collection::vec(prop_oneof![any::<u8>(), Just(IAC)], 0..200),
            size in 1_usize..20,
        ) {
            let mut stream = Vec::new();
            escape(&data, &mut stream);
            let pieces: Vec<_> = stream.chunks(size).collect();
            prop_assert_eq!(decode(&pieces), (data, vec![]));
        }

        /// Whatever comes, the outcome does not depend on how it is cut.
        #[test]
        fn any_bytes_mean_the_same_at_every_cut(
            stream in prop::collection::vec(
                prop_oneof![any::<u8>(), Just(IAC), Just(SB), Just(SE), Just(COM_PORT)], 0..300
            ),
            size in 1_usize..20,
        ) {
            let pieces: Vec<_> = stream.chunks(size).collect();
            prop_assert_eq!(decode(&pieces), decode(&[&stream]));
        }

        /// Whatever a peer says of options, it gets at most one answer for each word.
        #[test]
        fn options_are_never_answered_more_than_asked(
            words in prop::collection::vec((0_u8..4, any::<u8>()), 0..100)
        ) {
            let mut options = TelnetOptions::default();
            let mut output = Vec::new();
            for (verb, option) in &words {
                let verb = [Verb::Will, Verb::Wont, Verb::Do, Verb::Dont][usize::from(*verb)];
                options.answer(verb, *option, &mut output);
            }
            prop_assert!(output.len() <= words.len() * 3);
        }
    }
}
