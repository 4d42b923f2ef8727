//! Whether a schema registry answers, and if not, where one does.

use serde_json::Value as Json;

use super::answer::Answer;
use super::client::{Client, Request};
use crate::bus::BusFault;

/// Paths at which registries have Confluent's API.
const PATHS: [&str; 4] = ["/apis/ccompat/v7", "/apis/ccompat/v6", "/api/ccompat", ""];

/// What answers at an address.
#[derive(Debug)]
pub struct Seen {
    /// The address.
    pub url: String,
    /// What is wrong, if anything is.
    pub result: Result<(), BusFault>,
}

/// Looks at each address.
pub(super) async fn probe(client: &Client) -> Vec<Seen> {
    let mut all = Vec::new();
    for url in client.urls() {
        all.push(Seen { url: url.clone(), result: look(client, url).await });
    }
    all
}

async fn look(client: &Client, url: &str) -> Result<(), BusFault> {
    let answer = client.at(url, &Request::get("/subjects".to_owned())).await?;
    if is_list_of_names(&answer) {
        return Ok(());
    }
    match answer.status {
        // To list subjects is a right of its own.
        401 | 403 if has_types(client, url).await => Ok(()),
        200..=299 | 404 | 405 => Err(elsewhere(client, url, answer.status).await),
        _ => Err(answer.fault()),
    }
}

/// What only a registry answers to `GET /subjects`.
fn is_list_of_names(answer: &Answer) -> bool {
    let list = serde_json::from_slice::<Vec<String>>(&answer.body);
    answer.status == 200 && list.is_ok()
}

async fn has_types(client: &Client, url: &str) -> bool {
    let Ok(answer) = client.at(url, &Request::get("/schemas/types".to_owned())).await else {
        return false;
    };
    let types: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    answer.status == 200
        && types.as_array().is_some_and(|types| types.iter().any(|one| one == "AVRO"))
}

/// Something else answers at an address; looks for a registry near it.
async fn elsewhere(client: &Client, url: &str, status: u16) -> BusFault {
    let origin = origin(url);
    let near = PATHS.iter().flat_map(|path| [format!("{url}{path}"), format!("{origin}{path}")]);
    let mut asked = vec![url.to_owned()];
    for candidate in near {
        if asked.contains(&candidate) {
            continue;
        }
        let answer = client.at(&candidate, &Request::get("/subjects".to_owned())).await;
        if answer.is_ok_and(|answer| is_list_of_names(&answer)) {
            return BusFault::Misconfigured(format!(
                "what answers at `{url}` is no schema registry ({status}), but one answers at `{candidate}`; set `schema.registry.url` to that"
            ));
        }
        asked.push(candidate);
    }
    BusFault::Misconfigured(format!(
        "what answers at `{url}` is no schema registry ({status}); check host, port and path of `schema.registry.url`"
    ))
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find('/').map_or(url, |path| &url[..host + path])
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn the_origin_of_an_address_is_without_its_path() {
        for (url, of) in [
            ("http://one:8081", "http://one:8081"),
            ("https://one/apis/x", "https://one"),
            ("http://[::1]:8081/v7", "http://[::1]:8081"),
        ] {
            assert_eq!(origin(url), of);
        }
    }
}
