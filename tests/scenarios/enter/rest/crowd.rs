//! Commands at many workplaces where simulated operators act too, replies are lost, and one of two processes
//! is killed again and again. The hall's journal says what became of them.
//!
//! `TALON_CROWD_COMMANDS` says how many commands there are: few by default, a thousand by hand.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use talon_brokers::unique;
use talon_runtime::commands::ResultRecord;
use talon_simulators::enter_rest::{Effect, Fault, FaultKind, Settings, Simulator};

use super::commands::effect;
use super::topics::configuration;
use crate::support::following::Following;
use crate::support::producer::Producer;
use crate::support::results::{outcomes, results};
use crate::support::{On, Talon, until};

const WORKPLACES: usize = 20;

/// Commands of a kill.
const KILL_EVERY: usize = 100;

/// A step of the hall's life, ms. It goes on with the rounds of commands, and further while nobody runs them:
/// by the machine's clock, operators would do the more beside the commands the slower the machine is.
const STEP_MS: i64 = 3_000;
const STEPS_A_ROUND: usize = 1;
const STEPS_A_KILL: usize = 2;

/// A command that was put on the topic, in this order at its workplace.
struct Issued {
    id: String,
    name: &'static str,
    place: String,
    /// Whom it expects; none where it expects nobody.
    visitor: Option<String>,
}

struct Crowd {
    sim: Simulator,
    random: ChaCha8Rng,
    issued: Vec<Issued>,
}

/// How often each came to pass.
#[derive(Debug, Default)]
struct Count {
    applied: usize,
    unknown: usize,
    other: usize,
}

impl Crowd {
    /// The next commands of a workplace, by who is there now: maybe two that follow each other, and now and
    /// then one that expects somebody else.
    fn next(&mut self, place: &str, stranger: Option<&str>) -> Vec<(&'static str, Value)> {
        let state = self.sim.look("operation/state", Some(place)).unwrap();
        let visitor = state["TicketProduct"]["Id"].as_str().map(str::to_owned);
        let chance = self.random.random_range(0..10);
        let Some(visitor) = visitor else {
            return match (state["IsBreak"].as_bool(), chance) {
                (Some(true), _) => vec![("EndBreak", Value::Null), ("InviteNext", Value::Null)],
                (_, 0) => vec![("BeginBreak", Value::Null)],
                _ => vec![("InviteNext", Value::Null)],
            };
        };
        if let (Some(stranger), 0) = (stranger, chance) {
            return vec![("RejectVisitor", json!(stranger)), ("CompleteService", json!(stranger))];
        }
        let is_invited = state["TicketProduct"]["State"] == 4;
        let names: &[&'static str] = match (is_invited, chance) {
            (true, 1) => &["RejectVisitor", "InviteNext"],
            (true, 2..=5) => &["StartService"],
            (true, _) => &["StartService", "CompleteService", "InviteNext"],
            (false, 1) => &["HoldVisitor", "InviteNext"],
            (false, 2) => &["RedirectVisitor"],
            (false, _) => &["CompleteService", "InviteNext"],
        };
        let whom = |name: &str| if name == "InviteNext" { Value::Null } else { json!(visitor) };
        names.iter().map(|name| (*name, whom(name))).collect()
    }

    /// One round: some commands for each workplace.
    fn round(&mut self) -> Vec<(String, Value)> {
        let places = self.sim.workplaces();
        let product = self.sim.look("config/products", None).unwrap()[0]["Id"].clone();
        let mut commands = Vec::new();
        for (at, place) in places.iter().enumerate() {
            let other = &places[(at + 1) % places.len()];
            let there = self.sim.look("operation/state", Some(other)).unwrap();
            let target = there["WorkplaceId"].clone();
            let stranger = there["TicketProduct"]["Id"].as_str();
            for (name, whom) in self.next(place, stranger) {
                let id = unique(name);
                let mut params = json!({ "client_id": place });
                if name == "RedirectVisitor" {
                    params["menu_link_id"] = product.clone();
                    params["workplace_id"] = target.clone();
                }
                let mut command = json!({ "id": id, "type": name, "params": params });
                if !whom.is_null() {
                    command["expect"] = json!({ "ticket_product_id": whom });
                }
                commands.push((place.clone(), command));
                let visitor = whom.as_str().map(str::to_owned);
                self.issued.push(Issued { id, name, place: place.clone(), visitor });
            }
        }
        commands
    }

