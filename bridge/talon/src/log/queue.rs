//! Lines on their way to standard error: who logs never waits for who reads.
//!
//! How it can fail, and what holds then:
//!
//! * Nobody reads: lines wait, up to [`CAPACITY`] bytes; those beyond are dropped and counted.
//! * Standard error takes nothing (a full disk, a closed pipe): the line is dropped and counted, and the
//!   next one is tried.
//! * It takes a part of a line: the rest is dropped, and the next line begins on a line of its own.
//! * The process ends: [`Queue::finish`] waits while lines go out, and not for a reader that stands still.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// So many bytes may wait.
pub(super) const CAPACITY: usize = 1024 * 1024;

/// A line that takes so long is not read by anybody.
const STUCK: Duration = Duration::from_secs(10);

/// At the end, how long is waited for a line to go out, and for all of them.
const LINE_OUT: Duration = Duration::from_secs(1);
const ALL_OUT: Duration = Duration::from_secs(3);

/// Between attempts to write to what takes nothing at the moment.
const PAUSE: Duration = Duration::from_millis(10);

/// Lines on their way to a writer, which has a thread of its own. Clones are one.
#[derive(Clone)]
pub(crate) struct Queue(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    /// Of the lines that wait, and of the one that is being written.
    bytes: usize,
    /// Since when a line is being written.
    writing: Option<Instant>,
    /// Lines that have left the queue.
    gone: u64,
    dropped: Dropped,
    /// Why the last line could not be written.
    failure: Option<ErrorKind>,
}

/// Lines that were dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Too many waited.
    pub(super) full: u64,
    /// They could not be written.
    pub(super) failed: u64,
}

/// A look at the queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) dropped: Dropped,
    /// Why the last line could not be written.
    pub(super) failure: Option<ErrorKind>,
    /// The line that is being written has been so for long.
    pub(super) is_stuck: bool,
}

impl Queue {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// No thread can be had.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Queue> {
        let queue = Queue(Arc::new(Inner { state: Mutex::default(), changed: Condvar::new() }));
        let of_thread = queue.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || of_thread.write_to(out))?;
        Ok(queue)
    }

    /// Takes a line, or drops it. Never waits for the writer.
    pub(crate) fn put(&self, line: &[u8]) {
        let mut state = self.state();
        if state.bytes + line.len() > CAPACITY {
            state.dropped.full += 1;
            return;
        }
        state.bytes += line.len();
        state.waiting.push_back(line.to_vec());
        drop(state);
        self.0.changed.notify_all();
    }

    pub(super) fn look(&self) -> Look {
        let state = self.state();
        let is_stuck = state.writing.is_some_and(|since| since.elapsed() > STUCK);
        Look { dropped: state.dropped, failure: state.failure, is_stuck }
    }

    /// Waits until all is written, or nothing goes out any more.
    pub(super) fn finish(&self) {
        let begun = Instant::now();
        let (mut gone, mut progress) = (0, begun);
        let mut state = self.state();
        while state.bytes > 0 && progress.elapsed() < LINE_OUT && begun.elapsed() < ALL_OUT {
            let waited = self.0.changed.wait_timeout(state, LINE_OUT / 10);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.gone != gone {
                (gone, progress) = (state.gone, Instant::now());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes for as long as the process runs.
    fn write_to(&self, mut out: impl Write) {
        let mut is_torn = false;
        loop {
            let line = self.next();
            let failure = write(&mut out, &line, &mut is_torn).err();
            let mut state = self.state();
            state.bytes -= line.len();
            state.writing = None;
            state.gone += 1;
            state.dropped.failed += u64::from(failure.is_some());
            state.failure = failure;
            drop(state);
            self.0.changed.notify_all();
        }
    }

    fn next(&self) -> Vec<u8> {
        let mut state = self.state();
        loop {
            if let Some(line) = state.waiting.pop_front() {
                state.writing = Some(Instant::now());
                return line;
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Writes a line; behind a torn one, on a line of its own.
fn write(out: &mut impl Write, line: &[u8], is_torn: &mut bool) -> Result<(), ErrorKind> {
    let text = if *is_torn { Cow::Owned([b"\n", line].concat()) } else { Cow::Borrowed(line) };
    let mut rest = &text[..];
    while !rest.is_empty() {
        let error = match out.write(rest) {
            Ok(0) => ErrorKind::WriteZero,
            Ok(taken) => {
                rest = &rest[taken..];
                continue;
            }
            Err(error) => error.kind(),
        };
        match error {
            ErrorKind::Interrupted => {}
            // Whoever shares standard error with this process may have made it so.
            ErrorKind::WouldBlock => thread::sleep(PAUSE),
            error => {
                *is_torn |= rest.len() < text.len();
                return Err(error);
            }
        }
    }
    *is_torn = false;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that is full after so many bytes, until it is made larger.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (taken, size) = &mut *self.0.lock().unwrap();
            let room = size.saturating_sub(taken.len()).min(bytes.len());
            if room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            taken.extend(&bytes[..room]);
            Ok(room)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_dropped_and_counted_and_the_next_is_whole() {
        let disk = Disk::default();
        disk.0.lock().unwrap().1 = 9;
        let queue = Queue::start(disk.clone()).unwrap();
        for line in ["first\n", "second\n", "third\n"] {
            queue.put(line.as_bytes());
        }
        queue.finish();
        let look = queue.look();
        assert_eq!(look.dropped, Dropped { full: 0, failed: 2 });
        assert_eq!(look.failure, Some(ErrorKind::StorageFull));
        disk.0.lock().unwrap().1 = 100;
        queue.put(b"fourth\n");
        queue.finish();
        assert_eq!(queue.look().failure, None);
        assert_eq!(disk.0.lock().unwrap().0, b"first\nsec\nfourth\n");
    }

    #[test]
    fn who_logs_does_not_wait_for_a_reader_and_what_is_too_much_is_counted() {
        let (reader, writer) = io::pipe().unwrap();
        let queue = Queue::start(writer).unwrap();
        let line = [b'x'; 1_000];
        let lines = 3 * CAPACITY / line.len();
        for _ in 0..lines {
            queue.put(&line);
        }
        let dropped = queue.look().dropped;
        assert!(dropped.full > 0 && dropped.failed == 0, "{dropped:?}");
        // It ends although nobody reads.
        queue.finish();
        let read = thread::spawn(move || {
            let mut reader = reader;
            let mut read = 0;
            let mut bytes = [0; 65_536];
            while read < (lines as u64 - dropped.full) * 1_000 {
                read += io::Read::read(&mut reader, &mut bytes).unwrap() as u64;
            }
            read
        });
        assert_eq!(read.join().unwrap(), (lines as u64 - dropped.full) * 1_000);
    }

    #[test]
    fn an_output_that_does_not_block_is_waited_for() {
        struct Seldom(Disk, u32);
        impl Write for Seldom {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 += 1;
                match self.1 % 3 {
                    0 => self.0.write(&bytes[..1]),
                    1 => Err(ErrorKind::WouldBlock.into()),
                    _ => Err(ErrorKind::Interrupted.into()),
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let disk = Disk::default();
        disk.0.lock().unwrap().1 = 100;
        let queue = Queue::start(Seldom(disk.clone(), 0)).unwrap();
        queue.put(b"line\n");
        while disk.0.lock().unwrap().0.len() < 5 {
            thread::yield_now();
        }
        queue.finish();
        assert_eq!(queue.look().dropped, Dropped::default());
    }
}
