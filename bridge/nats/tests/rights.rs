//! What Talon may do on a server that allows nothing but what the README lists, and with each of these
//! rights missing in turn. Against a real nats-server.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::World;
use talon_brokers::Nats as Server;
use talon_nats::Nats;
use talon_runtime::bus::{
    Bus, BusFault, Expected, Grant, LaneRecord, LaneTopic, Look, Membership, Ownership, Start,
    Stop, Told, TopicSpec, Which, WriteFault,
};

/// What `bridge/nats/README.md` says is needed to publish to; `{p}` is the prefix. Without those that are
/// marked, something is left undone, and nothing else is wrong.
const PUBLISH: [(&str, bool); 19] = [
    ("{p}.>", false),
    ("$KV.{p}_checkpoints.>", false),
    ("$KV.{p}_leases.>", false),
    ("$KV.{p}_configs.>", false),
    ("$KV.{p}_status.>", false),
    ("$JS.API.INFO", false),
    ("$JS.API.STREAM.INFO.>", false),
    ("$JS.API.STREAM.CREATE.>", false),
    ("$JS.API.STREAM.UPDATE.>", true),
    ("$JS.API.STREAM.PURGE.>", true),
    ("$JS.API.STREAM.MSG.GET.>", false),
    ("$JS.API.DIRECT.GET.>", true),
    ("$JS.API.CONSUMER.CREATE.>", false),
    ("$JS.API.CONSUMER.INFO.>", true),
    ("$JS.API.CONSUMER.LIST.>", false),
    ("$JS.API.CONSUMER.DELETE.>", true),
    ("$JS.API.CONSUMER.MSG.NEXT.>", false),
    ("$JS.ACK.>", false),
    ("$JS.FC.>", true),
];

const LIMIT: Duration = Duration::from_secs(120);

