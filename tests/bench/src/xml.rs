//! A long SOAP reply read row by row, against a bare pass over its tokens.

use std::hint::black_box;

use anyhow::Context;
use clap::Args;
use quick_xml::events::Event;
use quick_xml::{NsReader, Reader};
use talon_connect1c::soap::{HISTORY, SERVICE};
use talon_http::soap::{Limits, TableReader};

use crate::measure::{Duel, timed};

/// The reply of the document, with one row.
const SAMPLE: &str = include_str!("../../../connectors/connect1c/samples/reply.xml");

/// How large the pieces are in which a body comes.
const PIECE: usize = 16 * 1024;

/// `xml`
#[derive(Args)]
pub(crate) struct Xml {
    /// Rows of the reply
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
    /// Rounds that count
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Only Talon's side, over and over: for a profiler
    #[arg(long)]
    only_talon: bool,
}

impl Xml {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let reply = reply(self.rows)?;
        println!("{} rows, {:.1} MB of XML", self.rows, reply.len() as f64 / 1e6);
        let mut talon = || timed(|| rows(&reply, self.rows));
        if self.only_talon {
            return (0..self.rounds).try_for_each(|_| talon().map(drop));
        }
        let limits: [(&str, Limit); 2] = [("tokens", tokens), ("tokens with namespaces", resolved)];
        for (name, limit) in limits {
            Duel::fight(self.rounds, &mut talon, || timed(|| limit(&reply)))?
                .print_rates(&format!("xml rows / {name}"), self.rows);
        }
        Ok(())
    }
}

type Limit = fn(&str) -> anyhow::Result<()>;

/// The sample with its row over and over, each with another key.
fn reply(rows: usize) -> anyhow::Result<String> {
    let (head, rest) = SAMPLE.split_once("<row>").context("a row")?;
    let (row, tail) = rest.split_once("</row>").context("its end")?;
    let (before, after) = row.split_once("8f659c86").context("a key")?;
    let mut reply = head.to_owned();
    for number in 0..rows {
        reply.push_str(&format!("<row>{before}{number:08x}{after}</row>\n                  "));
    }
    reply.push_str(tail);
    Ok(reply)
}

/// Talon's side: pieces in, rows out.
fn rows(reply: &str, rows: usize) -> anyhow::Result<()> {
    let mut reader = TableReader::new(SERVICE, HISTORY, &[], Limits::default());
    for piece in reply.as_bytes().chunks(PIECE) {
        reader.push(piece)?;
        black_box(reader.take_rows());
    }
    let whole = reader.finish()?;
    anyhow::ensure!(whole.rows == rows as u64, "{} of {rows} rows", whole.rows);
    Ok(())
}

/// Every token of the whole body at once.
fn tokens(reply: &str) -> anyhow::Result<()> {
    let mut reader = Reader::from_reader(reply.as_bytes());
    while !matches!(black_box(reader.read_event()?), Event::Eof) {}
    Ok(())
}

/// And what the names mean.
fn resolved(reply: &str) -> anyhow::Result<()> {
    let mut reader = NsReader::from_reader(reply.as_bytes());
    while !matches!(black_box(reader.read_resolved_event()?).1, Event::Eof) {}
    Ok(())
}
