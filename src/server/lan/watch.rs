//! The task that runs while other computers may connect: announces the server to them, and tells the
//! operator when the addresses of this computer change: a laptop joins another network, a cable is
//! plugged in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::addresses::Reachable;
use super::dns_sd::{Announcement, Facts};
use super::notice::{self, Occasion};
use crate::server::App;

/// The time between two looks. Systems tell of changes in ways of their own; a look costs less than a
/// millisecond.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// The server as other computers see it.
pub(crate) struct LanWatch {
    /// None where it is not announced.
    announcement: Option<Announcement>,
    /// The addresses that the operator knows.
    told: Vec<Reachable>,
}

impl LanWatch {
    /// Begins to announce the server, and tells the operator its addresses.
    pub(crate) fn begin(app: &App) -> Self {
        let announcement = app.config.announces.then(|| {
            let announcement = Announcement::begin(app.covered.clone(), facts(app));
            announcement.inspect_err(|why| {
                tracing::warn!(
                    "{why}. So `serial-ws list --lan` does not find it; others need its address"
                );
            })
        });
        let announcement = announcement.and_then(Result::ok);
        app.set_name(announcement.as_ref().map(Announcement::host));
        let told = app.reachable();
        notice::tell(app, &told, Occasion::Start);
        Self { announcement, told }
    }

    /// Follows changes until the program stops.
    pub(crate) async fn run(mut self, app: Arc<App>) {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.told.clone();
        loop {
            tokio::select! {
                () = app.stop.cancelled() => break,
                _ = looks.tick() => {}
            }
            if let Some(announcement) = &mut self.announcement {
                announcement.update(facts(&app));
                app.set_name(Some(announcement.host()));
            }
            let Some(now) = look(&app).await else {
                break;
            };
            // A network that is being joined gives one address after the other.
            let is_settled = now == seen;
            seen = now;
            if is_settled && seen != self.told {
                let is_best_new = seen.first() != self.told.first();
                notice::tell(&app, &seen, Occasion::Change { is_best_new });
                self.told.clone_from(&seen);
            }
        }
        if let Some(announcement) = self.announcement {
            announcement.end().await;
        }
    }
}

/// Returns what others are told: about each TCP port at which they reach the server.
fn facts(app: &App) -> Vec<Facts> {
    let beyond = app.covered.iter().filter(|one| !one.ip().is_loopback());
    let mut tcp_ports: Vec<_> = beyond.map(std::net::SocketAddr::port).collect();
    tcp_ports.sort_unstable();
    tcp_ports.dedup();
    let facts = tcp_ports.into_iter().map(|tcp_port| Facts {
        tcp_port,
        ports: app.ports.names(),
        is_encrypted: app.is_encrypted(),
    });
    facts.collect()
}

/// Returns the addresses that there are now, or `None` where the program ends meanwhile. The system may take
/// its time to list them, so a thread asks it.
async fn look(app: &Arc<App>) -> Option<Vec<Reachable>> {
    let app = Arc::clone(app);
    let looking = tokio::task::spawn_blocking(move || app.reachable());
    looking.await.ok()
}
