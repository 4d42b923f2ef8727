use std::sync::Arc;

use talon_sdk::Clock;
use tokio::time::Instant;

use super::cursor::is_position;
use super::*;
use crate::export::catalogue::BranchHead;
use crate::export::zone::Zones;

const HOUR: i64 = 3_600_000;
/// 2024-07-10 12:00 in Moscow.
const NOON: i64 = 1_720_602_000_000;

struct Played {
    plan: Plan,
    now: Now,
}

fn config(backfill_from: Option<&str>) -> PlanConfig {
    PlanConfig {
        branches: Vec::new(),
        poll_interval: Duration::from_secs(10),
        late_interval: Duration::from_secs(3600),
        late_max_age: 30,
        settle: Duration::from_secs(7200),
        backfill_from: backfill_from.and_then(Day::parse),
        newest_first: true,
        concurrency: 4,
        deletes: false,
    }
}

impl Played {
    fn new(config: PlanConfig, branches: &[&str]) -> Played {
        let late = Arc::new(Late::new(Clock::System, 30));
        let plan = Plan::new(config, Zones::of_default("Europe/Moscow"), late);
        let mut played = Played { plan, now: Now { ms: NOON, at: Instant::now() } };
        played.list(branches, &[]);
        played
    }

    fn list(&mut self, branches: &[&str], offline: &[&str]) {
        self.list_of(branches, offline, true);
    }

    fn list_of(&mut self, branches: &[&str], offline: &[&str], is_whole: bool) {
        let branches = branches
            .iter()
            .map(|id| BranchHead {
                id: (*id).to_owned(),
                is_connected: !offline.contains(id),
                has_wrong_protocol: id.starts_with("wrong"),
            })
            .collect();
        self.plan.update(&Heads { branches, is_whole }, self.now);
    }

    fn pass(&mut self, ms: i64) {
        self.now.ms += ms;
        self.now.at += Duration::from_millis(u64::try_from(ms).unwrap());
    }

    /// What is due in a lane, all of it, and read at once: `branch day`.
    fn read(&mut self, lane: Lane) -> Vec<String> {
        let mut read = Vec::new();
        while let Some(work) = self.plan.next(lane, self.now) {
            self.plan.read(&work, Told::default(), self.now.ms, self.now);
            read.push(format!("{} {}", work.branch, work.day));
        }
        read
    }

    fn restarted(&self, config: PlanConfig, branches: &[&str]) -> Played {
        let mut other = Played::new(config, &[]);
        assert!(is_position(&self.plan.position()));
        other.plan.restore(&self.plan.position()).unwrap();
        other.now = self.now;
        other.list(branches, &[]);
        other
    }
}

#[test]
fn today_is_read_every_interval_and_yesterday_until_it_has_settled() {
    let mut played = Played::new(config(None), &["a", "wrong"]);
    assert_eq!(played.read(Lane::Current), ["a 2024-07-10"]);
    assert_eq!(played.read(Lane::Current), [""; 0], "not before it is due");
    played.pass(10_000);
    assert_eq!(played.read(Lane::Current), ["a 2024-07-10"]);
    assert_eq!(played.read(Lane::Past), [""; 0], "there is no past");
    played.pass(12 * HOUR);
    assert_eq!(played.read(Lane::Current).len(), 2, "yesterday has not settled");
    played.pass(HOUR);
    assert_eq!(played.read(Lane::Current).len(), 2);
    played.pass(HOUR);
    assert_eq!(played.read(Lane::Current).len(), 2, "the read that settles it");
    played.pass(10_000);
    assert_eq!(played.read(Lane::Current), ["a 2024-07-11"]);
    assert!(played.plan.wake(played.now) <= played.now.at + Duration::from_secs(10));
}

#[test]
fn the_past_is_read_by_its_order_and_goes_on_after_a_restart() {
    let from = config(Some("2024-07-05"));
    let mut played = Played::new(from.clone(), &["a", "b"]);
    assert_eq!(played.read(Lane::Past), [""; 0], "today comes first: it tells the zone");
    let mut current = played.read(Lane::Current);
    current.sort();
    assert_eq!(current, ["a 2024-07-09", "a 2024-07-10", "b 2024-07-09", "b 2024-07-10"]);
    let works: Vec<Work> =
        (0..3).filter_map(|_| played.plan.next(Lane::Past, played.now)).collect();
    let days: Vec<String> = works.iter().map(|work| work.day.to_string()).collect();
    assert_eq!(days, ["2024-07-08", "2024-07-08", "2024-07-07"]);
    assert!(works.iter().all(|work| work.snapshot));
    // The first is done, the others are under way when the process is killed.
    played.plan.read(&works[0], Told::default(), NOON, played.now);
    assert_eq!(played.plan.backfilled(), (10, 3));
    let mut restarted = played.restarted(from.clone(), &["a", "b"]);
    assert_eq!(restarted.plan.backfilled(), (10, 3));
    let mut rest = restarted.read(Lane::Past);
    rest.sort();
    let left = |branch: &str, days: &[u32]| -> Vec<String> {
        days.iter().map(|day| format!("{branch} 2024-07-0{day}")).collect()
    };
    let first = &works[0].branch;
    let other = if first == "a" { "b" } else { "a" };
    let mut expected = [left(first, &[5, 6, 7]), left(other, &[5, 6, 7, 8])].concat();
    expected.sort();
    assert_eq!(rest, expected);
    assert_eq!(restarted.plan.backfilled(), (10, 10));

    let oldest = PlanConfig { newest_first: false, ..from };
    let mut played = Played::new(oldest, &["a"]);
    played.read(Lane::Current);
    assert_eq!(played.read(Lane::Past), left("a", &[5, 6, 7, 8]));
}

