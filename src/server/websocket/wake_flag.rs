//! Tells which of a task's futures was woken, so that the others need not be polled each time.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

/// A waker of its own for some of a task's futures.
pub(crate) struct Bell {
    rope: Arc<Rope>,
    waker: Waker,
}

struct Rope {
    has_rung: AtomicBool,
    task: AtomicWaker,
}

impl Bell {
    /// A bell that has rung, since nobody has asked the futures yet.
    pub(crate) fn new() -> Self {
        let rope = Arc::new(Rope {
            has_rung: AtomicBool::new(true),
            task: AtomicWaker::new(),
        });
        let waker = Arc::clone(&rope).into();
        Self { rope, waker }
    }

    /// Waits for `future`, but polls it only when something in it has rung since it was last
    /// polled, or when it `must` be.
    ///
    /// Without `must`, `future` may be another one each time, as long as what it waits for stays
    /// registered while nobody polls it: sockets, channels and pinned timers do.
    pub(crate) async fn hear<T>(
        &self,
        must: bool,
        mut future: Pin<&mut impl Future<Output = T>>,
    ) -> T {
        poll_fn(|cx| {
            self.rope.task.register(cx.waker());
            if !self.rope.has_rung.swap(false, Ordering::AcqRel) && !must {
                return Poll::Pending;
            }
            let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
            if polled.is_ready() {
                // What was not polled after the one that is ready is not registered.
                self.rope.has_rung.store(true, Ordering::Release);
            }
            polled
        })
        .await
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::pin;

    use super::*;

    #[test]
    fn a_future_is_polled_again_only_when_it_rang_or_must_be() {
        let bell = Bell::new();
        let wakers = RefCell::new(Vec::new());
        let polls_after_hearing = |must| {
            let future = pin!(poll_fn(|cx| {
                wakers.borrow_mut().push(cx.waker().clone());
                Poll::<()>::Pending
            }));
            let heard = pin!(bell.hear(must, future));
            let polled = heard.poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            wakers.borrow().len()
        };
        assert_eq!(polls_after_hearing(false), 1, "it rings at first");
        assert_eq!(polls_after_hearing(false), 1, "nothing rang");
        wakers.borrow()[0].wake_by_ref();
        assert_eq!(polls_after_hearing(false), 2, "it rang");
        assert_eq!(polls_after_hearing(true), 3, "it must be");
    }

    #[test]
    fn after_one_that_was_ready_the_next_is_polled() {
        let bell = Bell::new();
        for _ in 0..2 {
            let future = pin!(async {});
            let heard = pin!(bell.hear(false, future));
            let polled = heard.poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_ready());
        }
    }
}
