//! The person at the terminal: what they are told about those who may not connect, and what they
//! are asked. The questions themselves are in `ask`.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{Answers, Refusal, Rights};

/// How long after a line on the terminal the same line is not said again.
const SAME_LINE_EVERY: Duration = Duration::from_secs(60);

/// Different lines that are remembered for that; of more, only the first is said until a minute
/// has passed.
const MOST_LINES: usize = 64;

/// Origins that are asked about in one run: a site with many names must not keep asking. Beyond
/// it, pages are refused with the flag that admits them.
pub(crate) const MOST_QUESTIONS: usize = 16;

/// What the operator has said and heard.
pub(crate) struct Operator {
    book: Mutex<Book>,
    /// Each refusal that reached the terminal, by what it said, and how many since then did not.
    lines: Mutex<HashMap<String, (Instant, u64)>>,
    /// Sends origins to ask about; None where nobody is at a terminal. What does not fit is asked
    /// at the next attempt.
    questions: Option<mpsc::Sender<String>>,
}

#[derive(Default)]
struct Book {
    answers: Answers,
    /// Those that are asked about at this moment or soon.
    pending: HashSet<String>,
    asked: usize,
}

impl Operator {
    /// An operator who has said `answers` before, and is asked by `questions`.
    pub(crate) fn new(answers: Answers, questions: Option<mpsc::Sender<String>>) -> Self {
        let book = Book {
            answers,
            ..Book::default()
        };
        Self {
            book: Mutex::new(book),
            lines: Mutex::default(),
            questions,
        }
    }

    /// Does something with all answers so far.
    pub(crate) fn with_answers<T>(&self, look: impl FnOnce(&Answers) -> T) -> T {
        look(&self.book().answers)
    }

    /// Asks about an origin; false where nobody can be asked.
    pub(crate) fn ask(&self, origin: &str) -> bool {
        let Some(questions) = &self.questions else {
            return false;
        };
        let mut book = self.book();
        if book.pending.contains(origin) {
            return true;
        }
        let is_asked = book.asked < MOST_QUESTIONS && questions.try_send(origin.to_owned()).is_ok();
        if is_asked {
            book.asked += 1;
            book.pending.insert(origin.to_owned());
        }
        is_asked
    }

    /// Takes down what was answered; without an answer the question may be asked again.
    pub(crate) fn answer(&self, origin: &str, answer: Option<Option<Rights>>) {
        let mut book = self.book();
        book.pending.remove(origin);
        if let Some(answer) = answer {
            book.answers.insert(origin.to_owned(), answer);
        }
    }

    /// Says on the terminal that somebody was refused, at most once a minute for each reason.
    pub(crate) fn hear(&self, refusal: &Refusal) {
        let (reason, remedy) = (&refusal.reason, &refusal.remedy);
        let Some(before) = self.count(reason, Instant::now()) else {
            return;
        };
        let times = match before {
            0 => String::new(),
            before => format!(" ({before} more since the last time this was said)"),
        };
        let stop = if remedy.is_empty() { "" } else { ". " };
        tracing::warn!("refused: {reason}{stop}{remedy}{times}");
    }

    /// Says on the terminal that something was dropped that a client sent to this port, at most once
    /// a minute for each reason.
    pub(crate) fn note_dropped(&self, port: &str, reason: &str) {
        if let Some(before) = self.count(&format!("{port}: {reason}"), Instant::now()) {
            let count = before + 1;
            tracing::warn!(port, count, reason, "dropped what a client sent");
        }
    }

    /// How often this was not said since it was said, if it is to be said now.
    fn count(&self, reason: &str, now: Instant) -> Option<u64> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |said: Instant| now.duration_since(said) >= SAME_LINE_EVERY;
        if lines.len() >= MOST_LINES && !lines.contains_key(reason) {
            lines.retain(|_, (said, _)| !is_old(*said));
        }
        let key = if lines.len() < MOST_LINES || lines.contains_key(reason) {
            reason
        } else {
            "others"
        };
        match lines.get_mut(key) {
            Some((said, count)) if !is_old(*said) => {
                *count += 1;
                None
            }
            Some((said, count)) => {
                *said = now;
                Some(std::mem::take(count))
            }
            None => {
                lines.insert(key.to_owned(), (now, 0));
                Some(0)
            }
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Every change is one call, so that a panic leaves nothing half done.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_once_a_minute_with_a_count() {
        let operator = Operator::new(Answers::new(), None);
        let start = Instant::now();
        assert_eq!(operator.count("a", start), Some(0));
        assert_eq!(operator.count("a", start), None);
        assert_eq!(operator.count("b", start), Some(0));
        assert_eq!(operator.count("a", start + SAME_LINE_EVERY / 2), None);
        assert_eq!(operator.count("a", start + SAME_LINE_EVERY), Some(2));
        assert_eq!(operator.count("a", start + SAME_LINE_EVERY), None);
    }

    #[test]
    fn many_lines_cost_little_memory() {
        let operator = Operator::new(Answers::new(), None);
        let said = (0..1000).filter_map(|n| operator.count(&n.to_string(), Instant::now()));
        assert_eq!(said.count(), MOST_LINES + 1);
        assert!(operator.lines.lock().unwrap().len() <= MOST_LINES + 1);
    }

    #[test]
    fn one_origin_is_asked_about_once_at_a_time() {
        let (sender, mut questions) = mpsc::channel(4);
        let operator = Operator::new(Answers::new(), Some(sender));
        assert!(operator.ask("null") && operator.ask("null"));
        assert_eq!(questions.try_recv().unwrap(), "null");
        assert!(questions.try_recv().is_err());
        operator.answer("null", Some(None));
        operator.with_answers(|answers| assert_eq!(answers["null"], None));
    }

    #[test]
    fn a_site_of_many_names_cannot_ask_for_ever() {
        let (sender, mut questions) = mpsc::channel(1);
        let operator = Operator::new(Answers::new(), Some(sender));
        for n in 0..MOST_QUESTIONS {
            assert!(operator.ask(&n.to_string()));
            assert!(!operator.ask("no room"));
            questions.try_recv().unwrap();
        }
        assert!(!operator.ask("one more"));
    }
}