#[test]
fn a_day_that_has_not_settled_is_not_read_over_and_over_by_the_backfill() {
    let three_days = Duration::from_secs(3 * 24 * 3600);
    let slow = PlanConfig { settle: three_days, ..config(Some("2024-07-07")) };
    let mut played = Played::new(slow, &["a"]);
    assert_eq!(played.read(Lane::Current), ["a 2024-07-10", "a 2024-07-09"]);
    assert_eq!(played.read(Lane::Past), ["a 2024-07-08", "a 2024-07-07"], "yesterday is not its");
    played.pass(10_000);
    assert_eq!(played.read(Lane::Current).len(), 2);
    assert_eq!(played.read(Lane::Past), [""; 0]);
    played.pass(HOUR);
    assert_eq!(played.read(Lane::Past).len(), 2, "at the slow pace");
    played.pass(12 * HOUR);
    assert_eq!(played.read(Lane::Past).len(), 3, "the day before yesterday is the backfill's now");
    played.pass(HOUR);
    assert_eq!(played.read(Lane::Past).len(), 2, "the first has settled");
    assert_eq!(played.plan.backfilled(), (3, 1));
    // The machine slept: its intervals did not go on, but the days have settled.
    played.now.ms += 4 * 24 * HOUR;
    assert_eq!(played.read(Lane::Past).len(), 6, "two of the backfill, and four that were missed");
    assert_eq!(played.plan.backfilled(), (3, 3));
}

#[test]
fn days_that_were_missed_come_before_the_past_and_oldest_first() {
    let from = config(Some("2024-07-01"));
    let mut played = Played::new(from.clone(), &["a"]);
    played.read(Lane::Current);
    let mut restarted = played.restarted(from, &[]);
    restarted.pass(5 * 24 * HOUR);
    restarted.list(&["a"], &[]);
    assert_eq!(restarted.read(Lane::Current), ["a 2024-07-15", "a 2024-07-14"]);
    let past = restarted.read(Lane::Past);
    assert_eq!(
        &past[..5],
        ["a 2024-07-10", "a 2024-07-11", "a 2024-07-12", "a 2024-07-13", "a 2024-07-08"]
    );
}

#[test]
fn what_a_branch_did_while_it_was_away_is_read_when_it_is_back() {
    let mut played = Played::new(config(None), &["a"]);
    played.read(Lane::Current);
    played.list(&["a"], &["a"]);
    played.pass(3 * 24 * HOUR);
    assert_eq!(played.read(Lane::Current).len(), 2, "at the slow pace");
    played.pass(60_000);
    assert_eq!(played.read(Lane::Current), [""; 0]);
    assert_eq!(played.read(Lane::Past), ["a 2024-07-10", "a 2024-07-11"]);
    let mut restarted = played.restarted(config(None), &[]);
    restarted.list(&["a"], &[]);
    assert_eq!(restarted.read(Lane::Past), ["a 2024-07-10", "a 2024-07-11"], "once more");
    assert_eq!(restarted.read(Lane::Past), [""; 0]);
}

#[test]
fn a_day_that_fails_is_tried_later_and_holds_up_no_other() {
    let broken = || DayFault::of_day(Fault::unavailable("broken"));
    let mut played = Played::new(config(Some("2024-07-07")), &["a", "b"]);
    played.read(Lane::Current);
    let work = played.plan.next(Lane::Past, played.now).unwrap();
    assert_eq!(played.plan.failed(&work, broken(), played.now), None);
    let rest = played.read(Lane::Past);
    assert_eq!(rest.len(), 3);
    assert!(!rest.contains(&format!("{} {}", work.branch, work.day)));
    played.pass(10_000);
    assert_eq!(played.read(Lane::Past), [format!("{} {}", work.branch, work.day)]);

    // Today of both branches: it is the upstream.
    let works: Vec<Work> =
        (0..2).filter_map(|_| played.plan.next(Lane::Current, played.now)).collect();
    assert_eq!(played.plan.failed(&works[0], broken(), played.now), None);
    assert!(played.plan.failed(&works[1], broken(), played.now).is_some());
    let refused = DayFault { is_general: true, ..broken() };
    assert!(played.plan.failed(&works[0], refused, played.now).is_some());
}

