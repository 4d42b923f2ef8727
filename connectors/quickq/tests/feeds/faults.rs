use serde_json::json;
use talon_simulators::quickq::{Fault, FaultKind, Settings};

use crate::hall::hall;

const QUICK: [(&str, &str); 3] = [
    ("upstream.ping.interval.ms", "50"),
    ("upstream.idle.timeout.ms", "300"),
    ("upstream.request.timeout.ms", "1000"),
];

fn fault(kind: FaultKind) -> Fault {
    Fault::from(kind)
}

#[tokio::test]
async fn a_cut_is_a_fault_and_what_it_hid_comes_out() {
    let hall = hall(Settings::default(), &[]).await;
    let mut reader = hall.reader("service");
    reader.step().await;
    hall.simulator.pause_listening().await;
    reader.step().await;
    assert_eq!(reader.faults[0].kind(), "unavailable");
    hall.simulator.act("setService", json!({ "id": 1, "priority": 99 })).unwrap();
    hall.simulator.resume_listening().await;
    reader.published.log.clear();
    reader.until("the change", |reader| !reader.published.log.is_empty()).await;
    assert_eq!(reader.published.log, ["u 1"]);
    assert_eq!(hall.simulator.journal().count("login"), 1, "the token is used again");
    assert_eq!(hall.simulator.counts().sessions, 1);
}

#[tokio::test]
async fn a_cut_in_the_middle_of_joining_is_overcome() {
    for kind in [FaultKind::CutBefore, FaultKind::CutAfter] {
        for command in ["login", "subscribeServices", "serviceList"] {
            let hall = hall(Settings::default(), &[]).await;
            hall.simulator.fault(fault(kind.clone()).at(command).times(2));
            let mut reader = hall.reader("service");
            reader.until("all services", |reader| reader.keys().len() == 4).await;
            assert_eq!(reader.faults.len(), 2, "{kind:?} {command}");
            assert!(reader.faults.iter().all(|fault| fault.kind() == "unavailable"));
        }
    }
}

#[tokio::test]
async fn a_peer_that_dies_in_silence_is_noticed() {
    let hall = hall(Settings::default(), &QUICK).await;
    let mut reader = hall.reader("service");
    reader.step().await;
    hall.simulator.fault(fault(FaultKind::Silence).at("info").times(1));
    reader.step().await;
    assert_eq!(reader.faults[0].kind(), "unavailable");
    assert!(reader.faults[0].to_string().contains("silent"), "{}", reader.faults[0]);
    hall.simulator.act("setService", json!({ "id": 1, "priority": 99 })).unwrap();
    reader.until("the change", |r| r.published.state["1"]["priority"] == 99).await;
}

#[tokio::test]
async fn a_session_that_the_server_forgot_is_replaced() {
    for open_info in [false, true] {
        let hall = hall(Settings { open_info, ..Settings::default() }, &QUICK).await;
        let mut reader = hall.reader("service");
        reader.step().await;
        hall.simulator.forget_sessions();
        hall.simulator.cut();
        hall.simulator.act("setService", json!({ "id": 1, "priority": 99 })).unwrap();
        reader.until("the change", |r| r.published.state["1"]["priority"] == 99).await;
        assert_eq!(hall.simulator.journal().count("login"), 2);
        assert_eq!(hall.simulator.counts().sessions, 1);
        assert!(reader.faults.iter().all(|fault| fault.kind() == "unavailable"));
    }
}

#[tokio::test]
async fn a_session_forgotten_while_the_socket_lives_is_replaced() {
    let hall = hall(Settings::default(), &QUICK).await;
    let mut reader = hall.reader("service");
    reader.step().await;
    hall.simulator.forget_sessions();
    // The next question whether it lives tells.
    reader.step().await;
    reader.step().await;
    assert_eq!(reader.faults.len(), 1, "{:?}", reader.faults);
    assert_eq!(hall.simulator.journal().count("login"), 2);
}

