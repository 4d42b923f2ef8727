//! Where the bytes of an attachment come from.

use serde_json::json;
use talon_sdk::{Answer, ApplyFault};
use talon_simulators::contractor::{FaultKind, Kind};

use crate::cases::{Ids, Stage, bring};
use crate::world::{WITH_USER, World, command, world};

async fn attach(world: &World, ids: &Ids, reference: &str) -> Result<Answer, ApplyFault> {
    let params = json!({"task_id": ids.task, "name": "Акт.pdf", "reference": reference});
    world.send(&command("AddTaskAttachment", params)).await
}

fn refusal(result: Result<Answer, ApplyFault>) -> String {
    match result {
        Err(ApplyFault::Refused(answer)) => answer.message,
        other => panic!("{other:?}"),
    }
}

fn attached(world: &World, ids: &Ids) -> usize {
    world.current(Kind::Tasks, ids.task)["result"]["attachments"].as_array().unwrap().len()
}

#[tokio::test]
async fn references_are_off_by_default() {
    let world = world().await;
    let ids = bring(&world, Stage::TaskDone).await;
    for (reference, setting) in [
        ("file:a.pdf", "`attachments.file.root`"),
        ("http://localhost/кенар", "`attachments.http.hosts`"),
        ("https://localhost/кенар", "`attachments.http.hosts`"),
    ] {
        let words = refusal(attach(&world, &ids, reference).await);
        assert!(words.contains(setting), "{words}");
    }
    for reference in ["ftp://localhost/a", "a.pdf", "http://", "кенар"] {
        refusal(attach(&world, &ids, reference).await);
    }
    assert_eq!(attached(&world, &ids), 0);
}

#[tokio::test]
async fn a_file_must_lie_below_the_root_wherever_links_lead() {
    let world = world().await;
    let ids = bring(&world, Stage::TaskDone).await;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.pdf"), "секрет").unwrap();
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    std::fs::create_dir(at("sub")).unwrap();
    std::fs::write(at("sub/a.pdf"), "%PDF 1").unwrap();
    std::fs::write(at("large.pdf"), vec![b'x'; 101]).unwrap();
    std::fs::write(at("fits.pdf"), vec![b'x'; 100]).unwrap();
    std::fs::write(at("empty.pdf"), "").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.pdf"), at("out.pdf")).unwrap();
    std::os::unix::fs::symlink(outside.path(), at("outside")).unwrap();
    std::os::unix::fs::symlink(at("sub/a.pdf"), at("inside.pdf")).unwrap();
    let path = root.path().display().to_string();
    let settings = [("attachments.file.root", path.as_str()), ("attachments.max.bytes", "100")];
    let own = world.reconfigured(&[WITH_USER, &settings].concat());

    for good in ["file:sub/a.pdf", "file:inside.pdf", "file:fits.pdf"] {
        attach(&own, &ids, good).await.unwrap();
    }
    assert_eq!(attached(&world, &ids), 3);
    let absolute = format!("file:{path}/sub/a.pdf");
    for bad in [
        "file:out.pdf",
        "file:outside/secret.pdf",
        "file:../secret.pdf",
        "file:sub/../../x",
        "file:./sub/a.pdf",
        "file:/etc/passwd",
        "file:///etc/passwd",
        "file:",
        "file:no-such.pdf",
        "file:sub",
        "file:large.pdf",
        "file:empty.pdf",
        absolute.as_str(),
    ] {
        let words = refusal(attach(&own, &ids, bad).await);
        assert!(!words.contains("secret") && !words.contains(&path), "{bad}: {words}");
    }
    assert_eq!(attached(&world, &ids), 3);
}

#[tokio::test]
async fn a_url_must_be_of_a_listed_host() {
    let world = world().await;
    let ids = bring(&world, Stage::TaskDone).await;
    // The simulator stands in for a file server: one of its endpoints needs no credentials.
    let linked = bring(&world, Stage::Linked).await;
    let host = world.sim.addr().to_string();
    let hosts = [("attachments.http.hosts", host.as_str()), ("attachments.max.bytes", "100000")];
    let own = world.reconfigured(&[WITH_USER, &hosts].concat());
    let url = format!("http://{host}/shared/call?token={}", linked.token);
    attach(&own, &ids, &url).await.unwrap();
    assert_eq!(attached(&world, &ids), 1);

    let port = world.sim.addr().port();
    for bad in [
        format!("http://localhost:{port}/shared/call"),
        "http://127.0.0.1/x".to_owned(),
        format!("http://user:кенар@{host}/x"),
        format!("http://{host}/no-such-кенар"),
        format!("http://{host}.example.org/x"),
    ] {
        refusal(attach(&own, &ids, &bad).await);
    }
    let small = [("attachments.http.hosts", host.as_str()), ("attachments.max.bytes", "10")];
    let small = world.reconfigured(&[WITH_USER, &small].concat());
    let words = refusal(attach(&small, &ids, &url).await);
    assert!(words.contains("`attachments.max.bytes`"), "{words}");
    let fault = FaultKind::Status { code: 503, retry_after_seconds: Some(3), body: None };
    world.strike(fault, "GET /shared");
    let later = attach(&own, &ids, &url).await;
    assert!(matches!(later, Err(ApplyFault::NotApplied(_))), "{later:?}");
    assert_eq!(attached(&world, &ids), 1);
}

#[tokio::test]
async fn a_file_arrives_as_it_was_with_its_name() {
    let world = world().await;
    let ids = bring(&world, Stage::TaskDone).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let content = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &bytes);
    let params = json!({"task_id": ids.task, "name": "Акт №1 (копия).zip", "content": content});
    let made = world.run("AddTaskAttachment", params).await;
    assert_eq!((made["type"].as_str(), made["name"].as_str()), (Some("ZIP"), None));
    let file = &world.current(Kind::Tasks, ids.task)["result"]["attachments"][0];
    assert_eq!(file["name"], "Акт №1 (копия).zip");
    assert_eq!(file["id"], made["id"]);
}