#[test]
fn a_day_that_fails_twice_in_a_row_is_told_with_its_branch_and_why_until_it_is_read() {
    let mut played = Played::new(config(Some("2024-07-07")), &["a", "b"]);
    played.read(Lane::Current);
    let work = played.plan.next(Lane::Past, played.now).unwrap();
    let fails = |played: &mut Played| {
        let broken = DayFault::of_day(Fault::unavailable("broken"));
        played.plan.failed(&work, broken, played.now);
    };
    fails(&mut played);
    assert_eq!(played.plan.doubt(), None, "once may be chance");
    fails(&mut played);
    let told = played.plan.doubt().unwrap();
    assert!(told.contains(&format!("`{}/{}` cannot be read", work.branch, work.day)), "{told}");
    assert!(told.contains("broken"), "{told}");
    played.plan.read(&work, Told::default(), played.now.ms, played.now);
    assert_eq!(played.plan.doubt(), None);
}

#[test]
fn a_branch_that_is_stuck_is_followed_from_its_first_missing_day_and_a_done_day_is_final() {
    let mut played = Played::new(config(Some("2024-01-01")), &["a", "b", "wrong"]);
    let follows = |played: &Played| -> Vec<String> {
        played.plan.follows(played.now).map(|(branch, day)| format!("{branch} {day}")).collect()
    };
    assert_eq!(follows(&played), ["a 2024-07-10", "b 2024-07-10"], "not the past");
    played.read(Lane::Current);
    for _ in 0..3 * 24 {
        played.pass(HOUR);
        while let Some(work) = played.plan.next(Lane::Current, played.now) {
            if work.branch == "a" {
                played.plan.read(&work, Told::default(), played.now.ms, played.now);
            } else {
                let fault = DayFault { fault: Fault::unavailable("cut"), is_general: false };
                played.plan.failed(&work, fault, played.now);
            }
        }
    }
    let stuck = ["b 2024-07-10", "b 2024-07-11", "b 2024-07-12", "b 2024-07-13"];
    assert_eq!(follows(&played)[1..], stuck);
    assert_eq!(follows(&played)[0], "a 2024-07-13");
    played.list(&["a", "b"], &["b"]);
    assert_eq!(follows(&played), ["a 2024-07-13"], "of what is not connected there is nothing new");
    played.list(&["a"], &[]);
    assert_eq!(follows(&played), ["a 2024-07-13"], "and what is gone is not read");
}

#[test]
fn a_day_whose_reply_says_that_the_branch_is_offline_is_read_again_when_it_is_back() {
    let mut played = Played::new(config(Some("2024-07-06")), &["a"]);
    let away = |played: &mut Played, lane| {
        let work = played.plan.next(lane, played.now).unwrap();
        let told = Told { is_away: true, ..Told::default() };
        assert!(played.plan.read(&work, told, played.now.ms, played.now), "the cursor has moved");
        work.day.to_string()
    };
    played.read(Lane::Current);
    // The list of branches says at each read that it is connected, which changes nothing.
    let read: Vec<String> = (0..3)
        .map(|_| {
            played.list(&["a"], &[]);
            away(&mut played, Lane::Past)
        })
        .collect();
    assert_eq!(read, ["2024-07-08", "2024-07-07", "2024-07-06"]);
    assert_eq!(played.read(Lane::Past), [""; 0], "once, while it is away");
    // Also after a restart; or else when a reply says that it is back.
    let mut again = played.restarted(config(Some("2024-07-06")), &["a"]);
    let all = ["a 2024-07-08", "a 2024-07-07", "a 2024-07-06"];
    assert_eq!(again.read(Lane::Past), all);
    played.pass(HOUR);
    assert_eq!(played.read(Lane::Current)[0], "a 2024-07-10");
    assert_eq!(played.read(Lane::Past), all);
}

#[test]
fn what_a_reply_says_is_newer_than_the_list_of_branches() {
    let mut played = Played::new(PlanConfig { deletes: true, ..config(None) }, &["a"]);
    let work = played.plan.next(Lane::Current, played.now).unwrap();
    assert!(work.is_full);
    let told = Told { is_away: true, ..Told::default() };
    played.plan.read(&work, told, played.now.ms, played.now);
    played.pass(2 * HOUR);
    let again = played.plan.next(Lane::Current, played.now).unwrap();
    assert!(!again.is_full, "it is not asked again as if all of it were there");
    played.plan.read(&again, Told::default(), played.now.ms, played.now);
    played.list(&["a"], &[]);
    played.pass(HOUR);
    assert!(played.plan.next(Lane::Current, played.now).unwrap().is_full);
}

#[test]
fn a_branch_whose_row_of_the_list_cannot_be_read_is_read_on() {
    let mut played = Played::new(config(None), &["a", "b"]);
    let reads = |played: &Played| -> Vec<String> {
        played.plan.reads().map(|(branch, _)| branch.clone()).collect()
    };
    played.list_of(&["a"], &[], false);
    assert_eq!(reads(&played), ["a", "b"]);
    played.list_of(&["a"], &[], true);
    assert_eq!(reads(&played), ["a"]);
}

#[test]
fn what_a_person_gives_as_a_position_is_looked_at_whole() {
    for strange in
        ["", "5", "soon", r#"{"a":{"start":"x"}}"#, r#"{"a":{"start":"2026-01-02","off":"x"}}"#]
    {
        assert!(!is_position(strange), "{strange}");
    }
    assert!(is_position("{}"));
}
