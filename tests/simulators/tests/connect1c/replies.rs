use std::sync::atomic::Ordering;

use super::*;

/// Tags in the order in which they come, without the rows but the first.
fn skeleton(reply: &str) -> Vec<String> {
    let first_row_only = match reply.split_once("</row>") {
        Some((head, rest)) => {
            let tail = rest.rsplit_once("</row>").map_or(rest, |(_, tail)| tail);
            format!("{head}</row>{tail}")
        }
        None => reply.to_owned(),
    };
    let tags = first_row_only.split('<').skip(1).filter_map(|part| part.split_once('>'));
    tags.map(|(tag, _)| tag.to_owned()).collect()
}

#[tokio::test]
async fn a_reply_is_spelled_as_the_documents_sample() {
    let upstream = upstream(Settings::default()).await;
    let reply = call(&upstream, HISTORY, &WINDOW).await;
    assert_eq!(code(&reply), "SUCCESS");
    let sample = include_str!("../../../../connectors/connect1c/samples/reply.xml");
    assert_eq!(skeleton(&reply), skeleton(sample));
}

#[tokio::test]
async fn the_history_has_what_was_closed_in_its_window_and_the_list_what_is_open() {
    let upstream = upstream(Settings::default()).await;
    let closed = upstream.closed(NOON - 3 * DAY, NOON);
    assert!(closed.len() > 200, "{}", closed.len());
    let reply = call(&upstream, HISTORY, &WINDOW).await;
    assert_eq!(rows(&reply), closed.len());
    for one in &closed {
        assert!(reply.contains(&format!(">{}</Value>", one.id)));
    }
    let open = upstream.open();
    assert!(open.len() > 20, "{}", open.len());
    let reply = call(&upstream, OPENED, &[]).await;
    assert_eq!(rows(&reply), open.len());
    assert!(open.iter().all(|one| reply.contains(&format!(">{}</Value>", one.id))));
}

#[tokio::test]
async fn a_treatment_is_open_then_closed_and_rated_later() {
    let settings = Settings { rated: 1.0, rated_late: 1.0, ..Settings::default() };
    let upstream = upstream(settings).await;
    let open = upstream.open();
    upstream.clock().store(NOON + 3 * DAY, Ordering::SeqCst);
    let closed = upstream.closed(NOON, NOON + 3 * DAY);
    for one in &open {
        let now = closed.iter().find(|closed| closed.id == one.id).unwrap();
        assert_eq!(
            (now.opened_ms, &now.client, &now.line),
            (one.opened_ms, &one.client, &one.line)
        );
        assert!(now.closed_ms.unwrap() > NOON);
    }
    assert!(closed.iter().any(|one| one.rating == 0));
    upstream.clock().store(NOON + 60 * DAY, Ordering::SeqCst);
    let later = upstream.closed(NOON, NOON + 3 * DAY);
    assert_eq!(later.len(), closed.len());
    assert!(later.iter().all(|one| (1..=5).contains(&one.rating)));
}

#[tokio::test]
async fn filters_hold_together() {
    let upstream = upstream(Settings::default()).await;
    let closed = upstream.closed(NOON - 3 * DAY, NOON);
    let one = closed.iter().find(|one| one.specialist.is_some()).unwrap();
    let specialist = one.specialist.clone().unwrap();
    let filter = [
        ("ClientID", one.client.as_str()),
        ("ServiceUserID", &one.user),
        ("ServiceID", &one.line),
        ("SpecialistID", &specialist),
    ];
    let reply = call(&upstream, HISTORY, &[&WINDOW[..], &filter[..]].concat()).await;
    let same = closed.iter().filter(|other| {
        (&other.client, &other.user, &other.line, &other.specialist)
            == (&one.client, &one.user, &one.line, &one.specialist)
    });
    assert_eq!(rows(&reply), same.count());
    assert!(rows(&reply) >= 1);
}

#[tokio::test]
async fn nothing_has_its_stand_ins() {
    let settings = Settings { abandoned: 0.5, ..Settings::default() };
    let reply = call(&upstream(settings).await, HISTORY, &WINDOW).await;
    for text in [
        ">0001-01-01T00:00:00</Value>",
        ">00000000-0000-0000-0000-000000000000</Value>",
        "<Value xsi:type=\"xs:decimal\"></Value>",
        "<Value xsi:type=\"xs:decimal\">0</Value>",
    ] {
        assert!(reply.contains(text), "{text}");
    }
}

#[tokio::test]
async fn a_reply_of_many_rows_is_streamed() {
    let settings = Settings { opened_every_ms: 100, ..Settings::default() };
    let upstream = upstream(settings).await;
    let mut answer = post(&upstream, envelope("1.2", HISTORY, &WINDOW)).await.unwrap();
    assert_eq!(answer.content_length(), None);
    let mut bytes = 0;
    // It would be two gigabytes.
    while let Some(chunk) = answer.chunk().await.unwrap() {
        bytes += chunk.len();
        if bytes > 2 << 20 {
            return;
        }
    }
    panic!("only {bytes} bytes came");
}

#[tokio::test]
async fn the_reply_has_the_version_of_the_request_unless_it_is_set() {
    let upstream = upstream(Settings::default()).await;
    for (set, sent, expected) in [
        (serde_json::json!(null), "1.1", "http://schemas.xmlsoap.org/soap/envelope/"),
        (serde_json::json!(null), "1.2", "http://www.w3.org/2003/05/soap-envelope"),
        (serde_json::json!("1.1"), "1.2", "http://schemas.xmlsoap.org/soap/envelope/"),
    ] {
        upstream.change_settings(&serde_json::json!({ "answers_as": set })).unwrap();
        let answer = post(&upstream, envelope(sent, OPENED, &[])).await.unwrap();
        assert!(answer.text().await.unwrap().contains(expected), "{set} {sent}");
    }
}

#[tokio::test]
async fn without_the_right_login_nothing_is_told_or_counted() {
    let upstream = upstream(Settings::default()).await;
    let client = reqwest::Client::new();
    for (login, password) in [("partner", "пароль"), ("nobody", "пароль:1"), ("", "")] {
        let asked = client.post(upstream.url()).body(envelope("1.2", HISTORY, &WINDOW));
        let answer = asked.basic_auth(login, Some(password)).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{login}");
    }
    let answer = client.get(format!("{}?wsdl", upstream.url())).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(upstream.journal().calls().is_empty());
}
