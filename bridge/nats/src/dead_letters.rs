//! Reading the dead letters of a connector, for whoever lists or settles them.

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use talon_runtime::bus::{BusFault, DeadLetter, DeadLetterEnds, Grant, ShardSpec, settled_key};

use crate::connection::Connection;
use crate::names;
use crate::read::{gone, read_to_end, taken_ms};
use crate::streams::info;

/// Reads the stream to its end; then what is recorded of those that are settled. In this order: a letter that is
/// settled in between is found settled.
pub(crate) async fn read(
    connection: &Connection,
    prefix: &str,
    shard: &ShardSpec,
    each: &mut dyn FnMut(DeadLetter),
) -> Result<DeadLetterEnds, BusFault> {
    let stream = names::dead_letters(prefix, &shard.name);
    let what = format!("the stream `{stream}`");
    let state = info(connection, &stream).await?.ok_or_else(|| gone(&what))?.state;
    let grant = Grant::unlimited(&shard.name);
    let all = (stream.as_str(), vec![], DeliverPolicy::All);
    let mut next = state.last_sequence + 1;
    read_to_end(connection, &grant, all, &mut |message, sequence| {
        next = next.max(sequence + 1);
        each(letter(message, sequence));
        Ok(())
    })
    .await?;
    let bucket = names::bucket(prefix);
    let below = names::bucket_stream(&bucket);
    let mut settled = None;
    if info(connection, &below).await?.is_some() {
        let subject = format!("$KV.{bucket}.{}", names::bucket_key(&settled_key(&shard.name)));
        let last = (below.as_str(), vec![subject], DeliverPolicy::LastPerSubject);
        read_to_end(connection, &grant, last, &mut |message, _| {
            settled = Some(message.payload.to_vec()).filter(|value| !value.is_empty());
            Ok(())
        })
        .await?;
    }
    Ok(DeadLetterEnds { oldest: state.first_sequence, next, settled })
}

fn letter(message: &Message, sequence: u64) -> DeadLetter {
    let mut headers = Vec::new();
    let mut key = String::new();
    for (name, values) in message.headers.iter().flat_map(|headers| headers.iter()) {
        let name: &str = name.as_ref();
        let value = values.iter().map(|value| value.as_str()).next().unwrap_or_default();
        match name {
            "talon-key" => key = names::key(value).unwrap_or_default(),
            // The server's own.
            _ if name.starts_with("Nats-") => {}
            _ => headers.push((name.to_owned(), value.to_owned())),
        }
    }
    let (at_ms, value) = (taken_ms(message), message.payload.to_vec());
    DeadLetter { at: sequence, at_ms, key, value, headers }
}