fn until(what: &str, mut met: impl FnMut() -> bool) {
    let since = Instant::now();
    while !met() {
        assert!(since.elapsed() < LIMIT, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A user of the server, without one of the rights.
fn user(name: &str, prefix: &str, without: Option<&str>, subscribes: bool) -> String {
    let publish: Vec<String> = PUBLISH
        .iter()
        .filter(|(right, _)| Some(*right) != without)
        .map(|(right, _)| format!("{:?}", right.replace("{p}", prefix)))
        .collect();
    let inbox = if subscribes { "_INBOX.>" } else { "nothing" };
    format!(
        "{{ user: {name}, password: hunter2, permissions: {{ publish: [{}], subscribe: [\"{inbox}\"] }} }}",
        publish.join(", ")
    )
}

fn sign_in(world: &mut World, url: &str, name: &str) {
    url.clone_into(&mut world.url);
    let login = [("user", name), ("password", "hunter2")];
    world.extra.extend(login.map(|(key, value)| (key, value.to_owned())));
}

/// Joins the group until something is granted or refused; leaves it.
fn member(world: &World, nats: &Nats) -> Result<(), BusFault> {
    let (ownership, stop) = (Ownership::default(), Stop::default());
    let fault: Arc<Mutex<Option<BusFault>>> = Arc::default();
    let into = fault.clone();
    let _inside = world.runtime.enter();
    let joined = nats.join(Membership {
        shards: ["field"].into(),
        replication: 0,
        ownership: ownership.clone(),
        report: Arc::new(move |told| {
            if let Some(BusFault::Misconfigured(_)) = told {
                *into.lock().unwrap() = told.cloned();
            }
        }),
        stop: stop.clone(),
    });
    let refused = || fault.lock().unwrap().clone();
    until("it is granted, or refused", || !ownership.granted().is_empty() || refused().is_some());
    stop.set();
    match refused() {
        Some(fault) => {
            joined.abort();
            Err(fault)
        }
        None => {
            world.runtime.block_on(joined).unwrap();
            Ok(())
        }
    }
}

/// Writes to a store in both ways, and follows it.
fn store(world: &World, nats: &Nats) -> Result<(), BusFault> {
    let _inside = world.runtime.enter();
    let configs = nats.store(&TopicSpec::configs(&world.prefix, 0));
    let status = nats.store(&TopicSpec::status(&world.prefix, 0));
    let of_write = |fault| match fault {
        WriteFault::Bus(fault) | WriteFault::Unclear(fault) => fault,
        WriteFault::Conflict => panic!("nobody else writes"),
    };
    configs.write("k", Some(b"1"), Expected::Anything).map_err(of_write)?;
    for store in [&configs, &status] {
        let mut told = store.follow();
        loop {
            match told.blocking_recv() {
                Some(Told::Current) => break,
                Some(Told::Trouble(fault)) => return Err(fault),
                Some(_) => {}
                None => panic!("it goes on for ever"),
            }
        }
    }
    status.write("k", Some(b"1"), Expected::Anything).map_err(of_write)?;
    status.put("k", Some(b"2"));
    assert!(status.flush(LIMIT));
    Ok(())
}

/// Publishes, reads back, and runs a command.
fn work(world: &World, nats: &Nats) -> Result<(), BusFault> {
    let (mut log, _) = world.try_log(nats)?;
    let _inside = world.runtime.enter();
    log.append(support::TABLE, "1", Some("v"), "1v")?;
    log.append(support::TABLE, "1", None, "1d")?;
    log.commit(Some("c"))?;
    let lane = world.lane_spec();
    let (mut reader, mut log) = nats.open_lane(&lane, &Grant::unlimited("field"))?;
    log.recover(&mut |_| Ok(()))?;
    nats.send(&lane, "1", b"{}")?;
    let arrival = loop {
        if let Some(arrival) = reader.next(Duration::from_secs(1))? {
            break arrival;
        }
    };
    let (key, value, id) = ("1".to_owned(), b"{}".to_vec(), arrival.position.to_string());
    log.append(&LaneRecord { topic: LaneTopic::Results, key, value, headers: vec![], id })?;
    log.commit(&[arrival.position])
}

/// Everything that processes do with a server: feeds, commands, a hand-over, the console.
fn everything(world: &World) -> Result<(), BusFault> {
    for process in [world.process(), world.process()] {
        {
            let _inside = world.runtime.enter();
            process.probe()?;
        }
        member(world, &process)?;
        work(world, &process)?;
        store(world, &process)?;
    }
    let console = world.process();
    let (stop, topics) = (Stop::default(), [world.lane_spec().commands.name]);
    let _inside = world.runtime.enter();
    console.tail(&topics, Start::Beginning, &stop, &mut |_| stop.set())?;
    let [topic] = topics;
    console.look(&Look::new(topic, Which::Newest, 1)).map(drop)
}

#[test]
fn the_rights_that_the_readme_lists_are_enough_and_each_that_is_missing_is_named() {
    let mut worlds = vec![(World::new(""), None, true), (World::new(""), None, false)];
    worlds.extend(PUBLISH.iter().map(|(right, _)| (World::new(""), Some(*right), true)));
    let users: Vec<String> = worlds
        .iter()
        .enumerate()
        .map(|(n, (world, without, subscribes))| {
            user(&format!("u{n}"), &world.prefix, *without, *subscribes)
        })
        .collect();
    let settings = format!("authorization {{ users: [{}] }}", users.join(", "));
    let Some(server) = Server::start_with("nats_rights", &settings) else { return };
    std::thread::scope(|scope| {
        for (n, (mut world, without, subscribes)) in worlds.into_iter().enumerate() {
            let url = server.url();
            scope.spawn(move || {
                sign_in(&mut world, url, &format!("u{n}"));
                let told = everything(&world);
                eprintln!("without {without:?}, inbox {subscribes}: {told:?}");
                let undone =
                    PUBLISH.iter().any(|(right, undone)| Some(*right) == without && *undone);
                let right = match without {
                    _ if !subscribes => "subscribe to `{bus.nats.inbox.prefix}.>`".to_owned(),
                    None => return assert_eq!(told, Ok(())),
                    Some("{p}.>") => "publish to `{talon.prefix}.>`".to_owned(),
                    Some(right) => format!("publish to `{}`", right.replace("{p}", &world.prefix)),
                };
                match told {
                    Ok(()) => assert!(undone, "nothing was wrong without {right}"),
                    Err(BusFault::Misconfigured(why)) => {
                        assert!(why.contains(&right), "{right}: {why}")
                    }
                    Err(fault) => panic!("{right}: {fault:?}"),
                }
            });
        }
    });
}
