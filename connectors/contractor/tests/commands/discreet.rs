//! What leaves the process, and all that is logged at the finest level, has no secret, no text of a
//! message and no name in it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, Once};

use tracing_subscriber::fmt::MakeWriter;

use crate::world::{CANARY, EXTERNAL, PASSWORD, USER};

/// Lines of the log that have what they must not.
static OFFENCES: LazyLock<Mutex<Vec<String>>> = LazyLock::new(Mutex::default);
/// Whether the log is recorded at all.
static RECORDED: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy)]
struct Tape;

impl io::Write for Tape {
    /// Is given one event at a time.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        RECORDED.fetch_or(text.contains("exchanged"), Ordering::Relaxed);
        if offends(&text) {
            OFFENCES.lock().unwrap().push(text.into_owned());
        }
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

/// Watches all logs of the test's process from now on.
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
    assert!(RECORDED.load(Ordering::Relaxed), "the log is recorded");
    assert_eq!(*OFFENCES.lock().unwrap(), [""; 0]);
    for text in told {
        assert!(!offends(text), "{text}");
    }
}

fn offends(text: &str) -> bool {
    // Tokens of the simulator are 32 hex digits, and so is the marker of a call.
    let mut runs = text.split(|char: char| !char.is_ascii_hexdigit());
    let forbidden = [CANARY, PASSWORD, EXTERNAL, USER, "79001234567"];
    forbidden.iter().any(|canary| text.contains(canary)) || runs.any(|run| run.len() >= 32)
}

#[test]
fn a_leak_would_be_noticed() {
    for leak in ["a кенар b", "token 0123456789abcdef0123456789abcdef.", EXTERNAL] {
        assert!(offends(leak), "{leak}");
    }
    assert!(!offends("`GET /call/{id}` was answered with 503"));
}
