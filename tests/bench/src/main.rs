//! Benchmark programs: each figure beside its limit, measured in the same run.
//!
//! What they measure, and what came out, is in `README.md`.
#![forbid(unsafe_code)]

mod backfill;
mod bare;
mod calls;
mod changed;
mod cluster;
mod commands;
mod measure;
mod memory;
mod peer;
mod program;
mod push;
mod recovery;
mod stage;
mod start;
mod unchanged;
mod void;
mod xml;

use clap::{Parser, Subcommand};

/// Measures Talon against what bounds it
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Changed rows, from bytes to a bus, against a hand-written loop
    Changed(changed::Changed),
    /// A list that has not changed, against a scan of its bytes
    Unchanged(unchanged::Unchanged),
    /// Bytes an entity, and the idle program
    Memory(memory::Memory),
    /// Reading back what was published, against a bare consumer; and starts
    Recovery(recovery::Recovery),
    /// From a command on its topic to the request at the upstream
    Commands(commands::Commands),
    /// The past of a central server of Enter, against a download of the same days
    Backfill(backfill::Backfill),
    /// A long list pushed over a WebSocket again and again: until a consumer sees the change
    Push(push::Push),
    /// Many connectors with new schemas, until each has polled
    Start(start::Start),
    /// A long SOAP reply read row by row, against a bare pass over its tokens
    Xml(xml::Xml),
    #[command(hide = true)]
    PushOfBare(push::OfBare),
    #[command(hide = true)]
    MemoryOfIndex(memory::OfIndex),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let benchmark = Cli::parse().benchmark;
    if !matches!(benchmark, Benchmark::MemoryOfIndex(_) | Benchmark::PushOfBare(_)) {
        measure::print_machine();
    }
    match benchmark {
        Benchmark::Changed(changed) => changed.run().await,
        Benchmark::Unchanged(unchanged) => unchanged.run().await,
        Benchmark::Memory(memory) => memory.run().await,
        Benchmark::Recovery(recovery) => recovery.run().await,
        Benchmark::Commands(commands) => commands.run().await,
        Benchmark::Backfill(backfill) => backfill.run().await,
        Benchmark::Push(push) => push.run().await,
        Benchmark::Start(start) => start.run().await,
        Benchmark::Xml(xml) => xml.run(),
        Benchmark::PushOfBare(of_bare) => of_bare.run().await,
        Benchmark::MemoryOfIndex(of_index) => of_index.run().await,
    }
}
