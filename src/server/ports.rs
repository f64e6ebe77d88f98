//! The registry of ports that clients reach by name, in order. Ports come and go while the server
//! runs.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::access::Rights;
use super::client::params::StreamParams;
use super::config::ClientDefaults;
use super::devices::DeviceRejection;
use crate::hub::{
    ClientNumbers, Hub, NoRoom, RequestError, SettingsChange, Start, SubscriberKind, Subscription,
};
use crate::output::recorder::Recorder;

/// The reason why others than the operator may not write to a program.
const ONLY_OPERATOR: &str = "only programs of this computer and serial-ws's own page in a browser \
    of this computer may write to a program";

/// A serial port, as far as clients reach it.
pub(crate) struct Port {
    /// Its name in addresses.
    pub(crate) name: String,
    /// Tells the ports that were added later from those before; 0 for those that the program began
    /// with.
    pub(crate) run: u32,
    /// The way in which its lines are cut, as `--frame` has it.
    pub(crate) frame: String,
    /// True for the port whose board a client may choose while it has none.
    pub(crate) may_be_chosen: bool,
    /// The length in bytes beyond which a line is cut into pieces.
    pub(crate) max_line: usize,
    /// What it asks its device by itself, with escapes, and how often.
    pub(crate) poll: Option<(String, Duration)>,
    /// True if its device is a program, to which only the operator may write.
    pub(crate) is_program: bool,
    /// The line settings that clients may not change, each with the place that gave it.
    pub(crate) fixed: Map<String, Value>,
    /// The defaults for clients that ask for nothing else.
    pub(crate) clients: ClientDefaults,
    /// The hub that publishes its events and takes requests.
    pub(crate) hub: Arc<Hub>,
    /// Cancelled when the port is removed or the program stops: its task closes the device, and its
    /// clients are disconnected.
    pub(crate) stop: CancellationToken,
    /// Set when the port is removed. It stays unset where it just stops with the program.
    pub(crate) end: OnceLock<PortEnd>,
    /// Held by the one newcomer who may change the settings, until they are changed.
    pub(crate) newcomer: Newcomer,
    /// Records it; None where no folder was named for that.
    pub(crate) recorder: Option<Recorder>,
}

/// The turn of the newcomers who ask for settings of their own: the next one finds those of the one
/// before in force.
pub(crate) type Newcomer = Arc<tokio::sync::Mutex<()>>;

/// The turn of one of them.
pub(crate) type SettingsTurn = OwnedMutexGuard<()>;

/// A client that has come to a port with settings of its own.
pub(crate) struct Arrival {
    /// Keeps the port open until the client is served, and keeps others from changing the settings.
    pub(crate) hold: Subscription,
    /// The turn to make the change that was asked for, if nobody else uses the port.
    pub(crate) turn: Option<SettingsTurn>,
}

/// The end of a port before that of the program, for its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortEnd {
    /// The code of their Close frames.
    pub(crate) code: u16,
    /// A sentence for people.
    pub(crate) reason: String,
}

impl PortEnd {
    /// The end of a port that was removed.
    pub(crate) fn removed() -> Self {
        Self {
            code: 4404,
            reason: "this port was removed".to_owned(),
        }
    }

    /// The end of a port whose device can never be opened as its client asked.
    pub(crate) fn refused(reason: String) -> Self {
        Self { code: 4400, reason }
    }
}

/// The run in which the lines and bytes of a port are numbered.
#[derive(Clone, Debug)]
pub(crate) struct PortRun<'a> {
    /// Its name.
    pub(crate) name: Cow<'a, str>,
    /// False while another serial-ws is to number them that has not been reached yet.
    is_known: bool,
}

impl PortRun<'_> {
    /// Returns its name, unless that is for the time being.
    pub(crate) fn known(&self) -> Option<&str> {
        self.is_known.then_some(&*self.name)
    }

    /// Returns its name for a client with these parameters: one that continues in a run that is not
    /// known yet is told that one.
    pub(crate) fn seen_by<'a>(&'a self, params: &'a StreamParams) -> &'a str {
        params.awaited_run.as_deref().unwrap_or(&self.name)
    }
}

