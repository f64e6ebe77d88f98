//! `serial-ws list --lan`: lists each serial-ws that announces itself in the networks of this computer. All
//! that it prints of them comes from other computers, so nothing of it is trusted.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use mdns_sd::{ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::table;
use crate::server::lan::addresses::Family;
use crate::server::lan::dns_sd::{self, SERVICE_TYPE};
use crate::terminal::{print, shown, shown_json};

const HEADINGS: [&str; 5] = ["ADDRESS", "PORTS", "TOKEN", "VERSION", "NAME"];

/// Time to wait for answers. Others answer within 120 ms, or to the second question, which comes a second
/// after the first.
const LOOK_TIME: Duration = Duration::from_millis(1800);

/// Services that are listed. More are left out: no network has as many, unless somebody makes them up.
const MAX_FOUND: usize = 256;

const NOTHING: &str = "\
No serial-ws found in the networks of this computer. One is found here where it runs with --lan. Networks
for guests often keep computers apart; elsewhere the address that --lan shows works all the same.
";

/// Prints the list.
///
/// # Errors
/// When the output cannot be written.
pub(super) async fn run(as_json: bool, out: &mut dyn Write) -> Result<()> {
    let found = match find().await {
        Ok(found) => found,
        Err(why) => {
            tracing::warn!("{why}. The address that serial-ws --lan shows works all the same");
            Vec::new()
        }
    };
    let text = match (as_json, found.is_empty()) {
        (true, _) => to_json(&found)?,
        (false, true) => NOTHING.to_owned(),
        (false, false) => to_table(&found),
    };
    print(out, text)
}

/// Asks the networks of this computer, and returns what was found, in the order of names.
///
/// # Errors
/// In words for people, where the system does not permit it.
async fn find() -> Result<Vec<ResolvedService>, String> {
    dns_sd::check(&[SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))])?;
    let failed = |error: mdns_sd::Error| format!("cannot use DNS-SD: {error}");
    let daemon = ServiceDaemon::new().map_err(failed)?;
    let events = daemon.browse(SERVICE_TYPE).map_err(failed)?;
    let end = Instant::now() + LOOK_TIME;
    let mut found = BTreeMap::new();
    while let Ok(Ok(event)) = timeout_at(end, events.recv_async()).await {
        match event {
            ServiceEvent::ServiceResolved(service) if found.len() < MAX_FOUND => {
                found.insert(service.fullname.clone(), *service);
            }
            ServiceEvent::ServiceRemoved(_, name) => drop(found.remove(&name)),
            _ => {}
        }
    }
    let _ = daemon.shutdown();
    Ok(found.into_values().collect())
}

/// Returns the addresses of the page, the best one first. One with a zone is for programs only.
fn urls(service: &ResolvedService) -> Vec<String> {
    let tls = if is_encrypted(service) { "s" } else { "" };
    let mut addresses: Vec<_> = service.addresses.iter().collect();
    addresses.sort_by_cached_key(|one| (Family::of(one.to_ip_addr()), one.to_string()));
    let port = service.port;
    let url = |address: &ScopedIp| {
        let text = address.to_string();
        match (address.is_ipv4(), text.split_once('%')) {
            (true, _) => format!("http{tls}://{text}:{port}/"),
            (false, None) => format!("http{tls}://[{text}]:{port}/"),
            (false, Some((ip, zone))) => format!("ws{tls}://[{ip}%25{zone}]:{port}/"),
        }
    };
    addresses.into_iter().map(url).collect()
}

fn is_encrypted(service: &ResolvedService) -> bool {
    service.get_property_val_str("tls") == Some("1")
}

/// Returns true if it asks for a token, or `None` where it does not say.
fn needs_token(service: &ResolvedService) -> Option<bool> {
    match service.get_property_val_str("token") {
        Some("1") => Some(true),
        Some("0") => Some(false),
        _ => None,
    }
}

fn ports(service: &ResolvedService) -> Vec<&str> {
    let names = service.get_property_val_str("ports").unwrap_or_default();
    names.split(',').filter(|name| !name.is_empty()).collect()
}

/// Returns the name of the service, without its type.
fn name(service: &ResolvedService) -> String {
    let name = service.fullname.strip_suffix(SERVICE_TYPE);
    let name = name.unwrap_or(&service.fullname).trim_end_matches('.');
    name.replace("\\.", ".").replace("\\\\", "\\")
}

fn to_table(found: &[ResolvedService]) -> String {
    let rows = found.iter().map(|service| {
        let token = match needs_token(service) {
            Some(true) => "needed",
            Some(false) => "not needed",
            None => "",
        };
        let version = service.get_property_val_str("version");
        [
            urls(service)
                .first()
                .map_or_else(String::new, |url| shown(url)),
            shown(&ports(service).join(", ")),
            token.to_owned(),
            shown(version.unwrap_or_default()),
            shown(&name(service)),
        ]
    });
    table::text(HEADINGS, &rows.collect::<Vec<_>>())
}

fn to_json(found: &[ResolvedService]) -> Result<String> {
    let objects: Vec<_> = found.iter().map(object).collect();
    Ok(shown_json(&serde_json::to_string_pretty(&objects)?) + "\n")
}

fn object(service: &ResolvedService) -> Value {
    json!({
        "name": name(service),
        "host": service.host.trim_end_matches('.'),
        "urls": urls(service),
        "ports": ports(service),
        "token": needs_token(service),
        "version": service.get_property_val_str("version"),
    })
}

#[cfg(test)]
mod tests {
    use mdns_sd::ServiceInfo;

    use super::*;

    fn service(name: &str, ips: &str, texts: &[(&str, &str)]) -> ResolvedService {
        let info = ServiceInfo::new(SERVICE_TYPE, name, "pi.local.", ips, 8080, texts).unwrap();
        info.as_resolved_service()
    }

    #[test]
    fn the_table_has_the_best_address_of_each() {
        let found = [
            service(
                "serial-ws on pi",
                "2001:db8::7,192.168.1.50,169.254.1.1",
                &[("ports", "uno,scale"), ("token", "1"), ("version", "0.1.0")],
            ),
            service("b.c\x1b[2J", "10.0.0.7", &[("tls", "1")]),
        ];
        let expected = "\
ADDRESS                     PORTS       TOKEN   VERSION  NAME
http://192.168.1.50:8080/   uno, scale  needed  0.1.0    serial-ws on pi
https://10.0.0.7:8080/      -           -       -        b.c\\u{1b}[2J
";
        let text = to_table(&found);
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&text), squeezed(expected));
    }

    #[test]
    fn json_has_all_addresses() {
        let found = [service("a", "fd00::1,10.0.0.7", &[("token", "0")])];
        let list: Value = serde_json::from_str(&to_json(&found).unwrap()).unwrap();
        let urls = ["http://10.0.0.7:8080/", "http://[fd00::1]:8080/"];
        assert_eq!(list[0]["urls"], json!(urls));
        assert_eq!(list[0]["token"], false);
        assert_eq!(list[0]["host"], "pi.local");
        assert_eq!(list[0]["ports"], json!([]));
        assert_eq!(to_json(&[]).unwrap(), "[]\n");
    }
}
