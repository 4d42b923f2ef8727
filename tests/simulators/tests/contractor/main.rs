//! ContractorPersonalArea as a client sees it.

mod auth;
mod calls;
mod client;
mod control;
mod costs;
mod faults;
mod journal;
mod life;
mod marks;
mod shared;
mod tasks;
mod users;
