//! 1C-Connect: treatments of its support lines, from the SOAP interface PartnerWebAPI2
//! (`1c-connect-soap.txt`).
//!
//! The traps of this upstream, and where each is dealt with:
//!
//! - **The quota is the upstream.** Ten calls an hour by day, of each account and operation, counted in a
//!   way that nobody knows, and shared with other programs: [`quota`].
//! - **What is read when.** The past in windows, newest first, then what was closed lately, and once a
//!   night what may have been rated late: [`plan`].
//! - **Rows are told by position**, in an order that each reply says anew, and a reply can be a million
//!   rows: [`xml`].
//! - **A document that is cut short is no error to the XML library**: [`xml`].
//! - **Errors come with status 200**: [`xml::ReplyFault`].
//! - **Times have no zone, and "none" has stand-ins**: [`values`].
//!
//! So far this crate is what needs no declaration of entities and feeds; those come with the author's kit.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod plan;
pub mod quota;
pub mod soap;
pub mod values;
pub mod xml;
