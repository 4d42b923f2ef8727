//! What leaves the process, and all that is logged at the finest level, has no secret, no text of a
//! message and no name in it.

use std::io;
use std::sync::{LazyLock, Mutex, Once};

use tracing_subscriber::fmt::MakeWriter;

use crate::world::{CANARY, EXTERNAL, PASSWORD, USER};

static LOG: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(Mutex::default);

#[derive(Clone, Copy)]
struct Tape;

impl io::Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Tape {
    type Writer = Tape;

    fn make_writer(&self) -> Tape {
        Tape
    }
}

/// Records all logs of the test's process from now on.
pub(crate) fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(Tape)
            .with_ansi(false)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

pub(crate) fn assert_discreet(told: &[String]) {
    let log = String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned();
    assert!(log.contains("answered"), "the log is recorded");
    for text in told.iter().chain([&log]) {
        for forbidden in [CANARY, PASSWORD, EXTERNAL, USER, "79001234567"] {
            if let Some((before, _)) = text.split_once(forbidden) {
                let before = before.lines().next_back().unwrap_or_default();
                panic!("`{forbidden}` after {before}");
            }
        }
        // Tokens of the simulator are 32 hex digits, and so is the marker of a call.
        let mut runs = text.split(|char: char| !char.is_ascii_hexdigit());
        assert!(runs.all(|run| run.len() < 32), "something like a token in {} bytes", text.len());
    }
}
