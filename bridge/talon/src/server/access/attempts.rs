//! Attempts that failed, by where they come from: the more there were, the slower the next ones.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many attempts may fail before the next ones are slowed.
const FREE: u32 = 5;

/// How long the next attempt waits: at first, and at most. Twice as long after each failure.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(60);

/// After so long without a failure all is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// So many origins are known at a time.
const MANY: usize = 4096;

/// Where attempts come from: an address, and the user that they are about. So who guesses one user's password slows
/// neither other users behind the same proxy, nor this user elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    address: IpAddr,
    /// None for tokens, and for names that are no user's.
    user: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Attempts that failed.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<Origin, Failures>>);

impl Origin {
    pub(super) fn new(address: IpAddr, user: Option<String>) -> Origin {
        let address = match address.to_canonical() {
            // A machine has all addresses of its network.
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
            }
            address @ IpAddr::V4(_) => address,
        };
        Origin { address, user }
    }
}

impl Failures {
    /// How long after the last one the next may be tried.
    fn pause(self) -> Duration {
        match self.count.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(beyond) => (FIRST * 2u32.saturating_pow(beyond.min(16))).min(LAST),
        }
    }
}

impl Attempts {
    /// # Errors
    /// How long to wait.
    pub(super) fn may_try(&self, origin: &Origin, now: Instant) -> Result<(), Duration> {
        let Some(failures) = self.all().get(origin).copied() else { return Ok(()) };
        let wait = (failures.last + failures.pause()).saturating_duration_since(now);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    pub(super) fn failed(&self, origin: Origin, now: Instant) {
        let mut all = self.all();
        if all.len() >= MANY && !all.contains_key(&origin) {
            all.retain(|_, failures| now.duration_since(failures.last) < FORGOTTEN);
            let oldest = all.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(oldest) = oldest.map(|(origin, _)| origin.clone())
                && all.len() >= MANY
            {
                all.remove(&oldest);
            }
        }
        let failures = all.entry(origin).or_insert(Failures { count: 0, last: now });
        if now.duration_since(failures.last) >= FORGOTTEN {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    pub(super) fn succeeded(&self, origin: &Origin) {
        self.all().remove(origin);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Origin, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(address: &str, user: &str) -> Origin {
        Origin::new(address.parse().unwrap(), Some(user.to_owned()))
    }

    #[test]
    fn who_fails_often_is_slowed_and_nobody_else() {
        let (attempts, mut now) = (Attempts::default(), Instant::now());
        let guesser = origin("10.0.0.1", "anna");
        let mut waits = Vec::new();
        for _ in 0..FREE + 10 {
            let wait = attempts.may_try(&guesser, now).err().unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(attempts.may_try(&guesser, now), Ok(()));
            attempts.failed(guesser.clone(), now);
        }
        assert_eq!(waits[..9], [0, 0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(waits.last(), Some(&LAST.as_secs()));
        for other in [origin("10.0.0.2", "anna"), origin("10.0.0.1", "boris")] {
            assert_eq!(attempts.may_try(&other, now), Ok(()), "{other:?}");
        }
        // Whoever is it after all begins anew.
        attempts.succeeded(&guesser);
        assert_eq!(attempts.may_try(&guesser, now), Ok(()));
    }

    #[test]
    fn all_addresses_of_a_network_are_one_and_what_is_known_has_a_bound() {
        assert_eq!(origin("2001:db8::1", "a"), origin("2001:db8::ffff:1", "a"));
        assert_ne!(origin("2001:db8::1", "a"), origin("2001:db8:0:1::1", "a"));
        assert_eq!(origin("::ffff:10.0.0.1", "a"), origin("10.0.0.1", "a"));
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..2 * u32::try_from(MANY).unwrap() {
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(number));
            attempts.failed(Origin::new(address, None), now + Duration::from_millis(number.into()));
        }
        assert_eq!(attempts.all().len(), MANY);
    }
}
