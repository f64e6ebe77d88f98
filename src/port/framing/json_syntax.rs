//! The grammar of JSON (RFC 8259), byte by byte: where a value ends, and where it cannot go on. It
//! does not look into the characters of strings.

/// The deepest nesting. What is deeper is wrong, as for most parsers.
const MAX_DEPTH: u32 = 127;

/// The effect of a byte on a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyntaxStep {
    /// It is a part of the value.
    More,
    /// It ends the value.
    Done,
    /// It cannot be there.
    Wrong,
}

/// The place in an object or an array, with all those around it.
#[derive(Clone, Debug)]
pub(super) struct Syntax {
    place: JsonPlace,
    depth: u32,
    /// A bit for each container that is open, the innermost lowest: 1 for an object.
    objects: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JsonPlace {
    /// Before a value.
    Value,
    /// After `[`: before a value or the end.
    FirstValue,
    /// Before a name.
    Name,
    /// After `{`: before a name or the end.
    FirstName,
    Colon,
    /// After a value.
    After,
    String {
        is_name: bool,
    },
    /// After a backslash, and in the digits of `\u`.
    Escape {
        is_name: bool,
        digits: u8,
    },
    Number(NumberPlace),
    /// In `true`, `false` or `null`, before these letters.
    Literal(&'static [u8]),
}

/// The place in a number, by what came last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberPlace {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl Default for Syntax {
    /// Before a value.
    fn default() -> Self {
        Self {
            place: JsonPlace::Value,
            depth: 0,
            objects: 0,
        }
    }
}

impl Syntax {
    /// Goes on by one byte.
    #[inline]
    pub(super) fn step(&mut self, byte: u8) -> SyntaxStep {
        if let JsonPlace::String { is_name } = self.place {
            return self.in_string(byte, is_name);
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return self.space();
        }
        match self.place {
            JsonPlace::Value => self.value(byte),
            JsonPlace::FirstValue if byte == b']' => self.close(),
            JsonPlace::FirstValue => self.value(byte),
            JsonPlace::FirstName if byte == b'}' => self.close(),
            JsonPlace::Name | JsonPlace::FirstName => self.go_on_if(byte == b'"', STRING_NAME),
            JsonPlace::Colon => self.go_on_if(byte == b':', JsonPlace::Value),
            JsonPlace::After => self.after(byte),
            JsonPlace::Escape { is_name, digits } => self.escape(byte, is_name, digits),
            JsonPlace::Number(number) => self.number(byte, number),
            JsonPlace::Literal(rest) => self.literal(byte, rest),
            JsonPlace::String { .. } => SyntaxStep::Wrong,
        }
    }

    fn go_on(&mut self, place: JsonPlace) -> SyntaxStep {
        self.place = place;
        SyntaxStep::More
    }

    fn go_on_if(&mut self, is_right: bool, place: JsonPlace) -> SyntaxStep {
        if is_right {
            self.go_on(place)
        } else {
            SyntaxStep::Wrong
        }
    }

    fn in_string(&mut self, byte: u8, is_name: bool) -> SyntaxStep {
        match byte {
            b'"' if is_name => self.go_on(JsonPlace::Colon),
            b'"' => self.go_on(JsonPlace::After),
            b'\\' => self.go_on(JsonPlace::Escape { is_name, digits: 0 }),
            0..0x20 => SyntaxStep::Wrong,
            _ => SyntaxStep::More,
        }
    }

    fn escape(&mut self, byte: u8, is_name: bool, digits: u8) -> SyntaxStep {
        match (digits, byte) {
            (0, b'u') => self.go_on(JsonPlace::Escape { is_name, digits: 4 }),
            (0, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.go_on(JsonPlace::String { is_name })
            }
            (1, digit) => self.go_on_if(digit.is_ascii_hexdigit(), JsonPlace::String { is_name }),
            (2.., digit) => {
                let digits = digits - 1;
                self.go_on_if(
                    digit.is_ascii_hexdigit(),
                    JsonPlace::Escape { is_name, digits },
                )
            }
            _ => SyntaxStep::Wrong,
        }
    }

    fn space(&mut self) -> SyntaxStep {
        match self.place {
            JsonPlace::Number(number) if number.may_end() => self.go_on(JsonPlace::After),
            JsonPlace::Number(_) | JsonPlace::Literal(_) | JsonPlace::Escape { .. } => {
                SyntaxStep::Wrong
            }
            _ => SyntaxStep::More,
        }
    }

    fn value(&mut self, byte: u8) -> SyntaxStep {
        match byte {
            b'{' => self.open(1, JsonPlace::FirstName),
            b'[' => self.open(0, JsonPlace::FirstValue),
            b'"' => self.go_on(JsonPlace::String { is_name: false }),
            b'-' => self.go_on(JsonPlace::Number(NumberPlace::Minus)),
            b'0' => self.go_on(JsonPlace::Number(NumberPlace::Zero)),
            b'1'..=b'9' => self.go_on(JsonPlace::Number(NumberPlace::Integer)),
            b't' => self.go_on(JsonPlace::Literal(b"rue")),
            b'f' => self.go_on(JsonPlace::Literal(b"alse")),
            b'n' => self.go_on(JsonPlace::Literal(b"ull")),
            _ => SyntaxStep::Wrong,
        }
    }

