//! `CreateCall`.
//!
//! The upstream has no field for an id of the sender's. So that a call can be found again after a
//! lost reply, a marker made from the command's id is put into a description.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use talon_http::order::{Field, Order};
use talon_sdk::action::Unseen;
use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, OrderingKey, Repeat, instant};

use super::action::Action;
use super::config::Marker;
use super::messages::{FeedMark, Likeness, feed_mark, found, judge_rows};
use super::scene::{Modifications, Scene, Who};
use crate::client::Modified;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallRow {
    id: i64,
    created: Option<String>,
    client_name: Option<String>,
    service_object_name: Option<String>,
    description_html_text: Option<String>,
    description_text_for_field_employee: Option<String>,
}

/// Where the feed stood before sending, and the call that has this command's marker already: an
/// earlier attempt of it took effect after it was given up.
#[derive(Serialize, Deserialize)]
pub(super) struct CallsMark {
    #[serde(flatten)]
    feed: FeedMark,
    ours: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct CreateCall {
    client_name: String,
    owner_id: i64,
    created_at: i64,
    description_html: String,
    description_for_field_employee: String,
    service_object_name: String,
    service_object_address: String,
    service_object_latitude: f64,
    service_object_longitude: f64,
    tasks: Vec<String>,
    available_expenditure_items: Vec<String>,
    service_object_type: Option<String>,
    contact_person_name: Option<String>,
    contact_person_email: Option<String>,
    contact_person_phone: Option<String>,
    critical: Option<bool>,
    resolution_due_at: Option<i64>,
    arrival_due_at: Option<i64>,
}

/// Tells a call from all others, and nothing of the command but that it is this one.
pub(super) fn marker(command_id: &str) -> String {
    let hash = Sha256::new().chain_update("talon command ").chain_update(command_id).finalize();
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("talon:{hex}")
}

impl CreateCall {
    fn likeness(&self, scene: &Scene<'_>, row: &CallRow) -> Likeness {
        let marker = marker(&scene.command.id);
        let has = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(&marker));
        if has(&row.description_html_text) || has(&row.description_text_for_field_employee) {
            return Likeness::Same;
        }
        // Without the marker it may be ours, if the upstream takes markers out, or there is none, or
        // somebody else's: the upstream does not say.
        let created = row.created.as_deref();
        let created = created.and_then(|date| instant::micros(date, &scene.sender.zone));
        let near = row.client_name.as_deref().map(str::trim) == Some(self.client_name.trim())
            && row.service_object_name.as_deref().map(str::trim)
                == Some(self.service_object_name.trim())
            && created.is_none_or(|at| at.abs_diff(self.created_at) < 1_000_000);
        if near { Likeness::Near } else { Likeness::None }
    }
}

impl Action for CreateCall {
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /call",
        probe: "the call with the command's marker in the modification feed, from the mark before sending",
        ..CommandSpec::of("CreateCall", OrderingKey::Own, Repeat::Never)
    };
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] =
        &[Field::Id("id"), Field::Token("number"), Field::Instant("created"), Field::Ids("tasks")];
    type Seen = Modifications<CallRow>;
    type Mark = CallsMark;

    async fn see(
        &self,
        scene: &Scene<'_>,
        before: Option<&CallsMark>,
    ) -> Result<Modifications<CallRow>, Unseen> {
        scene.modified_since(Modified::Calls, before.map(|before| before.feed.mark)).await
    }

    fn mark(&self, scene: &Scene<'_>, seen: Modifications<CallRow>) -> CallsMark {
        let likeness = |row: &CallRow| self.likeness(scene, row);
        let ours = seen.rows.iter().find(|row| likeness(row) == Likeness::Same);
        CallsMark { ours: ours.map(|row| row.id), feed: feed_mark(&seen, |row| row.id, likeness) }
    }

    fn judge(&self, scene: &Scene<'_>, before: &CallsMark, now: Modifications<CallRow>) -> Finding {
        match self.done_before(before) {
            Some(answer) => Finding::Applied(answer),
            None => judge_rows(&before.feed, &now, |row| row.id, |row| self.likeness(scene, row)),
        }
    }

    fn done_before(&self, before: &CallsMark) -> Option<Answer> {
        before.ours.map(found)
    }

    async fn order(&self, scene: &Scene<'_>) -> Result<Order, ApplyFault> {
        let (mut html, mut text) =
            (self.description_html.clone(), self.description_for_field_employee.clone());
        let marker = marker(&scene.command.id);
        match scene.sender.marker {
            Marker::Off => {}
            Marker::Html => html += &format!("<!-- {marker} -->"),
            Marker::Text => text += &format!("\n[{marker}]"),
        }
        let mut body = json!({
            "clientName": self.client_name,
            "ownerId": self.owner_id,
            "created": scene.date(self.created_at)?,
            "descriptionHtmlText": html,
            "descriptionTextForFieldEmployee": text,
            "serviceObjectName": self.service_object_name,
            "serviceObjectAddress": self.service_object_address,
            "serviceObjectLatitude": self.service_object_latitude,
            "serviceObjectLongitude": self.service_object_longitude,
            "tasks": self.tasks.iter().map(|title| json!({ "title": title })).collect::<Vec<_>>(),
            "availableExpenditureItems": self.available_expenditure_items.iter()
                .map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        });
        let due = |at: Option<i64>| at.map(|at| scene.date(at)).transpose();
        let optional = [
            ("serviceObjectType", self.service_object_type.clone()),
            ("contactPersonName", self.contact_person_name.clone()),
            ("contactPersonEmail", self.contact_person_email.clone()),
            ("contactPersonPhone", self.contact_person_phone.clone()),
            ("ttf", due(self.resolution_due_at)?),
            ("tto", due(self.arrival_due_at)?),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                body[name] = value.into();
            }
        }
        if let Some(critical) = self.critical {
            body["critical"] = critical.into();
        }
        Ok(Order::plain(Self::SPEC.call).json(&body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_the_same_for_one_command_and_shows_nothing_of_its_id() {
        let phone = "call of +79001234567";
        assert_eq!(marker(phone), marker(phone));
        assert_ne!(marker(phone), marker("another"));
        assert_eq!(marker(phone).len(), "talon:".len() + 32);
        assert!(!marker(phone).contains("7900"));
    }
}
