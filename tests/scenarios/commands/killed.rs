//! Every command that must not be repeated blindly, with the process killed at every moment of its life.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use talon_brokers::unique;
use talon_sdk::{OrderingKey, Repeat};
use talon_simulators::contractor::{Fault, FaultKind};

use crate::carrying;
use crate::cases::{CASES, Case, bring};
use crate::support::On;
use crate::support::moments::{Moment, Scene, live_through, moments};
use crate::support::results::outcomes;
use crate::world::{World, simulator_settings, spec, world_with};

/// What nobody can read back.
const UNREADABLE: [&str; 2] = ["CreateTempLink", "RegisterUser"];

struct Sent {
    case: &'static Case,
    id: String,
    /// Effects at its endpoint before.
    before: usize,
    command: (String, Value),
}

/// One command of each type, each about a call of its own.
async fn prepare(world: &World) -> Vec<Sent> {
    let cases = CASES.iter().filter(|case| spec(case.name).repeat != Repeat::Always);
    let mut sent = Vec::new();
    for case in cases.filter(|case| case.name != "CompleteSharedCall") {
        let ids = bring(world, case.stage).await;
        let mut params = (case.params)(&ids);
        if case.name == "CreateCall" {
            // The calls of the other commands look alike, and change meanwhile.
            params["client_name"] = json!("ООО «Незабудка»");
        }
        let id = unique(case.name);
        let key = match spec(case.name).key {
            OrderingKey::Params(names) => params[names[0]].to_string(),
            OrderingKey::Fixed(key) => key.to_owned(),
            OrderingKey::Own => id.clone(),
        };
        let command = json!({"id": id, "type": case.name, "params": params});
        sent.push(Sent { case, id, before: 0, command: (key, command) });
    }
    for sent in &mut sent {
        sent.before = world.effects(spec(sent.case.name).call);
    }
    sent
}

/// What the commands do in the simulated upstream.
struct Upstream<'a> {
    world: &'a World,
    sent: &'a [Sent],
}

impl Scene for Upstream<'_> {
    fn strike(&self, moment: Moment) {
        let kind = match moment {
            Moment::Nothing => return,
            Moment::ReplyLost | Moment::KilledAfterTheEffect => FaultKind::LostReply,
            Moment::RequestLost => FaultKind::LostRequest,
            Moment::KilledBeforeTheEffect => FaultKind::Slow { ms: 120_000 },
            Moment::KilledBeforeTheCommit => FaultKind::Slow { ms: 1_500 },
        };
        // As many requests as there are commands to each part of the upstream.
        let mut parts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for sent in self.sent {
            let (method, path) = spec(sent.case.name).call.split_once(' ').unwrap();
            // Nobody can sign in where `/user` is slow.
            let root = match path {
                "/user/register" => &path[1..],
                _ => path[1..].split('/').next().unwrap(),
            };
            *parts.entry((method, root)).or_default() += 1;
        }
        for ((method, root), times) in parts {
            let strike = |kind: &FaultKind| {
                let fault = Fault::from(kind.clone()).at(&format!("/{root}"));
                self.world.sim.fault(fault.method(method).times(times));
            };
            strike(&kind);
            if moment == Moment::KilledAfterTheEffect {
                // Time to stop what would be read back.
                strike(&FaultKind::Slow { ms: 3_000 });
            }
        }
    }

    fn intended(&self, moment: Moment) {
        if moment == Moment::KilledAfterTheEffect {
            // What is read back does not come.
            let slow = FaultKind::Slow { ms: 120_000 };
            self.world.sim.fault(Fault::from(slow).method("GET"));
        }
    }

    fn done(&self) -> Vec<String> {
        let effects = |sent: &&Sent| self.world.effects(spec(sent.case.name).call) > sent.before;
        self.sent.iter().filter(effects).map(|sent| sent.case.name.to_owned()).collect()
    }

    fn mend(&self) {
        self.world.sim.faults().clear();
    }
}

async fn at(on: On, moment: Moment) {
    let Some(mut bus) = moment.bus(on, "commands") else { return };
    let world = world_with(simulator_settings(), crate::world::WITH_USER).await;
    let mut sent = prepare(&world).await;
    let prefix = unique("commands");
    let mut texts = carrying(&prefix, bus.address(), &world.sim.url());
    let types: Vec<&str> = sent.iter().map(|sent| sent.case.name).collect();
    texts.insert("connectors.field.commands".to_owned(), types.join(","));
    texts.insert("connectors.field.commands.max.in.flight".to_owned(), "100".to_owned());
    let commands: Vec<(String, Value)> =
        sent.iter_mut().map(|sent| std::mem::take(&mut sent.command)).collect();
    let upstream = Upstream { world: &world, sent: &sent };
    let (results, log) =
        live_through(moment, &mut bus, (&prefix, "field"), &texts, &commands, &upstream).await;

    let outcomes = outcomes(&results);
    for Sent { case, id, before, .. } in &sent {
        let of = &outcomes[id.as_str()];
        assert_eq!(of.len(), 1, "{moment:?}, {}: {of:?}", case.name);
        let unclear = UNREADABLE.contains(&case.name) && moment != Moment::Nothing;
        let outcome = of[0].outcome.as_deref().unwrap();
        let effects = world.effects(spec(case.name).call) - before;
        if unclear && outcome == "UNKNOWN" {
            assert!(effects <= 1, "{moment:?}, {}: {effects} effects", case.name);
            assert!(of[0].evidence.is_some(), "{moment:?}, {}: no evidence", case.name);
        } else {
            assert_eq!(outcome, "APPLIED", "{moment:?}, {}: {:?}\n{log}", case.name, of[0]);
            assert_eq!(effects, 1, "{moment:?}, {}", case.name);
        }
    }
}

moments! {
    invariant_5_each_command_is_applied_once_on_kafka invariant_5_each_command_is_applied_once_on_nats Nothing
    invariant_5_a_lost_reply_is_read_back_on_kafka invariant_5_a_lost_reply_is_read_back_on_nats ReplyLost
    invariant_5_a_lost_request_is_sent_again_on_kafka invariant_5_a_lost_request_is_sent_again_on_nats RequestLost
    invariant_5_killed_before_the_effect_on_kafka invariant_5_killed_before_the_effect_on_nats KilledBeforeTheEffect
    invariant_5_killed_after_the_effect_on_kafka invariant_5_killed_after_the_effect_on_nats KilledAfterTheEffect
    invariant_5_killed_before_the_commit_on_kafka invariant_5_killed_before_the_commit_on_nats KilledBeforeTheCommit
}