    fn open(&mut self, object: u128, inside: JsonPlace) -> SyntaxStep {
        self.objects = self.objects << 1 | object;
        self.depth += 1;
        self.go_on_if(self.depth <= MAX_DEPTH, inside)
    }

    fn close(&mut self) -> SyntaxStep {
        self.objects >>= 1;
        self.depth -= 1;
        self.place = JsonPlace::After;
        if self.depth == 0 {
            SyntaxStep::Done
        } else {
            SyntaxStep::More
        }
    }

    fn after(&mut self, byte: u8) -> SyntaxStep {
        let is_object = self.objects & 1 == 1;
        match byte {
            b',' if is_object => self.go_on(JsonPlace::Name),
            b',' => self.go_on(JsonPlace::Value),
            b'}' if is_object => self.close(),
            b']' if !is_object => self.close(),
            _ => SyntaxStep::Wrong,
        }
    }

    fn literal(&mut self, byte: u8, rest: &'static [u8]) -> SyntaxStep {
        match rest {
            [next] => self.go_on_if(byte == *next, JsonPlace::After),
            [next, rest @ ..] => self.go_on_if(byte == *next, JsonPlace::Literal(rest)),
            [] => SyntaxStep::Wrong,
        }
    }

    fn number(&mut self, byte: u8, number: NumberPlace) -> SyntaxStep {
        let next = match (number, byte) {
            (NumberPlace::Minus, b'0') => NumberPlace::Zero,
            (NumberPlace::Minus, b'1'..=b'9') | (NumberPlace::Integer, b'0'..=b'9') => {
                NumberPlace::Integer
            }
            (NumberPlace::Zero | NumberPlace::Integer, b'.') => NumberPlace::Point,
            (NumberPlace::Point | NumberPlace::Fraction, b'0'..=b'9') => NumberPlace::Fraction,
            (NumberPlace::Zero | NumberPlace::Integer | NumberPlace::Fraction, b'e' | b'E') => {
                NumberPlace::E
            }
            (NumberPlace::E, b'+' | b'-') => NumberPlace::Sign,
            (NumberPlace::E | NumberPlace::Sign | NumberPlace::Exponent, b'0'..=b'9') => {
                NumberPlace::Exponent
            }
            _ if number.may_end() => return self.after(byte),
            _ => return SyntaxStep::Wrong,
        };
        self.go_on(JsonPlace::Number(next))
    }
}

/// In a name.
const STRING_NAME: JsonPlace = JsonPlace::String { is_name: true };

impl NumberPlace {
    fn may_end(self) -> bool {
        matches!(
            self,
            Self::Zero | Self::Integer | Self::Fraction | Self::Exponent
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Returns what the last byte that was looked at did, and its index.
    fn end(text: &[u8]) -> (SyntaxStep, usize) {
        let mut syntax = Syntax::default();
        for (at, &byte) in text.iter().enumerate() {
            let step = syntax.step(byte);
            if step != SyntaxStep::More {
                return (step, at);
            }
        }
        (SyntaxStep::More, text.len())
    }

    #[track_caller]
    fn check(text: &str, expected: SyntaxStep) {
        let right = usize::from(expected != SyntaxStep::More);
        assert_eq!(end(text.as_bytes()), (expected, text.len() - right));
    }

    #[test]
    fn a_value_ends_with_its_bracket_and_breaks_where_it_is_wrong() {
        check("{}", SyntaxStep::Done);
        check(" [ ]", SyntaxStep::Done);
        check(
            r#"{"a":[1,-0.5e+3,"\"}\u00e9"],"b":{"c":null}}"#,
            SyntaxStep::Done,
        );
        check(r#"{"a":1"#, SyntaxStep::More);
        for wrong in [
            "{a", r#"{"a","#, "[1,]", "[01", "[1 2", "[1.]", "[-]", "[tru ", "[}", "{\"\n",
        ] {
            check(wrong, SyntaxStep::Wrong);
        }
        check(r#"["\x"#, SyntaxStep::Wrong);
        check(r#"["\u12g"#, SyntaxStep::Wrong);
    }

    #[test]
    fn nesting_has_a_limit() {
        assert_eq!(end(&[b'['; 500]), (SyntaxStep::Wrong, MAX_DEPTH as usize));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_ends_at_its_last_byte(value in json(), is_pretty: bool) {
            let value = Value::from(vec![value]);
            let text = if is_pretty { format!("{value:#}") } else { value.to_string() };
            prop_assert_eq!(end(text.as_bytes()), (SyntaxStep::Done, text.len() - 1));
        }

        /// It agrees with serde_json on bytes that are often JSON.
        #[test]
        fn what_ends_well_is_json(
            tokens in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"a\"", "\"", "1", "-", ".5", "e3", "0", "true",
                "null", " ", "\n", "x", "\\n",
            ]), 0..12),
        ) {
            let text = format!("[{}", tokens.concat());
            let (step, at) = end(text.as_bytes());
            let parsed = serde_json::from_str::<serde::de::IgnoredAny>(&text[..text.len().min(at + 1)]);
            prop_assert_eq!(step == SyntaxStep::Done, parsed.is_ok());
            if step == SyntaxStep::Wrong {
                let is_eof = parsed.is_err_and(|error| error.is_eof());
                prop_assert!(!is_eof, "it could go on");
            }
        }
    }
}
