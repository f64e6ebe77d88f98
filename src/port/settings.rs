//! The line settings of a port: as the user gave them, and as clients changed them since. Pure: says
//! who may change what, and what is in force.

use serde_json::{Value, json};

use super::config::{DataKind, FixedSettings, PortConfig};
use crate::hub::{BaudChange, ErrorCode, LineSettings, RequestError, SettingsChange};

/// The line settings of a port while the program runs.
#[derive(Clone, Debug)]
pub(crate) struct PortSettings {
    /// As the user gave them.
    given: LineSettings,
    /// Those of them that the user fixed.
    fixed: FixedSettings,
    /// Those in force, or to be used at the next opening.
    current: LineSettings,
    /// The last that a device took.
    proven: LineSettings,
    /// True if the rate is to be found by listening: neither the user nor a client has chosen one.
    finds_rate: bool,
    /// Those that the open device was asked for, if it has others in force.
    asked: Option<LineSettings>,
    /// The term of the write lock in which fixed ones were changed. They return at its end.
    term: Option<u64>,
    /// The settings that all of them return to at the end of a write lock.
    saved: Option<SavedSettings>,
}

/// The settings and lines of a port when a client took the write lock for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SavedSettings {
    /// The term of the write lock.
    term: u64,
    settings: LineSettings,
    lines: Outputs,
    finds_rate: bool,
}

/// Data Terminal Ready and Request To Send; None where the system decides.
pub(crate) type Outputs = (Option<bool>, Option<bool>);

impl PortSettings {
    /// Starts with what the user gave.
    pub(crate) fn new(config: &PortConfig) -> Self {
        // What the device turns out to have is known once it is open.
        let baud_auto = config.detects_rate && config.expects != DataKind::Bytes;
        Self {
            given: config.line,
            fixed: config.fixed.clone(),
            current: LineSettings {
                baud_auto,
                ..config.line
            },
            proven: config.line,
            finds_rate: config.detects_rate,
            asked: None,
            term: None,
            saved: None,
        }
    }

    /// Returns the settings in force, or to be used at the next opening.
    pub(crate) fn current(&self) -> LineSettings {
        self.current
    }

    /// Returns true if they are not what the user gave.
    pub(crate) fn are_chosen(&self) -> bool {
        !self.current.sets_the_same(&self.given)
    }

    /// Returns true if nobody can change them.
    pub(crate) fn are_final(&self) -> bool {
        self.fixed.are_final
    }

    /// Returns what a change would make of the settings in force. The holder of the write lock may
    /// change all of them. A search for the rate begins at the one that was found last, or was given.
    ///
    /// # Errors
    /// If one of them is fixed to another value: which, and by what.
    pub(crate) fn changed(
        &self,
        change: &SettingsChange,
        has_lock: bool,
    ) -> Result<LineSettings, RequestError> {
        let finds_rate = change.baud == Some(BaudChange::Auto);
        let mut wanted = change.applied_to(self.current);
        if finds_rate {
            wanted.baud_auto = true;
            if !self.current.baud_detected {
                wanted.baud = self.given.baud;
            }
        }
        let may_change = has_lock && !self.fixed.are_final;
        let mut members = MEMBERS.iter().filter(|_| !may_change);
        let refused = members.find_map(|member| {
            let place = (member.place)(&self.fixed).as_ref()?;
            let value = (member.value)(&wanted);
            let is_other = value != (member.value)(&self.current);
            let given = (member.value)(&self.given);
            let is_refused = is_other && value != given || finds_rate && member.name == "baud";
            let given = given
                .as_str()
                .map_or_else(|| given.to_string(), str::to_owned);
            is_refused.then(|| format!("{} is fixed to {given} by {place}", member.name))
        });
        match refused {
            None => Ok(wanted),
            Some(reason) if self.fixed.are_final => Err(RequestError::new(reason)),
            Some(reason) => {
                let reason = reason + "; take the write lock to change it for a while";
                Err(RequestError::new(reason).with_code(Some(ErrorCode::Fixed)))
            }
        }
    }

