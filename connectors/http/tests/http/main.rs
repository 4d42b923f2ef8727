//! The client against servers that answer as they are told.

mod bodies;
mod credentials;
mod faults;
mod limits;
mod requests;
mod server;
mod settings;
mod tls;
mod upstream;
