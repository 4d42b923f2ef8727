//! Which ways to a broker are tried.

use std::env;

use crate::skip::{Failure, Unavailable};

/// Forces one way: `path`, `containers` or `packages`.
const VARIABLE: &str = "TALON_TEST_BROKERS";

/// A way to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// An address in the environment.
    Address,
    /// A program on the `PATH`.
    Path,
    Containers,
    /// Packages that hold the program.
    Packages,
    /// The module that the program is built from; of what is no broker.
    GoModule,
}

impl Route {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Path => "path",
            Self::Containers => "containers",
            Self::Packages => "packages",
            Self::GoModule => "go module",
        }
    }
}

/// The first way that works, or the reasons of all that were tried. Where one is forced it is the only one, and a
/// broker that it does not lead to is a failure.
pub(crate) fn first<T, W: FnOnce() -> Result<T, Failure>>(
    what: &'static str,
    ways: impl IntoIterator<Item = (Route, W)>,
) -> Result<T, Unavailable> {
    match forced(&env::var(VARIABLE).unwrap_or_default()) {
        Ok(forced) => first_of(what, forced, ways),
        Err(reason) => Err(Unavailable { what, reasons: vec![(VARIABLE, reason)], broken: true }),
    }
}

/// The only way to what is no broker; none is forced.
pub(crate) fn only<T>(
    what: &'static str,
    route: Route,
    way: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Unavailable> {
    first_of(what, None, [(route, way)])
}

fn forced(value: &str) -> Result<Option<Route>, String> {
    let routes = [Route::Path, Route::Containers, Route::Packages];
    match routes.into_iter().find(|route| route.name() == value) {
        None if !value.is_empty() => {
            Err(format!("`{value}` is none of `path`, `containers`, `packages`"))
        }
        route => Ok(route),
    }
}

fn first_of<T, W: FnOnce() -> Result<T, Failure>>(
    what: &'static str,
    forced: Option<Route>,
    ways: impl IntoIterator<Item = (Route, W)>,
) -> Result<T, Unavailable> {
    let mut unavailable = Unavailable { what, reasons: Vec::new(), broken: forced.is_some() };
    let wanted = |(route, _): &(Route, W)| forced.is_none_or(|forced| forced == *route);
    for (route, way) in ways.into_iter().filter(wanted) {
        match way() {
            Ok(found) => return Ok(found),
            Err(Failure::Absent(reason)) => unavailable.reasons.push((route.name(), reason)),
            Err(Failure::Broken(reason)) => {
                unavailable.reasons.push((route.name(), reason));
                unavailable.broken = true;
                break;
            }
        }
    }
    if let (Some(route), []) = (forced, &unavailable.reasons[..]) {
        let reason = format!("not to be had with `{VARIABLE}={}`", route.name());
        unavailable.reasons.push((route.name(), reason));
    }
    Err(unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Way = fn() -> Result<u8, Failure>;

    const ABSENT: Way = || Err(Failure::Absent("not here".to_owned()));
    const ONE: Way = || Ok(1);

    #[test]
    fn an_absence_leads_on_to_the_next_way() {
        let ways = [(Route::Address, ABSENT), (Route::Path, ONE)];
        assert_eq!(first_of("Kafka", None, ways).expect("the second"), 1);
    }

    #[test]
    fn what_is_broken_is_not_hidden_by_a_later_way() {
        let broken: Way = || Err(Failure::Broken("nobody answers".to_owned()));
        let ways = [(Route::Address, broken), (Route::Path, ONE)];
        let unavailable = first_of("Kafka", None, ways).expect_err("broken");
        assert!(unavailable.broken);
        assert_eq!(unavailable.to_string(), "no Kafka: address: nobody answers");
    }

    #[test]
    fn a_forced_route_is_the_only_one_and_its_absence_is_a_failure() {
        let ways = [(Route::Path, ONE), (Route::Containers, ABSENT), (Route::Packages, ONE)];
        let unavailable = first_of("Kafka", Some(Route::Containers), ways).expect_err("absent");
        assert!(unavailable.broken);
        assert_eq!(unavailable.to_string(), "no Kafka: containers: not here");
    }

    #[test]
    fn what_a_forced_route_never_has_says_so() {
        let ways = [(Route::Packages, ONE)];
        let unavailable =
            first_of("second Kafka", Some(Route::Containers), ways).expect_err("none");
        assert!(unavailable.broken);
        let told = unavailable.to_string();
        assert!(told.contains("not to be had with `TALON_TEST_BROKERS=containers`"), "{told}");
    }

    #[test]
    fn a_route_is_one_of_three_words() {
        assert_eq!(forced(""), Ok(None));
        assert_eq!(forced("packages"), Ok(Some(Route::Packages)));
        let told = forced("docker").expect_err("no route");
        assert_eq!(told, "`docker` is none of `path`, `containers`, `packages`");
    }
}
