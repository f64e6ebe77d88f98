//! Watches the networks of this computer while others may connect, and tells the operator when its
//! addresses change: a laptop joins another network, a cable is plugged in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::addresses::Reachable;
use super::notice::{self, Occasion};
use crate::server::App;

/// The time between two looks. Systems tell of changes in ways of their own; a look costs less than a
/// millisecond.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Tells the operator of changes from `told` on, which are known already, until the program stops.
pub(crate) async fn run(app: Arc<App>, mut told: Vec<Reachable>) {
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = told.clone();
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        let Some(now) = look(&app).await else {
            return;
        };
        // A network that is being joined gives one address after the other.
        let is_settled = now == seen;
        seen = now;
        if is_settled && seen != told {
            let is_best_new = seen.first() != told.first();
            notice::tell(&app, &seen, Occasion::Change { is_best_new });
            told.clone_from(&seen);
        }
    }
}

/// Returns the addresses that there are now, or `None` where the program ends meanwhile. The system may take
/// its time to list them, so a thread asks it.
async fn look(app: &Arc<App>) -> Option<Vec<Reachable>> {
    let app = Arc::clone(app);
    let looking = tokio::task::spawn_blocking(move || app.reachable());
    looking.await.ok()
}