#[tokio::test]
async fn a_refusal_that_is_meant_is_told_and_leaves_the_others_alone() {
    let hall = hall(Settings::default(), &[]).await;
    hall.simulator.fault(fault(FaultKind::Refused { code: 150 }).at("qBoardList"));
    let (mut boards, mut services) = (hall.reader("qboard"), hall.reader("service"));
    services.step().await;
    boards.step().await;
    assert_eq!(boards.faults[0].kind(), "rejected");
    assert!(boards.faults[0].to_string().contains("error 150"), "{}", boards.faults[0]);
    hall.simulator.act("setService", json!({ "id": 1, "priority": 99 })).unwrap();
    services.step().await;
    assert_eq!((services.faults.len(), services.published.log.len()), (0, 5));
    assert_eq!(hall.simulator.journal().count("login"), 1);
}

#[tokio::test]
async fn a_command_that_nobody_answers_stops_only_its_own_feed() {
    let hall = hall(Settings { unknown_is_answered: false, ..Settings::default() }, &QUICK).await;
    hall.simulator.fault(fault(FaultKind::NoReply).at("qBoardList"));
    let (mut boards, mut services) = (hall.reader("qboard"), hall.reader("service"));
    services.step().await;
    boards.step().await;
    assert!(boards.faults[0].to_string().contains("not answered"), "{}", boards.faults[0]);
    hall.simulator.act("setService", json!({ "id": 1, "priority": 99 })).unwrap();
    services.step().await;
    assert_eq!((services.faults.len(), services.published.log.len()), (0, 5));
}

#[tokio::test]
async fn a_reply_may_come_after_pushes() {
    for echo_id in [false, true] {
        let hall = hall(Settings { echo_id, ..Settings::default() }, &[]).await;
        let mut reader = hall.reader("service");
        hall.simulator.fault(fault(FaultKind::Late { messages: 2 }).at("serviceList").times(1));
        let (simulator, edits) = (hall.simulator.clone(), async {
            for priority in 1..40 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                hall.simulator.act("setService", json!({ "id": 1, "priority": priority })).unwrap();
            }
        });
        tokio::join!(reader.step(), edits);
        let newest =
            simulator.book(talon_simulators::quickq::Book::Service)[&1]["priority"].clone();
        reader.until("the newest", |r| r.published.state["1"]["priority"] == newest).await;
        assert_eq!(reader.faults.len(), 0, "{:?}", reader.faults);
    }
}

#[tokio::test]
async fn invariant_6_a_malformed_message_is_a_dead_letter_and_the_list_is_read_again() {
    for kind in [FaultKind::Malformed, FaultKind::Garbage] {
        let hall = hall(Settings::default(), &[]).await;
        let mut reader = hall.reader("user");
        reader.step().await;
        hall.simulator.fault(fault(kind.clone()).at("userList").times(1));
        hall.simulator.act("setUser", json!({ "id": 1, "surname": "Петрова" })).unwrap();
        reader.until("the change", |r| r.published.state["1"]["surname"] == "Петрова").await;
        assert_eq!(reader.published.dead.len(), 1, "{kind:?}");
        let letter = String::from_utf8_lossy(&reader.published.dead[0]).into_owned();
        assert!(!letter.contains("827ccb0e"), "{letter}");
        assert_eq!(reader.faults.len(), 0, "{:?}", reader.faults);
    }
}

