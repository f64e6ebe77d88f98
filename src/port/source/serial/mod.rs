//! Serial ports of this computer: finds, recognises and opens them.

pub(crate) mod boards;
pub(crate) mod enumerate;
pub(crate) mod find;
pub(crate) mod identity;
pub(crate) mod open;
pub(crate) mod os;
pub(crate) mod selector;