impl Port {
    /// Returns the run in which its lines and bytes are numbered. `program` is that of the program; a
    /// port that was opened later counts anew, and so is a run of its own.
    pub(crate) fn run<'a>(&self, program: &'a str) -> PortRun<'a> {
        let own = match self.run {
            0 => Cow::Borrowed(program),
            number => Cow::Owned(format!("{program}.{number}")),
        };
        match self.hub.upstream_run() {
            Some(run) => PortRun {
                name: run.name.clone().into(),
                is_known: true,
            },
            None => PortRun {
                name: own,
                is_known: !self.hub.is_upstream(),
            },
        }
    }

    /// Counts a client that asks for a change of the settings among those of the port. Fails within
    /// if another newcomer is just changing them; `turn` is what came of waiting for that one.
    ///
    /// # Errors
    /// If others use the port with other settings.
    pub(crate) fn try_join(
        &self,
        change: SettingsChange,
        turn: Option<SettingsTurn>,
    ) -> Result<Result<Arrival, Newcomer>, DeviceRejection> {
        // The device may have got another port meanwhile.
        let is_of_port = |turn: &_| Arc::ptr_eq(OwnedMutexGuard::mutex(turn), &self.newcomer);
        let mut turn = turn.filter(is_of_port);
        if turn.is_none() && change != SettingsChange::default() {
            match Arc::clone(&self.newcomer).try_lock_owned() {
                Ok(free) => turn = Some(free),
                Err(_) => return Ok(Err(Arc::clone(&self.newcomer))),
            }
        }
        let hold = self.hub.subscribe(SubscriberKind::Client, Start::Live);
        let settings = self.hub.status().settings;
        let differs = !change.is_made(settings);
        // The one is the newcomer itself. Whoever comes from now on comes after it.
        let is_alone = self.hub.clients() == 1;
        if turn.is_some() && differs && !is_alone {
            return Err(DeviceRejection::OtherSettings(settings));
        }
        // A rate that is asked for is searched no longer, also if it is the same.
        let turn = turn.filter(|_| is_alone && (differs || change.baud.is_some()));
        Ok(Ok(Arrival { hold, turn }))
    }

    /// Returns the reason why a client with these rights may not write, or None if it may.
    pub(crate) fn why_read_only(&self, rights: Rights) -> Option<&'static str> {
        if self.clients.read_only {
            return Some("this port is read-only (--read-only)");
        }
        match rights {
            Rights::Operator => None,
            Rights::ReadOnly => Some("this client is allowed to read only"),
            Rights::ReadWrite if self.is_program => Some(ONLY_OPERATOR),
            Rights::ReadWrite => None,
        }
    }

    /// Checks that a client with these rights may write.
    ///
    /// # Errors
    /// The reason why not.
    pub(crate) fn check_writable(&self, rights: Rights) -> Result<(), String> {
        let reason = self.why_read_only(rights);
        reason.map_or(Ok(()), |reason| Err(reason.to_owned()))
    }

    /// Returns the settings as a client with these rights is shown them.
    pub(crate) fn settings(&self, rights: Rights) -> Value {
        let mut settings = self.hub.status().settings.to_json();
        let is_read_only = self.why_read_only(rights).is_some();
        settings.insert("view".to_owned(), json!(self.clients.view.name()));
        settings.insert("append".to_owned(), json!(self.clients.append));
        settings.insert("frame".to_owned(), json!(self.frame));
        settings.insert("maxLine".to_owned(), json!(self.max_line));
        settings.insert("readOnly".to_owned(), json!(is_read_only));
        if let Some((text, every)) = &self.poll {
            settings.insert("poll".to_owned(), json!(text));
            settings.insert("every".to_owned(), json!(every.as_secs_f64() * 1000.0));
        }
        if self.recorder.is_some() {
            settings.insert("recordable".to_owned(), json!(true));
        }
        if !self.fixed.is_empty() {
            settings.insert("fixed".to_owned(), json!(self.fixed));
        }
        if let Some(upstream) = self.hub.upstream_run() {
            settings.extend(upstream.settings.clone());
            let is_read_only =
                is_read_only || upstream.settings.get("readOnly") == Some(&json!(true));
            settings.insert("readOnly".to_owned(), json!(is_read_only));
        }
        Value::Object(settings)
    }

    /// Returns the error for a request that writes `size` bytes and has no room.
    pub(crate) fn no_room(&self, size: usize, reason: NoRoom) -> RequestError {
        match reason {
            NoRoom::Locked(holder) => holder.into(),
            reason => RequestError::new(self.no_room_reason(size, reason)),
        }
    }

    /// Returns the reason why a request that writes `size` bytes has no room, for its client.
    pub(crate) fn no_room_reason(&self, size: usize, reason: NoRoom) -> String {
        let line = self.hub.status().settings;
        let bits = size as u64 * u64::from(line.bits_per_byte());
        let (baud, seconds) = (line.baud, bits / u64::from(line.baud));
        match reason {
            NoRoom::Locked(holder) => holder.refusal(),
            NoRoom::TooLong { max } if seconds == 0 => {
                format!("{size} bytes are too many: such a write may have at most {max}")
            }
            NoRoom::TooLong { max } => format!(
                "{size} bytes take {seconds} s at {baud} baud; such a write may have at most {max}"
            ),
            // Only what writes nothing counts for so little.
            NoRoom::Full {
                waiting,
                max,
                min_cost: 1,
            } => format!(
                "{waiting} such requests of yours already wait for the device; at most {max} may"
            ),
            NoRoom::Full {
                waiting,
                max,
                min_cost,
            } => format!(
                "{waiting} bytes of yours already wait for the device; at most {max} may wait, each \
                 request counting for at least {min_cost}"
            ),
        }
    }
}