    /// Puts settings in force that a client was allowed to choose, in this term of the write lock if it
    /// had it. `baud` is what it said of the rate.
    pub(crate) fn choose(
        &mut self,
        wanted: LineSettings,
        baud: Option<BaudChange>,
        term: Option<u64>,
    ) {
        if let Some(baud) = baud {
            self.finds_rate = baud == BaudChange::Auto;
        }
        self.current = wanted;
        self.asked = None;
        self.term = term.or(self.term).filter(|_| self.differs_from_given());
    }

    /// Puts a rate in force that serial-ws chose itself, and that the device took.
    pub(crate) fn detect(&mut self, baud: u32, is_detected: bool) {
        let current = &mut self.current;
        (current.baud, current.baud_auto, current.baud_detected) = (baud, true, is_detected);
        self.proven = self.current;
    }

    /// Notes that the rate in force is not searched any more, at least until the next opening.
    pub(crate) fn end_search(&mut self) {
        (self.current.baud_auto, self.current.baud_detected) = (false, false);
        self.proven = self.current;
    }

    /// Returns true if neither the user nor a client has chosen the rate.
    pub(crate) fn may_detect_rate(&self) -> bool {
        self.finds_rate
    }

    /// Notes which settings the device that was just opened has in force. Returns true if they are not
    /// those that it was asked for.
    pub(crate) fn acknowledge(&mut self, in_force: LineSettings) -> bool {
        let differ = !in_force.sets_the_same(&self.current);
        if differ {
            self.asked = Some(std::mem::replace(&mut self.current, in_force));
        }
        differ
    }

    /// Has the next device asked for the same as the one before, whatever that had in force.
    pub(crate) fn ask_again(&mut self) {
        if let Some(asked) = self.asked.take() {
            (self.current, self.proven) = (asked, asked);
        }
    }

    /// Puts settings in force that are not to be chosen: those of a recording.
    pub(crate) fn adopt(&mut self, recorded: LineSettings) {
        (self.given, self.current, self.proven) = (recorded, recorded, recorded);
        self.asked = None;
    }

    /// Notes that a device took the settings in force.
    pub(crate) fn prove(&mut self) {
        self.proven = self.current;
    }

    /// Goes back to settings that a device took before, because it refuses those in force, and at last
    /// to what the user gave. Returns false if there are no others.
    pub(crate) fn fall_back(&mut self) -> bool {
        if self.current.sets_the_same(&self.proven) {
            self.proven = self.given;
        }
        let has_other = !self.current.sets_the_same(&self.proven);
        self.current = self.proven;
        if !self.differs_from_given() {
            self.term = None;
        }
        has_other
    }

    /// Keeps the settings and these lines for the end of this term of the write lock, unless that was
    /// done in this term before.
    pub(crate) fn save(&mut self, term: u64, lines: Outputs) {
        let now = SavedSettings {
            term,
            settings: self.current,
            lines,
            finds_rate: self.finds_rate,
        };
        let saved = self.saved.filter(|saved| saved.term == term);
        self.saved = Some(saved.unwrap_or(now));
    }

    /// Returns the settings and lines to put in force because the term of the write lock for which they
    /// were saved, or in which fixed ones were changed, is not the present one.
    pub(crate) fn to_return(&self, present: Option<u64>) -> Option<(LineSettings, Outputs)> {
        if let Some(saved) = self.saved.filter(|saved| Some(saved.term) != present) {
            return Some((saved.settings, saved.lines));
        }
        let has_ended = self.term.is_some() && self.term != present;
        has_ended.then(|| (self.with_given(self.current), (None, None)))
    }

