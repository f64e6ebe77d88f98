//! Messages of OSC 1.0, made and read. Pure.

use bytes::Bytes;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType, decoder, encoder};

use crate::values::LineValues;

/// The beginning of all addresses that are sent.
const ROOT: &str = "/serial";

/// The address of messages to be written.
const SEND: &str = "/send";

/// The time tag of what is to be carried out at once (OSC 1.0, "Temporal Semantics"): the clocks of two
/// computers differ.
const IMMEDIATELY: OscTime = OscTime {
    seconds: 0,
    fractional: 1,
};

/// Bundles in bundles that are read. Nobody nests them deeper.
const MAX_DEPTH: usize = 8;

/// A text for a port.
#[derive(Debug, PartialEq)]
pub(super) struct OscWrite {
    /// The name of the port.
    pub(super) port: String,
    /// The bytes to be written.
    pub(super) bytes: Bytes,
}

/// Returns the datagram with the values of a line; None for a line without values.
pub(super) fn values(port: &str, values: &LineValues) -> Option<Vec<u8>> {
    let number = |value: &crate::values::Value| {
        let number = value.number.as_ref().map(|number| number.as_str().parse());
        match number {
            Some(Ok(number)) => OscType::Float(number),
            _ => OscType::Nil,
        }
    };
    let base = format!("{ROOT}/{}", part(port));
    let is_named = values.iter().any(|value| value.name.is_some());
    let packet = if values.is_empty() {
        return None;
    } else if is_named {
        let messages = values.iter().map(|value| {
            let name = value.name.as_deref().unwrap_or_default();
            OscPacket::Message(OscMessage {
                addr: format!("{base}/{}", part(name)),
                args: vec![number(value)],
            })
        });
        OscPacket::Bundle(OscBundle {
            timetag: IMMEDIATELY,
            content: messages.collect(),
        })
    } else {
        OscPacket::Message(OscMessage {
            addr: base,
            args: values.iter().map(number).collect(),
        })
    };
    encoder::encode(&packet).ok()
}

/// Returns the datagram with a line.
pub(super) fn line(port: &str, line: &[u8]) -> Option<Vec<u8>> {
    // A zero byte ends a string of OSC.
    let text = String::from_utf8_lossy(line).replace('\0', "\u{fffd}");
    let message = OscMessage {
        addr: ROOT.to_owned(),
        args: vec![OscType::String(port.to_owned()), OscType::String(text)],
    };
    encoder::encode(&OscPacket::Message(message)).ok()
}

/// Returns a name as a part of an address, in which some characters have a meaning (OSC 1.0, "OSC Address
/// Spaces and OSC Addresses").
fn part(name: &str) -> String {
    let safe = |c: char| match c {
        '#' | '*' | ',' | '/' | '?' | '[' | ']' | '{' | '}' => '_',
        c if c.is_ascii_graphic() => c,
        _ => '_',
    };
    name.chars().map(safe).collect()
}

/// Reads the writes in a datagram.
///
/// # Errors
/// Says what is wrong with the first that is no write.
pub(super) fn writes(datagram: &[u8]) -> Result<Vec<OscWrite>, String> {
    let (_, packet) = decoder::decode_udp(datagram).map_err(|_| "it is not OSC 1.0".to_owned())?;
    let mut found = Vec::new();
    read(packet, 0, &mut found)?;
    Ok(found)
}

fn read(packet: OscPacket, depth: usize, found: &mut Vec<OscWrite>) -> Result<(), String> {
    match packet {
        OscPacket::Bundle(_) if depth >= MAX_DEPTH => {
            Err("bundles are nested too deeply".to_owned())
        }
        OscPacket::Bundle(bundle) => {
            let mut content = bundle.content.into_iter();
            content.try_for_each(|packet| read(packet, depth + 1, found))
        }
        OscPacket::Message(message) => {
            found.push(write(message)?);
            Ok(())
        }
    }
}

fn write(OscMessage { addr, args }: OscMessage) -> Result<OscWrite, String> {
    if addr != SEND {
        let shown = crate::terminal::shown(&addr);
        return Err(format!("its address is {shown}; expected {SEND}"));
    }
    let mut args = args.into_iter();
    let (Some(OscType::String(port)), Some(what), None) = (args.next(), args.next(), args.next())
    else {
        return Err(format!(
            "{SEND} needs the name of the port, and a text, a number or a blob"
        ));
    };
    let bytes = match what {
        OscType::String(text) => text.into(),
        OscType::Blob(bytes) => bytes.into(),
        OscType::Int(number) => number.to_string().into(),
        OscType::Float(number) => number.to_string().into(),
        OscType::Double(number) => number.to_string().into(),
        OscType::Long(number) => number.to_string().into(),
        _ => return Err(format!("{SEND} takes a text, a number or a blob")),
    };
    Ok(OscWrite { port, bytes })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(datagram: &[u8]) -> String {
        let (rest, packet) = decoder::decode_udp(datagram).unwrap();
        assert!(rest.is_empty());
        format!("{packet:?}")
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let line = crate::values::values(text.as_bytes(), None);
        let sent = values("uno", &line).map(|datagram| decoded(&datagram));
        assert_eq!(sent.as_deref().unwrap_or("nothing"), expected);
    }

    #[test]
    fn values_without_names_are_the_arguments_of_one_message() {
        check(
            "512,3.5",
            r#"Message(OscMessage { addr: "/serial/uno", args: [Float(512.0), Float(3.5)] })"#,
        );
        check("hello", "nothing");
    }

    #[test]
    fn each_value_with_a_name_has_an_address_in_one_bundle() {
        let sent = "Bundle(OscBundle { timetag: OscTime { seconds: 0, fractional: 1 }, content: [\
            Message(OscMessage { addr: \"/serial/uno/light\", args: [Float(80.0)] }), \
            Message(OscMessage { addr: \"/serial/uno/temp_C\", args: [Nil] })] })";
        check("light: 80, temp_C: nan", sent);
    }

    #[test]
    fn what_is_no_write_is_said() {
        let encode = |addr: &str, args: Vec<OscType>| {
            let addr = addr.to_owned();
            encoder::encode(&OscPacket::Message(OscMessage { addr, args })).unwrap()
        };
        let text = |text: &str| OscType::String(text.to_owned());
        let right = encode("/send", vec![text("uno"), OscType::Int(7)]);
        let write = OscWrite {
            port: "uno".to_owned(),
            bytes: Bytes::from_static(b"7"),
        };
        assert_eq!(writes(&right), Ok(vec![write]));
        for (wrong, why) in [
            (b"GET / HTTP/1.1\r\n".to_vec(), "not OSC"),
            (encode("/led", vec![OscType::Int(1)]), "expected /send"),
            (
                encode("/send", vec![text("uno")]),
                "needs the name of the port",
            ),
            (
                encode("/send", vec![text("uno"), OscType::Nil]),
                "takes a text",
            ),
        ] {
            let said = writes(&wrong).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_a_panic(datagram in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = writes(&datagram);
        }
    }
}