/// All ports, the first of which is at `/`.
pub(crate) struct Ports {
    /// The random name of this run of the program, by which clients notice a restart.
    pub(crate) run: String,
    /// Replaced as a whole at each change, so that readers hold no lock while they use it.
    list: RwLock<Arc<[Arc<Port>]>>,
    /// The numbers of all clients.
    pub(crate) numbers: ClientNumbers,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            run: random_run(),
            list: RwLock::default(),
            numbers: ClientNumbers::default(),
        }
    }
}

/// Returns a random name for this run of the program.
fn random_run() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

impl Ports {
    /// Adds a port at the end. Returns false, and adds nothing, where its name is taken.
    pub(crate) fn add(&self, port: Arc<Port>) -> bool {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = list.iter().all(|other| other.name != port.name);
        if is_new {
            *list = list.iter().cloned().chain([port]).collect();
        }
        is_new
    }

    /// Removes the port called `name`: stops it, and disconnects its clients. Returns false where
    /// there is none.
    pub(crate) fn remove(&self, name: &str) -> bool {
        let removed = self.by_name(name);
        removed.is_some_and(|port| self.end(&port, PortEnd::removed()))
    }

    /// Removes a port: stops it, and tells its clients why. Returns false where it was removed before.
    pub(crate) fn end(&self, port: &Arc<Port>, end: PortEnd) -> bool {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let others = list.iter().filter(|other| !Arc::ptr_eq(other, port));
        let others: Arc<[_]> = others.cloned().collect();
        let is_first = others.len() < list.len() && port.end.set(end).is_ok();
        *list = others;
        port.stop.cancel();
        is_first
    }

    /// Returns the ports as they are now, in order.
    pub(crate) fn all(&self) -> Arc<[Arc<Port>]> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the port called `name`.
    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Port>> {
        self.all().iter().find(|port| port.name == name).cloned()
    }

    /// Returns the names of all ports, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.all().iter().map(|port| port.name.clone()).collect()
    }
}