    /// What goes wrong in a round.
    fn harm(&mut self) {
        let kind = match self.random.random_range(0..6) {
            0 | 1 => FaultKind::LostReply,
            2 => FaultKind::Dropped,
            3 => FaultKind::Intruder,
            4 => FaultKind::TakenOver,
            _ => FaultKind::Slow { ms: 300 },
        };
        let times = self.random.random_range(1..=6);
        self.sim.fault(Fault::from(kind).at("POST operation/").times(times));
    }
}

/// What happened at each workplace for commands, in its order, must be what commands asked for in theirs.
/// Gives how often each type came to which outcome.
fn judge(
    issued: &[Issued],
    journal: &[Effect],
    outcomes: &BTreeMap<&str, Vec<&ResultRecord>>,
) -> BTreeMap<&'static str, Count> {
    let mut counts: BTreeMap<&'static str, Count> = BTreeMap::new();
    let mut by_place: HashMap<&str, Vec<&Issued>> = HashMap::new();
    for one in issued {
        let all = &outcomes[one.id.as_str()];
        assert_eq!(all.len(), 1, "{}: {all:?}", one.id);
        let count = counts.entry(one.name).or_default();
        match all[0].outcome.as_deref() {
            Some("APPLIED") => count.applied += 1,
            Some("UNKNOWN") => count.unknown += 1,
            _ => count.other += 1,
        }
        by_place.entry(&one.place).or_default().push(one);
    }
    let mut next: HashMap<&str, usize> = HashMap::new();
    let is_of_operators = |one: &&Effect| one.asked && one.place.starts_with("window");
    for done in journal.iter().filter(is_of_operators).filter(|one| one.what != "change_user") {
        let commands = by_place.get(done.place.as_str()).map_or(&[][..], Vec::as_slice);
        let from = next.entry(&done.place).or_default();
        let is_it = |one: &&Issued| {
            let outcome = outcomes[one.id.as_str()][0];
            let may_be = matches!(outcome.outcome.as_deref(), Some("APPLIED" | "UNKNOWN"));
            let is_whom = match (&one.visitor, one.name) {
                (Some(visitor), _) => *visitor == done.to,
                (None, "InviteNext") => match outcome.outcome.as_deref() {
                    Some("APPLIED") => outcome.response.as_ref().unwrap().contains(&done.to),
                    _ => true,
                },
                _ => true,
            };
            may_be && effect(one.name) == done.what && is_whom
        };
        // A break that an operator ended meanwhile is begun again: that is so for what converges.
        let is_break = |one: &&&Issued| matches!(one.name, "BeginBreak" | "EndBreak");
        if commands[..*from].last().filter(is_break).is_some_and(is_it) {
            continue;
        }
        let found = commands[*from..].iter().position(is_it);
        let Some(at) = found else {
            panic!(
                "{done:?} is what no command asked for by then, or a second time\n{}",
                told_of(&done.place, commands, journal, outcomes)
            );
        };
        *from += at + 1;
    }
    counts
}

/// What happened at a workplace, and what became of its commands, for whoever looks into a failure.
fn told_of(
    place: &str,
    commands: &[&Issued],
    journal: &[Effect],
    outcomes: &BTreeMap<&str, Vec<&ResultRecord>>,
) -> String {
    let journal = journal.iter().filter(|done| done.place == place);
    let journal: Vec<String> = journal.map(|done| format!("{done:?}")).collect();
    let commands = commands.iter().map(|one| format!("{:?}", outcomes[one.id.as_str()][0]));
    let commands: Vec<String> = commands.collect();
    format!("journal:\n{}\ncommands:\n{}", journal.join("\n"), commands.join("\n"))
}