    /// Gives the settings the values back that were saved, or the fixed ones those that the user gave.
    pub(crate) fn give_back(&mut self) {
        let saved = self.saved.take();
        let settings = saved.map(|saved| saved.settings);
        self.current = settings.unwrap_or(self.with_given(self.current));
        self.proven = settings.unwrap_or(self.with_given(self.proven));
        self.finds_rate = saved.map_or(self.finds_rate && self.fixed.baud.is_none(), |saved| {
            saved.finds_rate
        });
        (self.asked, self.term) = (None, None);
    }

    fn differs_from_given(&self) -> bool {
        self.with_given(self.current) != self.current
    }

    /// Returns these settings with all fixed ones as the user gave them.
    fn with_given(&self, mut settings: LineSettings) -> LineSettings {
        for member in MEMBERS {
            if (member.place)(&self.fixed).is_some() {
                (member.copy)(&self.given, &mut settings);
            }
        }
        if self.fixed.baud.is_some() {
            (settings.baud_auto, settings.baud_detected) = (false, false);
        }
        settings
    }
}

/// A setting that clients can change.
struct Changeable {
    /// Its name in the protocol.
    name: &'static str,
    place: fn(&FixedSettings) -> &Option<String>,
    value: fn(&LineSettings) -> Value,
    copy: fn(&LineSettings, &mut LineSettings),
}

/// Makes the list of settings.
macro_rules! members {
    ($($name:literal: $field:ident,)*) => {
        [$(Changeable {
            name: $name,
            place: |fixed| &fixed.$field,
            value: |settings| json!(settings.$field),
            copy: |from, to| to.$field = from.$field,
        }),*]
    };
}

