//! A flag that is raised when one of several futures of a task is woken, so that the task need not
//! poll them each time it is woken for another reason.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
#[cfg(not(serial_ws_loom))]
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

#[cfg(not(serial_ws_loom))]
use futures::task::AtomicWaker;
#[cfg(serial_ws_loom)]
use loom::sync::atomic::{AtomicBool, Ordering};
#[cfg(serial_ws_loom)]
use loom_tests::AtomicWaker;

/// A waker for some of a task's futures that remembers whether it was used.
pub(crate) struct WakeFlag {
    shared: Arc<FlagState>,
    waker: Waker,
}

struct FlagState {
    is_raised: AtomicBool,
    task: AtomicWaker,
}

impl WakeFlag {
    /// Returns a raised flag, since the futures have not been polled yet.
    pub(crate) fn new() -> Self {
        let shared = Arc::new(FlagState {
            is_raised: AtomicBool::new(true),
            task: AtomicWaker::new(),
        });
        let waker = Arc::clone(&shared).into();
        Self { shared, waker }
    }

    /// Waits for `future`, but polls it only if something in it was woken since it was last polled,
    /// or if it `must` be polled.
    ///
    /// Without `must`, `future` may be another one each time, as long as what it waits for stays
    /// registered while it is not polled: sockets, channels and pinned timers do.
    pub(crate) async fn poll_if_raised<T>(
        &self,
        must: bool,
        mut future: Pin<&mut impl Future<Output = T>>,
    ) -> T {
        poll_fn(|cx| {
            self.shared.task.register(cx.waker());
            if !self.shared.is_raised.swap(false, Ordering::AcqRel) && !must {
                return Poll::Pending;
            }
            let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
            if polled.is_ready() {
                // The futures after the one that is ready were not polled, and are not registered.
                self.shared.is_raised.swap(true, Ordering::AcqRel);
            }
            polled
        })
        .await
    }
}

impl Wake for FlagState {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A swap rather than a store, since loom knows no single order of stores.
        self.is_raised.swap(true, Ordering::AcqRel);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::pin;

    use super::*;

    #[test]
    fn a_future_is_polled_again_only_when_it_was_woken_or_must_be() {
        let flag = WakeFlag::new();
        let wakers = RefCell::new(Vec::new());
        let polls_after_waiting = |must| {
            let future = pin!(poll_fn(|cx| {
                wakers.borrow_mut().push(cx.waker().clone());
                Poll::<()>::Pending
            }));
            let waiting = pin!(flag.poll_if_raised(must, future));
            let polled = waiting.poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            wakers.borrow().len()
        };
        assert_eq!(polls_after_waiting(false), 1, "it is raised at first");
        assert_eq!(polls_after_waiting(false), 1, "nothing was woken");
        wakers.borrow()[0].wake_by_ref();
        assert_eq!(polls_after_waiting(false), 2, "it was woken");
        assert_eq!(polls_after_waiting(true), 3, "it must be polled");
    }

    #[test]
    fn after_a_future_that_was_ready_the_next_is_polled() {
        let flag = WakeFlag::new();
        for _ in 0..2 {
            let future = pin!(async {});
            let waiting = pin!(flag.poll_if_raised(false, future));
            let polled = waiting.poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_ready());
        }
    }
}

/// Every order in which wakers of several threads and the task can meet; see `hub::sync`.
#[cfg(serial_ws_loom)]
mod loom_tests {
    use std::pin::pin;

    use loom::future::block_on;
    use loom::sync::Mutex;
    use loom::thread;

    use super::{Arc, Poll, WakeFlag, Waker, poll_fn};

    /// A waker under a lock, whose order with atomics loom knows.
    pub(crate) struct AtomicWaker(Mutex<Option<Waker>>);

    impl AtomicWaker {
        pub(crate) fn new() -> Self {
            Self(Mutex::new(None))
        }

        pub(crate) fn register(&self, waker: &Waker) {
            *self.0.lock().unwrap() = Some(waker.clone());
        }

        pub(crate) fn wake(&self) {
            let waker = self.0.lock().unwrap().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Something to wait for: whether it has happened, and who waits for it.
    #[derive(Default)]
    struct Happening(Mutex<(bool, Option<Waker>)>);

    #[test]
    fn a_task_hears_of_every_waker_that_is_used() {
        loom::model(|| {
            let flag = WakeFlag::new();
            let all: [Arc<Happening>; 2] = Default::default();
            let threads = all.clone().map(|one| {
                thread::spawn(move || {
                    let waker = {
                        let mut state = one.0.lock().unwrap();
                        state.0 = true;
                        state.1.take()
                    };
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                })
            });
            block_on(async {
                for _ in 0..2 {
                    let next = pin!(poll_fn(|cx| {
                        for one in &all {
                            let mut state = one.0.lock().unwrap();
                            if std::mem::take(&mut state.0) {
                                return Poll::Ready(());
                            }
                            state.1 = Some(cx.waker().clone());
                        }
                        Poll::Pending
                    }));
                    flag.poll_if_raised(false, next).await;
                }
            });
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }
}
