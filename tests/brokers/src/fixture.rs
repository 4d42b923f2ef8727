//! The public face all brokers share.

/// Defines a public broker type over [`Broker`](crate::broker::Broker); `$address` is the name of its address.
macro_rules! fixture {
    ($(#[$doc:meta])* $name:ident, $(#[$address_doc:meta])* $address:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            broker: $crate::broker::Broker,
        }

        impl $name {
            /// The one of this test process, started at the first call and alive until the process ends; `None` where `test` is skipped.
            ///
            /// Others use it at the same time, so tests take [unique](crate::unique) names on it.
            ///
            /// Panics where it should be there and is not: see the crate's "Skips".
            pub fn shared(test: &str) -> Option<&'static Self> {
                static SHARED: std::sync::OnceLock<Result<$name, $crate::Unavailable>> =
                    std::sync::OnceLock::new();
                let found = SHARED.get_or_init(Self::find).as_ref();
                $crate::skip::or_skip(test, found)
            }

            /// One of the test's own, to stop, kill, pause and restart; it ends when dropped.
            ///
            /// Never the one of an address in the environment, which is not ours to stop.
            /// `None` where `test` is skipped; panics as [`shared`](Self::shared) does.
            pub fn start(test: &str) -> Option<Self> {
                let found = $crate::broker::find_own::<Self>();
                let found = found.map(|broker| Self { broker });
                match found {
                    Ok(broker) => Some(broker),
                    Err(unavailable) => $crate::skip::or_skip(test, Err(&unavailable)),
                }
            }

            /// As [`shared`](Self::shared) finds it, for programs: a new one unless there is an address, and without the rule for skips.
            pub fn find() -> Result<Self, $crate::Unavailable> {
                let broker = $crate::broker::find::<Self>()?;
                Ok(Self { broker })
            }

            $(#[$address_doc])*
            pub fn $address(&self) -> &str {
                &self.broker.address
            }

            /// False where the address came from the environment; always true of one that was [started](Self::start).
            ///
            /// The other calls panic on such a broker, which is not ours to stop.
            pub fn owned(&self) -> bool {
                self.broker.owned()
            }

            /// Ends it in order (SIGTERM) and returns when it has ended; nothing happens where it does not run.
            pub fn stop(&mut self) {
                self.broker.stop();
            }

            /// Ends it at once (SIGKILL) and returns when it has ended; nothing happens where it does not run.
            pub fn kill(&mut self) {
                self.broker.kill();
            }

            /// Freezes it (SIGSTOP): connections stay, nothing is answered.
            ///
            /// Panics where it does not run.
            pub fn pause(&self) {
                self.broker.pause();
            }

            /// Ends a [pause](Self::pause) (SIGCONT).
            ///
            /// Panics where it does not run.
            pub fn resume(&self) {
                self.broker.resume();
            }

            /// Starts it again on the same port with the same data, after a stop in order where it still runs; returns when it answers.
            ///
            /// Panics with the tail of its log where it does not start.
            pub fn restart(&mut self) {
                self.broker.restart();
            }
        }
    };
}

pub(crate) use fixture;