const MEMBERS: [Changeable; 7] = members! {
    "baud": baud,
    "dataBits": data_bits,
    "parity": parity,
    "stopBits": stop_bits,
    "flowControl": flow_control,
    "dtr": dtr,
    "rts": rts,
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;
    use crate::hub::Parity;

    fn settings(arguments: &[&str]) -> PortSettings {
        let arguments = [&["serial-ws", "--port", "/dev/board"], arguments].concat();
        PortSettings::new(&Config::from_args(arguments).unwrap().ports[0].port)
    }

    fn baud(baud: u32) -> SettingsChange {
        SettingsChange {
            baud: Some(baud.into()),
            ..SettingsChange::default()
        }
    }

    #[test]
    fn what_is_not_fixed_may_be_changed() {
        let mut port = settings(&["--parity", "even"]);
        let wanted = port.changed(&baud(115_200), false).unwrap();
        assert_eq!((wanted.baud, wanted.parity), (115_200, Parity::Even));
        port.choose(wanted, None, None);
        assert_eq!(port.current(), wanted);
        assert_eq!(port.to_return(None), None);
    }

    #[track_caller]
    fn check_refused(arguments: &[&str], change: SettingsChange, error: &str) {
        let refused = settings(arguments).changed(&change, false).unwrap_err();
        let advice = "; take the write lock to change it for a while";
        assert_eq!(refused.reason.strip_suffix(advice), Some(error));
    }

    #[test]
    fn what_is_fixed_is_refused_with_its_place_unless_it_is_the_same() {
        let none = SettingsChange::default();
        check_refused(
            &["-b", "9600"],
            baud(300),
            "baud is fixed to 9600 by --baud",
        );
        check_refused(
            &["--parity", "even"],
            SettingsChange {
                baud: Some(300.into()),
                parity: Some(Parity::None),
                ..none
            },
            "parity is fixed to even by --parity",
        );
        check_refused(
            &["--dtr", "off"],
            SettingsChange {
                dtr: Some(true),
                ..none
            },
            "dtr is fixed to off by --dtr",
        );
        let fixed = settings(&["-b", "9600", "--dtr", "off"]);
        let same = SettingsChange {
            dtr: Some(false),
            ..baud(9600)
        };
        assert_eq!(fixed.changed(&same, false), Ok(fixed.current()));
    }

    #[test]
    fn the_holder_of_the_lock_changes_what_is_fixed_until_its_lock_ends() {
        let mut port = settings(&["-b", "9600"]);
        let change = SettingsChange {
            parity: Some(Parity::Odd),
            ..baud(460_800)
        };
        let wanted = port.changed(&change, true).unwrap();
        port.choose(wanted, change.baud, Some(7));
        assert_eq!(port.to_return(Some(7)), None);
        let back = LineSettings {
            baud: 9600,
            ..wanted
        };
        let lines = (None, None);
        assert_eq!(port.to_return(None), Some((back, lines)));
        assert_eq!(port.to_return(Some(8)), Some((back, lines)));
        port.give_back();
        assert_eq!((port.current(), port.to_return(None)), (back, None));
    }

    #[test]
    fn what_another_device_has_in_force_is_shown_and_asked_for_again() {
        let mut port = settings(&["-b", "115200"]);
        let asked = port.current();
        let in_force = LineSettings {
            baud: 9600,
            ..asked
        };
        assert!(!port.acknowledge(asked));
        assert!(port.acknowledge(in_force));
        port.prove();
        assert_eq!(port.current(), in_force);
        // What is fixed may still be asked for.
        assert_eq!(port.changed(&baud(115_200), false), Ok(asked));
        assert!(port.changed(&baud(300), false).is_err());
        port.ask_again();
        assert_eq!((port.current(), port.are_chosen()), (asked, false));
        assert!(!port.fall_back());
    }

    #[test]
    fn what_was_saved_returns_with_its_lines_whatever_is_fixed() {
        let mut port = settings(&["--parity", "even"]);
        let chosen = baud(115_200);
        port.choose(port.changed(&chosen, false).unwrap(), chosen.baud, None);
        let before = port.current();
        port.save(7, (Some(true), Some(false)));
        let change = SettingsChange {
            parity: Some(Parity::None),
            ..baud(921_600)
        };
        port.choose(port.changed(&change, true).unwrap(), change.baud, Some(7));
        // Taking the lock again in the same term saves nothing else.
        port.save(7, (Some(false), Some(false)));
        assert_eq!(port.to_return(Some(7)), None);
        let expected = (before, (Some(true), Some(false)));
        assert_eq!(port.to_return(None), Some(expected));
        port.give_back();
        assert_eq!((port.current(), port.to_return(None)), (before, None));
    }

    #[test]
    fn what_a_device_refuses_falls_back_to_what_one_took() {
        let mut port = settings(&[]);
        let wanted = port.changed(&baud(300), false).unwrap();
        port.choose(wanted, None, None);
        port.prove();
        port.choose(port.changed(&baud(9), false).unwrap(), None, None);
        assert!(port.fall_back());
        assert_eq!(port.current(), wanted);
        assert!(port.fall_back());
        assert_eq!(port.current(), LineSettings::default());
        assert!(!port.fall_back());
    }

    proptest! {
        /// Whatever clients, holders of the lock and devices do, fixed settings have other values
        /// only in the term in which they were changed.
        #[test]
        fn fixed_settings_return_with_the_lock(
            steps in prop::collection::vec((0_u64..3, 0_u64..3, 1_u32..5, any::<bool>()), 1..40)
        ) {
            let mut port = settings(&["-b", "9600"]);
            for (present, asked, rate, is_taken) in steps {
                if port.to_return(Some(present)).is_some() {
                    port.give_back();
                }
                let has_lock = asked == present;
                if let Ok(wanted) = port.changed(&baud(rate), has_lock) {
                    let before = port.current();
                    prop_assert!(has_lock || wanted == before || wanted.baud == 9600);
                    port.choose(wanted, None, has_lock.then_some(present));
                    if is_taken {
                        port.prove();
                    } else {
                        port.fall_back();
                    }
                }
                prop_assert!(port.current().baud == 9600 || port.term == Some(present));
            }
        }
    }
}
