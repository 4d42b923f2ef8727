use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use talon_runtime::guard::Guard;
use talon_simulators::quickq::{Book, Fault, FaultKind, Settings};
use tokio::sync::watch;

use crate::hall::{Hall, Reader, hall};

fn names(reader: &Reader, field: &str) -> BTreeMap<String, String> {
    let state = &reader.published.state;
    state.iter().map(|(key, entity)| (key.clone(), entity[field].to_string())).collect()
}

/// Steps until told to stop. A step that is given up leaves a feed that is opened anew.
async fn follow(reader: &mut Reader, mut done: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = reader.step() => {}
            _ = done.wait_for(|done| *done) => return,
        }
    }
}

/// One thing that happens in the hall, which stays small.
fn stir(hall: &Hall, random: &mut ChaCha8Rng) {
    let place = json!({ "workplace": random.random_range(1..=3) });
    let board = json!({ "id": 1, "name": format!("Табло {}", random.random::<u16>()) });
    // What the house refuses changes nothing.
    let act = |command: &str, data: &Value| drop(hall.simulator.act(command, data.clone()));
    match random.random_range(0..5) {
        0 | 1 if hall.simulator.queue(1).len() < 8 => hall.simulator.arrive(1),
        0 | 1 => act("nextConsumer", &place),
        2 => act("serveConsumer", &place),
        3 => act("skipConsumer", &place),
        _ => act("setQBoard", &board),
    }
}

/// Sockets are cut, before and after effects, and in every gap something happens; at the end what was
/// published is what there is, and only the absent were deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reconnects_under_load_lose_nothing() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let simulated =
        Settings { seed, visitors: 5, echo_id: seed.is_multiple_of(2), ..Settings::default() };
    // An empty list after a cut is believed the second time, which must not take a minute.
    let settings = [
        ("upstream.request.timeout.ms", "5000"),
        ("refresh.interval.ms", "1000"),
        // The runtime would wait between attempts.
        ("upstream.requests.per.second", "100000"),
    ];
    let hall = hall(simulated, &settings).await;
    // Cuts may come faster than one queue is read, so that much of it is gone at once: believed here.
    let guard = Guard { ratio: 1.0, entities: usize::MAX };
    let mut consumers = hall.guarded_reader("consumer", guard);
    let mut boards = hall.guarded_reader("qboard", guard);
    let mut queue = hall.guarded_reader("queue", guard);
    let done = watch::Sender::new(false);
    let cuts = async {
        for _ in 0..1_000 {
            let kind =
                if random.random_bool(0.5) { FaultKind::CutBefore } else { FaultKind::CutAfter };
            match random.random_range(0..4) {
                0 => hall.simulator.fault(Fault::from(kind).at("consumerList").times(1)),
                1 => hall.simulator.fault(Fault::from(kind).at("subscribeCurrentQueue").times(1)),
                _ => {}
            }
            // All are back: the books' socket, and one for each queue.
            while hall.simulator.counts().sockets < 3 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            stir(&hall, &mut random);
            hall.simulator.cut();
            // All may be back before this looks.
            let since = std::time::Instant::now();
            while hall.simulator.counts().sockets == 3
                && since.elapsed() < Duration::from_millis(50)
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stir(&hall, &mut random);
        }
        done.send_replace(true);
    };
    let readers = async {
        tokio::join!(
            follow(&mut consumers, done.subscribe()),
            follow(&mut boards, done.subscribe()),
            follow(&mut queue, done.subscribe())
        )
    };
    tokio::join!(cuts, readers);
    hall.simulator.faults().clear();

    // The state as the simulator has it now, and each reader until it has the same.
    let truth = |book: Book, field: &str| -> BTreeMap<String, String> {
        let items = hall.simulator.book(book);
        items.into_iter().map(|(id, item)| (id.to_string(), item[field].to_string())).collect()
    };
    let waiting = || -> Vec<String> {
        let places = [1, 2].into_iter();
        let queues = places
            .flat_map(|place| hall.simulator.queue(place).into_iter().map(move |id| (place, id)));
        let mut keys: Vec<String> = queues.map(|(place, id)| format!("{place}/{id}")).collect();
        keys.sort();
        keys
    };
    hall.simulator.cut();
    let state = |reader: &Reader| names(reader, "state") == truth(Book::Consumer, "state");
    consumers.until("all visitors", state).await;
    let name = |reader: &Reader| names(reader, "name") == truth(Book::QBoard, "name");
    boards.until("all boards", name).await;
    queue.until("both queues", |reader| reader.keys() == waiting()).await;
    assert!(consumers.faults.len() >= 500, "{} cuts were felt", consumers.faults.len());
    for reader in [&consumers, &boards, &queue] {
        assert!(
            reader.faults.iter().all(|fault| fault.kind() == "unavailable"),
            "{:?}",
            reader.faults.last()
        );
        assert_eq!(reader.published.dead.len(), 0);
    }
    assert_eq!(hall.simulator.journal().count("login"), 1, "one session through it all");
}
