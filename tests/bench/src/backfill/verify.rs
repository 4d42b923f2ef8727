//! Whether what is on the topics is what the server has, each once.

use jiff::civil::Date;
use serde::Deserialize;

use super::download::Client;
use crate::bare::kafka::read_each;
use crate::cluster::Cluster;

/// A reply with history, as far as it tells what there is.
#[derive(Deserialize)]
struct Department {
    #[serde(rename = "Tickets")]
    tickets: Vec<Ticket>,
}

#[derive(Deserialize)]
struct Ticket {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "Products")]
    products: Vec<Product>,
}

#[derive(Deserialize)]
struct Product {
    #[serde(rename = "History")]
    history: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    #[serde(rename = "Id")]
    id: String,
}

/// Reads both sides anew, and compares the keys with how often each is there.
pub(super) async fn run(
    client: &Client,
    first: Date,
    prefix: &str,
    cluster: &Cluster,
) -> anyhow::Result<()> {
    let (mut tickets, mut operations) = (Vec::new(), Vec::new());
    // It may be tomorrow where a branch is.
    let last = jiff::Zoned::now().date().tomorrow()?;
    client
        .days(first, last, |reply: &Vec<Department>, branch| {
            for ticket in reply.iter().flat_map(|department| &department.tickets) {
                tickets.push(id(&format!("{branch}/{}", ticket.id))?);
                let steps = ticket.products.iter().flat_map(|product| &product.history);
                for operation in steps {
                    operations.push(id(&operation.id)?);
                }
            }
            Ok(())
        })
        .await?;
    for (feed, mut expected) in [("ticket", tickets), ("ticket_operation", operations)] {
        let mut published = Vec::with_capacity(expected.len());
        let mut bytes = 0;
        read_each(cluster.servers(), &format!("{prefix}.bench.{feed}"), &mut |key, value| {
            anyhow::ensure!(value.is_some(), "a tombstone on `{feed}`");
            bytes += value.map_or(0, <[u8]>::len);
            published.push(id(std::str::from_utf8(key)?)?);
            Ok(())
        })?;
        expected.sort_unstable();
        published.sort_unstable();
        let records = published.len();
        let is_same = published == expected;
        published.dedup();
        println!(
            "  {feed}: {} at the server, {records} records of {} keys on the topic, {:.0} bytes on average",
            expected.len(),
            published.len(),
            bytes as f64 / records.max(1) as f64
        );
        anyhow::ensure!(is_same, "`{feed}` is not what the server has, each once");
    }
    println!("  each exactly once");
    Ok(())
}

/// A key as a number: Guids, joined by `/`.
fn id(key: &str) -> anyhow::Result<u128> {
    let mut id = 0_u128;
    for guid in key.split('/') {
        let digits = u128::from_str_radix(&guid.replace('-', ""), 16)?;
        id = id.rotate_left(1) ^ digits;
    }
    Ok(id)
}
