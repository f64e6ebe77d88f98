//! Serial ports of this computer: finds, recognises and opens them.

pub mod boards;
pub mod enumerate;
pub mod find;
pub mod identity;
pub mod open;
pub mod selector;
