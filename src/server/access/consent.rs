//! The operator's consent: the answers about origins and boards so far, and the questions that are
//! still open. `prompt` asks them in the terminal.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

use super::offer::{BoardAnswers, BoardQuestion};
use super::{Answers, Rights};

/// Origins that the operator is asked about in one run, so that a site with many names cannot keep
/// asking. At the limit, a page is rejected with the flag that allows it.
pub(crate) const MAX_QUESTIONS: usize = 16;

/// Boards that the operator is asked about in one run, for the same reason.
const MAX_BOARD_QUESTIONS: usize = 32;

/// A question for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// May pages of this origin connect?
    Page(String),
    /// May pages of an origin open a board?
    Board(BoardQuestion),
}

/// Records the operator's answers, and queues questions.
pub(crate) struct Consent {
    state: Mutex<ConsentState>,
    /// Sends questions to the prompt; None where there is no terminal. A question for which the
    /// queue has no room is asked at the next attempt.
    questions: Option<mpsc::Sender<Question>>,
    /// Tells those who watch the devices that there is an answer about a board.
    board_answered: watch::Sender<()>,
}

#[derive(Default)]
struct ConsentState {
    answers: Answers,
    board_answers: BoardAnswers,
    /// Questions that are open or queued.
    pending: HashSet<Question>,
    asked: usize,
    asked_about_boards: usize,
}

impl Consent {
    /// Starts with answers of earlier runs; `questions` leads to the prompt.
    pub(crate) fn new(answers: Answers, questions: Option<mpsc::Sender<Question>>) -> Self {
        let state = Mutex::new(ConsentState {
            answers,
            ..ConsentState::default()
        });
        Self {
            state,
            questions,
            board_answered: watch::Sender::new(()),
        }
    }

    /// Calls `look` with all answers so far.
    pub(crate) fn with_answers<T>(&self, look: impl FnOnce(&Answers) -> T) -> T {
        look(&self.lock().answers)
    }

    /// Does the same with all answers about boards.
    pub(crate) fn with_board_answers<T>(&self, look: impl FnOnce(&BoardAnswers) -> T) -> T {
        look(&self.lock().board_answers)
    }

    /// Returns a receiver that is told of each answer about a board.
    pub(crate) fn board_answered(&self) -> watch::Receiver<()> {
        self.board_answered.subscribe()
    }

    /// Asks the operator. Returns false where nobody can be asked.
    pub(crate) fn ask(&self, question: Question) -> bool {
        let Some(questions) = &self.questions else {
            return false;
        };
        let mut state = self.lock();
        if state.pending.contains(&question) {
            return true;
        }
        let (asked, max) = match question {
            Question::Page(_) => (&mut state.asked, MAX_QUESTIONS),
            Question::Board(_) => (&mut state.asked_about_boards, MAX_BOARD_QUESTIONS),
        };
        let is_asked = *asked < max && questions.try_send(question.clone()).is_ok();
        if is_asked {
            *asked += 1;
            state.pending.insert(question);
        }
        is_asked
    }

    /// Records an answer about an origin; without one, the question may be asked again.
    pub(crate) fn record(&self, origin: &str, answer: Option<Option<Rights>>) {
        let mut state = self.lock();
        state.pending.remove(&Question::Page(origin.to_owned()));
        if let Some(answer) = answer {
            state.answers.insert(origin.to_owned(), answer);
        }
    }

    /// Records whether an origin may open a board; without an answer, the question may be asked
    /// again.
    pub(crate) fn record_board(&self, question: BoardQuestion, answer: Option<bool>) {
        let mut state = self.lock();
        state.pending.remove(&Question::Board(question.clone()));
        if let Some(is_allowed) = answer {
            state.board_answers.insert(question, is_allowed);
        }
        drop(state);
        self.board_answered.send_replace(());
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
        let page = || Question::Page("null".to_owned());
        assert!(consent.ask(page()) && consent.ask(page()));
        assert_eq!(questions.try_recv().unwrap(), page());
        assert!(questions.try_recv().is_err());
        consent.record("null", Some(None));
        consent.with_answers(|answers| assert_eq!(answers["null"], None));
    }

    #[test]
    fn a_site_of_many_names_cannot_ask_for_ever() {
        let (sender, mut questions) = mpsc::channel(1);
        let consent = Consent::new(Answers::new(), Some(sender));
        let page = |name: &str| Question::Page(name.to_owned());
        for n in 0..MAX_QUESTIONS {
            assert!(consent.ask(page(&n.to_string())));
            assert!(!consent.ask(page("no room")));
            questions.try_recv().unwrap();
        }
        assert!(!consent.ask(page("one more")));
        // Questions about boards are counted on their own.
        let board = |id: usize| BoardQuestion {
            origin: "http://localhost:5500".to_owned(),
            id: id.to_string(),
            board: None,
        };
        for id in 0..MAX_BOARD_QUESTIONS {
            assert!(consent.ask(Question::Board(board(id))));
            questions.try_recv().unwrap();
        }
        assert!(!consent.ask(Question::Board(board(MAX_BOARD_QUESTIONS))));
    }

    #[test]
    fn those_who_watch_the_devices_are_told_of_an_answer_about_a_board() {
        let (sender, _questions) = mpsc::channel(1);
        let consent = Consent::new(Answers::new(), Some(sender));
        let board = BoardQuestion {
            origin: "http://localhost:5500".to_owned(),
            id: "usb:2341:0043".to_owned(),
            board: None,
        };
        let told = consent.board_answered();
        assert!(consent.ask(Question::Board(board.clone())));
        assert!(!told.has_changed().unwrap());
        consent.record_board(board.clone(), Some(true));
        assert!(told.has_changed().unwrap());
        consent.with_board_answers(|answers| assert!(answers[&board]));
    }
}
