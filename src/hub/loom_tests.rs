//! Every order in which the threads of a hub can meet: nobody waits for what has happened already.
//! Run by `tests/run --long`; see `sync`.

use bytes::Bytes;
use loom::future::block_on;
use loom::thread;

use super::backpressure::HIGH_WATER_MARK;
use super::*;

fn hub() -> Arc<Hub> {
    let limits = HubConfig {
        history: 1 << 20,
        max_behind: Duration::from_secs(1000),
    };
    Hub::new(limits, Status::new(State::Open, ""))
}

fn data(len: usize) -> Kind {
    Kind::Data(Data {
        chunk: Bytes::from(vec![b'x'; len]),
        ..Data::default()
    })
}

/// Takes events until there were so many bytes.
async fn take(subscription: &mut Subscription, bytes: u64) {
    let mut taken = Vec::new();
    while subscription.position().offset < bytes {
        subscription.ready().await;
        assert_eq!(subscription.take(&mut taken), None);
        subscription.delivered();
    }
}

#[test]
fn a_subscriber_that_waits_hears_of_every_event() {
    loom::model(|| {
        let hub = hub();
        let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
        let port = {
            let hub = Arc::clone(&hub);
            thread::spawn(move || {
                hub.publish(Timestamp(0), data(1));
                hub.publish(Timestamp(0), data(1));
            })
        };
        block_on(take(&mut subscription, 2));
        port.join().unwrap();
    });
}

#[test]
fn a_port_that_pauses_hears_of_progress() {
    loom::model(|| {
        let hub = hub();
        let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
        let behind = HIGH_WATER_MARK + 1;
        hub.publish(Timestamp(0), data(behind as usize));
        assert!(hub.read_pause().is_some());
        let client = thread::spawn(move || block_on(take(&mut subscription, behind)));
        block_on(hub.caught_up());
        client.join().unwrap();
    });
}

#[test]
fn a_port_that_pauses_hears_that_its_last_subscriber_leaves() {
    loom::model(|| {
        let hub = hub();
        let subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
        hub.publish(Timestamp(0), data(HIGH_WATER_MARK as usize + 1));
        let client = thread::spawn(move || drop(subscription));
        block_on(hub.caught_up());
        client.join().unwrap();
    });
}
