//! The operator's consent: the answers about origins so far, and the questions that are still open.
//! `prompt` asks them in the terminal.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::{Answers, Rights};

/// Origins that the operator is asked about in one run, so that a site with many names cannot keep
/// asking. At the limit, a page is rejected with the flag that allows it.
pub(crate) const MAX_QUESTIONS: usize = 16;

/// Records the operator's answers, and queues questions.
pub(crate) struct Consent {
    state: Mutex<ConsentState>,
    /// Sends origins to the prompt; None where there is no terminal. An origin for which the queue
    /// has no room is asked about at its next attempt.
    questions: Option<mpsc::Sender<String>>,
}

#[derive(Default)]
struct ConsentState {
    answers: Answers,
    /// Origins whose question is open or queued.
    pending: HashSet<String>,
    asked: usize,
}

impl Consent {
    /// Starts with answers of earlier runs; `questions` leads to the prompt.
    pub(crate) fn new(answers: Answers, questions: Option<mpsc::Sender<String>>) -> Self {
        let state = Mutex::new(ConsentState {
            answers,
            ..ConsentState::default()
        });
        Self { state, questions }
    }

    /// Calls `look` with all answers so far.
    pub(crate) fn with_answers<T>(&self, look: impl FnOnce(&Answers) -> T) -> T {
        look(&self.lock().answers)
    }

    /// Asks the operator about an origin. Returns false where nobody can be asked.
    pub(crate) fn ask(&self, origin: &str) -> bool {
        let Some(questions) = &self.questions else {
            return false;
        };
        let mut state = self.lock();
        if state.pending.contains(origin) {
            return true;
        }
        let is_asked = state.asked < MAX_QUESTIONS && questions.try_send(origin.to_owned()).is_ok();
        if is_asked {
            state.asked += 1;
            state.pending.insert(origin.to_owned());
        }
        is_asked
    }

    /// Records an answer; without one, the question may be asked again.
    pub(crate) fn record(&self, origin: &str, answer: Option<Option<Rights>>) {
        let mut state = self.lock();
        state.pending.remove(origin);
        if let Some(answer) = answer {
            state.answers.insert(origin.to_owned(), answer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, ConsentState> {
        // Every change is one call, so that a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_origin_is_asked_about_once_at_a_time() {
        let (sender, mut questions) = mpsc::channel(4);
        let consent = Consent::new(Answers::new(), Some(sender));
        assert!(consent.ask("null") && consent.ask("null"));
        assert_eq!(questions.try_recv().unwrap(), "null");
        assert!(questions.try_recv().is_err());
        consent.record("null", Some(None));
        consent.with_answers(|answers| assert_eq!(answers["null"], None));
    }

    #[test]
    fn a_site_of_many_names_cannot_ask_for_ever() {
        let (sender, mut questions) = mpsc::channel(1);
        let consent = Consent::new(Answers::new(), Some(sender));
        for n in 0..MAX_QUESTIONS {
            assert!(consent.ask(&n.to_string()));
            assert!(!consent.ask("no room"));
            questions.try_recv().unwrap();
        }
        assert!(!consent.ask("one more"));
    }
}
