//! `#[derive(Record)]`: a record of an upstream and of a topic, declared once.
//!
//! What it makes, and what a declaration looks like, is described at `talon_sdk::entity`, which is where
//! authors take it from.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod declared;
mod read;
mod record;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

use declared::Declared;

/// Makes a struct a record: read from an upstream's JSON without loss, described as an Avro schema, and
/// written as an Avro datum.
#[proc_macro_derive(Record, attributes(record, from))]
pub fn record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let made = Declared::of(&input).map(|declared| {
        let mut tokens = read::of(&declared);
        tokens.extend(record::of(&declared));
        tokens
    });
    made.unwrap_or_else(|error| error.to_compile_error()).into()
}