#[tokio::test]
async fn what_nobody_asked_for_is_put_aside_once() {
    let hall = hall(Settings::default(), &[]).await;
    let (mut users, mut services) = (hall.reader("user"), hall.reader("service"));
    users.step().await;
    services.step().await;
    hall.simulator.say(r#"{"command":"serviceChanged","data":{"id":1}}"#);
    hall.simulator.say(r#"{"id":1,"name":"no command"}"#);
    users.step().await;
    services.step().await;
    let dead = users.published.dead.len() + services.published.dead.len();
    assert_eq!(dead, 1, "the one that is no message");
    assert_eq!(users.faults.len() + services.faults.len(), 0);
    assert_eq!(services.published.state["1"]["name"], "Оплата практических занятий");
}

#[tokio::test]
async fn invariant_4_an_empty_or_short_list_after_a_reconnect_deletes_nothing() {
    for kind in [FaultKind::EmptyList, FaultKind::ShortList { keep: 5 }] {
        let hall = hall(Settings::default(), &[("refresh.interval.ms", "1000")]).await;
        let mut reader = hall.reader("consumer");
        reader.step().await;
        assert_eq!(reader.keys().len(), 20);
        hall.simulator.fault(fault(kind.clone()).at("consumerList").times(1));
        hall.simulator.cut();
        reader.until("the list", |reader| reader.withheld > 0).await;
        assert_eq!(reader.keys().len(), 20, "{kind:?}");
        reader.until("a whole list", |reader| reader.withheld == 0).await;
        assert_eq!(reader.keys().len(), 20);
        assert!(reader.published.log.iter().all(|line| !line.starts_with('d')));
    }
}

#[tokio::test]
async fn invariant_9_a_slow_reader_gets_the_newest_list_and_holds_nobody_up() {
    let hall = hall(Settings::default(), &[]).await;
    let (mut slow, mut quick) = (hall.reader("service"), hall.reader("qboard"));
    slow.step().await;
    quick.step().await;
    for priority in 0..500 {
        hall.simulator.act("setService", json!({ "id": 1, "priority": priority })).unwrap();
    }
    hall.simulator.act("setQBoard", json!({ "id": 1, "description": "x" })).unwrap();
    quick.step().await;
    assert_eq!(quick.published.log.last().unwrap(), "u 1");
    slow.until("the newest", |r| r.published.state["1"]["priority"] == 499).await;
    assert!(slow.published.log.len() < 50, "lists in between are not kept");
}

#[tokio::test]
async fn a_server_that_is_no_websocket_is_a_wrong_url() {
    let simulated = hall(Settings::default(), &[]).await;
    let url = simulated.simulator.url().replace("/logic", "/_sim/stats");
    let fault =
        crate::support::connector(&[("upstream.url", &url)]).unwrap().probe().await.unwrap_err();
    assert!(matches!(fault.kind(), "misconfigured" | "unavailable"), "{fault}");
    assert!(fault.to_string().contains("upstream.url"), "{fault}");
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_told() {
    let settings = [("upstream.message.max.bytes", "2048")];
    let hall = hall(Settings::default(), &settings).await;
    let mut reader = hall.reader("consumer");
    reader.step().await;
    let fault = reader.faults[0].to_string();
    assert!(fault.contains("upstream.message.max.bytes"), "{fault}");
}

#[tokio::test]
async fn invariant_1_an_answer_that_a_push_has_overtaken_is_not_taken_for_the_newest() {
    let hall = hall(Settings::default(), &[("refresh.interval.ms", "1000")]).await;
    let mut reader = hall.reader("qboard");
    reader.step().await;
    let late = Fault::from(FaultKind::Late { messages: 1 }).at("qBoardList").times(1);
    hall.simulator.fault(late);
    let asked = hall.simulator.journal().count("qBoardList");
    let push = async {
        while hall.simulator.journal().count("qBoardList") == asked {
            tokio::task::yield_now().await;
        }
        hall.simulator.act("newQBoard", serde_json::json!({ "name": "Третье" })).unwrap()
    };
    let ((), third) = tokio::join!(reader.step(), push);
    let third = third["id"].to_string();
    reader.until("the third board", |reader| reader.keys().contains(&third.as_str())).await;
    // The late answer, if it is taken, or else a list that is read again.
    reader.step().await;
    assert!(!reader.published.log.contains(&format!("d {third}")), "{:?}", reader.published.log);
}