async fn crowd(on: On, test: &str) {
    let Some(address) = on.shared(test) else { return };
    let wanted = std::env::var("TALON_CROWD_COMMANDS").ok();
    let wanted: usize = wanted.map_or(100, |text| text.parse().unwrap());
    let seed = std::env::var("TALON_TEST_SEED").map_or(7, |text| text.parse().unwrap());
    println!("TALON_CROWD_COMMANDS={wanted} TALON_TEST_SEED={seed}");
    let sim = Simulator::start(Settings {
        seed,
        workplaces: WORKPLACES,
        visitors: WORKPLACES * 4 + wanted / 4,
        visitors_per_hour: 1200.0,
        bookings: 0,
        bookings_per_hour: 0.0,
        step_ms: STEP_MS,
        zone: super::topics::noon(),
        ..Settings::noisy()
    })
    .await
    .unwrap();
    sim.clock().store(super::topics::now_ms(), Ordering::SeqCst);
    let prefix = unique("crowd");
    let texts = |replica: usize| {
        let mut texts = configuration(&prefix, address, &sim);
        match on {
            On::Kafka => {
                let instance = format!("{prefix}-{replica}");
                texts.insert("bus.kafka.group.instance.id".to_owned(), instance);
            }
            // Processes that stand still for longer than that change all the time on a loaded machine.
            On::Nats => drop(texts.insert("bus.nats.lease.ttl.ms".to_owned(), "5000".to_owned())),
        }
        for (key, text) in [
            ("feeds", "workplace"),
            ("workplace.poll.interval.ms", "2000"),
            // The simulator runs in this process: beside a load it may take seconds to do what was asked.
            ("upstream.request.timeout.ms", "10000"),
            ("commands.settle.ms", "10000"),
            ("commands.max.in.flight", "32"),
            ("commands.retry.budget.ms", "120000"),
        ] {
            texts.insert(format!("connectors.hall.{key}"), text.to_owned());
        }
        texts
    };
    let texts = [texts(0), texts(1)];
    let mut replicas = [Talon::run(&texts[0]), Talon::run(&texts[1])];
    replicas[0].ready().await;

    let random = ChaCha8Rng::seed_from_u64(seed);
    let mut crowd = Crowd { sim: sim.clone(), random, issued: Vec::new() };
    let producer = Producer::new(address).await;
    let topic = format!("{prefix}.hall.commands");
    let mut told = Following::results(address, &prefix, "hall").await;
    let mut kills = 0;
    while crowd.issued.len() < wanted {
        crowd.harm();
        let round = crowd.round();
        producer.send(&topic, &round).await;
        let sent = crowd.issued.len();
        let mut steps = STEPS_A_ROUND;
        if sent / KILL_EVERY > kills || (kills == 0 && sent >= wanted) {
            kills += 1;
            let place = crowd.random.random_range(0..2);
            // Whoever has the commands under way is one of the two.
            until("some of the round are under way", async || {
                let told = told.read().await;
                let over = outcomes(told);
                let is_open = |one: &ResultRecord| !over.contains_key(one.command_id.as_str());
                over.len() == sent || told.iter().any(is_open)
            })
            .await;
            replicas[place].kill();
            replicas[place] = Talon::run(&texts[place]);
            steps = STEPS_A_KILL;
        }
        // A few rounds may wait at a time.
        until("most have their outcome", async || {
            if steps > 0 {
                steps -= 1;
                sim.clock().fetch_add(STEP_MS, Ordering::SeqCst);
            }
            outcomes(told.read().await).len() + WORKPLACES * 2 >= sent
        })
        .await;
    }
    sim.faults().clear();
    until("every command has its outcome", async || {
        outcomes(told.read().await).len() == crowd.issued.len()
    })
    .await;
    for mut talon in replicas {
        assert!(talon.terminate().await.success(), "{}", talon.log());
    }
    let told = results(address, &prefix, "hall");
    let counts = judge(&crowd.issued, &sim.journal(), &outcomes(&told));
    let journal = sim.journal();
    let of_life = journal.iter().filter(|one| !one.asked && one.place.starts_with("window"));
    let done = journal.iter().filter(|one| one.asked && one.place.starts_with("window"));
    println!(
        "{on:?}: {} commands, {kills} kills, {} effects of commands, {} of operators: {counts:#?}",
        crowd.issued.len(),
        done.count(),
        of_life.count()
    );
    let applied: usize = counts.values().map(|count| count.applied).sum();
    assert!(applied * 8 >= crowd.issued.len(), "too few were done to show something: {counts:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_hits_another_visitor_or_hits_twice_or_out_of_turn_in_a_crowd_on_kafka() {
    crowd(On::Kafka, "rest_crowd_kafka").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_hits_another_visitor_or_hits_twice_or_out_of_turn_in_a_crowd_on_nats() {
    crowd(On::Nats, "rest_crowd_nats").await;
}
