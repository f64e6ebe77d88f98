//! HTTP: pages, the JSON API, metrics, and the access layer in front of all, which also hands
//! WebSockets over.

mod access_layer;
mod api;
mod ask;
mod assets;
mod body;
mod contents;
mod downloads;
mod error_page;
mod folder;
mod lines;
pub(crate) mod metrics;
mod operator;
mod port_address;
mod preflight;
mod record;
mod relative;
mod router;
mod session_cookie;
mod share;
mod small_page;
mod static_files;
mod token_form;
mod write;

pub(crate) use access_layer::rejected;
pub(crate) use error_page::{Links, Navigation};
pub(crate) use router::{p5_router, router};
pub(crate) use static_files::warn_of_folder;
