//! `RegisterConsumer`: a visitor, found again by a marker in the comment.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use talon_sdk::action::{Action, Scene, Unseen};
use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, OrderingKey, Permit, Repeat};

use super::reading::{Reading, appeared, ids};
use super::sender::{Order, Sender};

#[derive(Deserialize)]
pub(super) struct RegisterConsumer {
    service_ids: Vec<i64>,
    priority: i64,
    pin_code: Option<String>,
    photo: Option<String>,
    print: bool,
    comment: Option<String>,
    preview: bool,
}

/// What a registered visitor is found by: a hash, because ids of commands are the sender's.
fn marker(command_id: &str) -> String {
    use md5::{Digest, Md5};
    let hash: String = Md5::digest(command_id).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[talon:{}]", &hash[..16])
}

impl Action for RegisterConsumer {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "registrateConsumer",
        probe: "the visitor whose comment has the command's marker",
        ..CommandSpec::of("RegisterConsumer", OrderingKey::Own, Repeat::Never)
    };
    /// The visitors with the marker.
    type Seen = Vec<i64>;
    type Mark = Vec<i64>;

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        _: Option<&Vec<i64>>,
    ) -> Result<Vec<i64>, Unseen> {
        let live = scene.sender.live().await?;
        let _asking = live.asking();
        let rows = Reading { live: &live, books: &scene.sender.books }.list("Consumer").await?;
        if !rows.iter().all(|row| row.get("comment").is_some()) {
            return Err(Unseen::Blind("this build shows no comments in its list".to_owned()));
        }
        let marker = marker(&scene.command.id);
        let has = |row: &&Value| row["comment"].as_str().is_some_and(|text| text.contains(&marker));
        Ok(ids(rows.iter().filter(has)))
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Vec<i64>) -> Vec<i64> {
        seen
    }

    fn judge(&self, _: &Scene<'_, Sender>, before: &Vec<i64>, now: Vec<i64>) -> Finding {
        appeared(before, &now)
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let comment = self.comment.as_deref().unwrap_or_default();
        let comment = format!("{comment} {}", marker(&scene.command.id));
        let mut data = json!({
            "services": self.service_ids,
            "priority": self.priority,
            "noprint": !self.print,
            "comment": comment.trim(),
        });
        for (name, text) in [("pin_code", &self.pin_code), ("photo", &self.photo)] {
            if let Some(text) = text {
                data[name] = json!(text);
            }
        }
        let order = Order { call: Self::SPEC.call, data, if_empty: None };
        let (frame, mut answer) = scene.sender.send(order, permit).await?;
        if self.preview {
            // The picture of the ticket, for who asked for it.
            let data: Value = serde_json::from_slice(&frame.data()).unwrap_or_default();
            let mut out: Map<String, Value> = answer
                .response
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default();
            out.extend(data.get("preview").map(|preview| ("preview".to_owned(), preview.clone())));
            answer.response = (!out.is_empty()).then(|| Value::Object(out).to_string());
        }
        Ok(answer)
    }
}
