//! Checks the devices on offer: which ones are here, who may open them, and how to offer the others.

use super::ports;
use crate::config::Config;
use crate::port::source::serial::listing::{self, ListedDevice};
use crate::port::source::serial::os;
use crate::port::{self, Claims, Diagnostic};
use crate::program::device_entry::describe;
use crate::server::access::offer::{Audience, BoardAnswers, OfferDecision};
use crate::server::devices::DeviceEntry;
use crate::server::{Offer, Offers};
use crate::terminal::shown;

/// A page that no serial-ws serves.
const OTHER_PAGE: &str = "http://localhost";

/// Diagnoses each device that is here, if it is on offer or could be. Those of ports are reached so.
pub(crate) fn diagnose(config: &Config) -> Vec<Diagnostic> {
    let offers = &config.server.offers;
    let listed = listing::devices(&Claims::default(), &config.devices.paths).unwrap_or_default();
    let configs = config.port_configs();
    let physical = configs.iter().filter(|port| port.spec.is_physical());
    let of_ports: Vec<String> = physical
        .filter(|_| offers.has_ports)
        .filter_map(|port| port::find(port, &configs).ok())
        .collect();
    let is_of_port = |path: &str| of_ports.iter().any(|other| os::same_port(other, path));
    let devices: Vec<_> = listed.iter().map(describe).collect();
    let mut diagnostics = Vec::new();
    for (device, ListedDevice { info, .. }) in devices.iter().zip(&listed) {
        let offered = offered(device, offers);
        // Only USB boards are looked for by themselves, so perhaps nobody wants the others.
        if offered.is_none() && (info.usb().is_none() || is_of_port(&info.path)) {
            continue;
        }
        let is_new = offered.is_some() && offers.has_ports && !is_of_port(&info.path);
        diagnostics.push(offered.unwrap_or_else(|| not_offered(device)));
        // Without ports, and for those of ports, it was looked at already.
        if is_new {
            diagnostics.push(ports::look(&info.path));
        }
    }
    diagnostics.extend(unused(offers, &devices));
    diagnostics
}

/// Tells who may open a device; None if nobody may.
fn offered(device: &DeviceEntry, offers: &Offers) -> Option<Diagnostic> {
    let decide = |audience| offers.decide(device, &audience, &BoardAnswers::new());
    let name = name(device);
    if decide(Audience::Network).is_offered() {
        let text = format!("{name} is on offer to everyone who may connect");
        return Some(Diagnostic::ok(text));
    }
    let others = match decide(Audience::Page(OTHER_PAGE.to_owned())) {
        OfferDecision::Ask => "; serial-ws asks in its terminal about other pages",
        OfferDecision::Offered | OfferDecision::Rejected(_) => "",
    };
    let is_own = decide(Audience::Own).is_offered();
    is_own.then(|| {
        Diagnostic::ok(format!(
            "{name} is on offer to programs of this computer and pages of serial-ws{others}. To offer \
             it to everyone who may connect: --offer {}",
            shown(&device.spec)
        ))
    })
}

fn not_offered(device: &DeviceEntry) -> Diagnostic {
    let (name, spec) = (name(device), shown(&device.spec));
    Diagnostic::note(format!(
        "{name} is not on offer. To offer it: --offer {spec}"
    ))
}

fn name(device: &DeviceEntry) -> String {
    let (id, path) = (shown(&device.id), shown(&device.path));
    match &device.board {
        Some(board) => format!("{id} ({}, {path})", shown(board)),
        None => format!("{id} ({path})"),
    }
}

/// Tells of each pattern that no device fits.
fn unused<'a>(
    offers: &'a Offers,
    devices: &'a [DeviceEntry],
) -> impl Iterator<Item = Diagnostic> + 'a {
    offers.explicit.iter().filter_map(|offer| match offer {
        Offer::Pattern(pattern) if !devices.iter().any(|device| offer.includes(device)) => {
            let pattern = shown(pattern);
            let text = format!("--offer {pattern} fits no device that is here now");
            Some(Diagnostic::note(text))
        }
        Offer::Pattern(_) | Offer::Usb | Offer::None => None,
    })
}
