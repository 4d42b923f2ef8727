//! Clients of NATS that wait as long as the tests do: on a loaded machine neither the server nor the test gets
//! a processor for seconds, and what clients wait by default says nothing of Talon then.

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions};

use super::PATIENCE;

pub async fn client(address: &str) -> Client {
    let options =
        ConnectOptions::new().connection_timeout(PATIENCE).request_timeout(Some(PATIENCE));
    options.connect(address).await.unwrap()
}

pub async fn jetstream(address: &str) -> Context {
    let mut jetstream = jetstream::new(client(address).await);
    jetstream.set_timeout(PATIENCE);
    jetstream
}
