use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct Halls(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Scopes, and whether each can be read.
    works: BTreeMap<String, bool>,
    asked: Vec<String>,
}

impl Halls {
    fn of<const N: usize>(scopes: [(&str, bool); N]) -> Halls {
        let halls = Halls::default();
        scopes.into_iter().for_each(|(scope, works)| halls.put(scope, works));
        halls
    }

    fn put(&self, scope: &str, works: bool) {
        self.0.lock().unwrap().works.insert(scope.to_owned(), works);
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

#[async_trait]
impl ScopedLists for Halls {
    async fn scopes(&mut self) -> Result<Vec<String>, Fault> {
        Ok(self.0.lock().unwrap().works.keys().cloned().collect())
    }

    async fn rows(&mut self, scope: &str) -> Result<Rows, Fault> {
        let mut halls = self.0.lock().unwrap();
        halls.asked.push(scope.to_owned());
        match halls.works[scope] {
            true => Ok(Rows::default()),
            false => Err(Fault::unavailable("away")),
        }
    }
}

fn feed(halls: &Halls) -> ScopedListFeed<Halls> {
    ScopedListFeed::new(Clock::System, Duration::from_secs(60), halls.clone())
}

/// Scope, whether it is whole, and whether a cursor came with it.
async fn next(
    feed: &mut ScopedListFeed<Halls>,
    from: Option<&Cursor>,
) -> Result<(String, bool, bool), Fault> {
    let seen = feed.next(from).await?;
    Ok((seen.scope, seen.coverage == Coverage::Full, seen.cursor.is_some()))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

#[test]
fn a_round_reads_each_scope_once_and_only_its_end_ends_the_first_read() {
    let halls = Halls::of(["a", "b", "c"].map(|scope| (scope, true)));
    let mut feed = feed(&halls);
    let seen = [(); 3].map(|()| block_on(next(&mut feed, None)).unwrap());
    let whole = |scope: &str, ends| (scope.to_owned(), true, ends);
    assert_eq!(seen, [whole("a", false), whole("b", false), whole("c", true)]);
    assert!(feed.due().unwrap() > Duration::from_secs(50), "the next round waits");
    assert_eq!(feed.follows().unwrap().len(), 3);
}

#[test]
fn a_scope_that_cannot_be_read_holds_up_no_other_and_is_told() {
    let halls = Halls::of([("a", true), ("b", false), ("c", true)]);
    let mut feed = feed(&halls);
    let first = block_on(next(&mut feed, None)).unwrap();
    assert_eq!((first.0.as_str(), feed.due()), ("a", Some(Duration::ZERO)), "the round goes on");
    let second = block_on(next(&mut feed, None)).unwrap();
    assert_eq!((second.0.as_str(), halls.asked()), ("c", vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(feed.doubt().unwrap(), "1 of 3 scopes cannot be read, the others are: away");
    halls.put("b", true);
    (0..3).for_each(|_| drop(block_on(next(&mut feed, None)).unwrap()));
    assert_eq!(feed.doubt(), None);
}

#[test]
fn where_the_last_scope_fails_the_others_stand() {
    let halls = Halls::of([("a", true), ("b", false)]);
    let mut feed = feed(&halls);
    assert_eq!(block_on(next(&mut feed, None)).unwrap().0, "a");
    assert_eq!(block_on(next(&mut feed, None)).unwrap(), (String::new(), false, false));
    assert!(feed.doubt().is_some());
}

#[test]
fn where_no_scope_can_be_read_the_feed_fails() {
    let halls = Halls::of(["a", "b"].map(|scope| (scope, false)));
    assert_eq!(block_on(next(&mut feed(&halls), None)).unwrap_err().kind(), "unavailable");
    assert_eq!(halls.asked(), ["a", "b"]);
}

#[test]
fn no_scopes_are_nothing_to_read() {
    let mut feed = feed(&Halls::default());
    assert_eq!(block_on(next(&mut feed, None)).unwrap(), (String::new(), false, false));
}
