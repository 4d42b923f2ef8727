//! What a connector must say to be tortured.

mod codecs;
mod connect1c;
mod contractor;
mod enter_export;
mod enter_rest;
mod quickq;
mod upstream;

use std::sync::Arc;

pub use upstream::{Feed, Size, Subject, Truth};

/// The subjects by name.
pub const NAMES: [&str; 5] = ["connect1c", "contractor", "enter-export", "enter-rest", "quickq"];

/// Starts the simulator of a subject.
///
/// # Errors
/// An unknown name, or a simulator that does not start.
pub async fn start(name: &str, seed: u64, size: Size) -> anyhow::Result<Arc<dyn Subject>> {
    match name {
        "connect1c" => Ok(Arc::new(connect1c::Connect1C::start(seed).await?)),
        "contractor" => Ok(Arc::new(contractor::Contractor::start(seed, size).await?)),
        "enter-export" => Ok(Arc::new(enter_export::EnterExport::start(seed).await?)),
        "enter-rest" => Ok(Arc::new(enter_rest::EnterRest::start(seed).await?)),
        "quickq" => Ok(Arc::new(quickq::QuickQ::start(seed).await?)),
        _ => anyhow::bail!("no connector `{name}`, expected one of {}", NAMES.join(", ")),
    }
}
