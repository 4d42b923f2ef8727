//! Visitors, and what was done for them.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use talon_sdk::instant as instants;
use talon_sdk::record::{Extra, Text, word};

use super::{Mapper, flag, guarded, instant, number, plain, reference};
use crate::entity::{Consumer, ConsumerOperation, OperationState};
use crate::model::{ConsumerDto, LAST_STATES, STATES, Services, StateRow, Texts};

impl Mapper {
    pub(crate) fn consumer<'a>(&self, dto: ConsumerDto<'a>) -> Consumer<'a> {
        let personal = [
            ("comment", self.comment),
            ("pin_code", self.pin_code),
            ("photo", self.photo),
            // One that does not decode has comments inside.
            ("services", self.comments),
        ];
        let mut extra = guarded(dto.extra, &personal);
        Consumer {
            id: dto.id.0,
            prefix: plain(dto.prefix),
            number: number(dto.number),
            ticket: plain(dto.ticket),
            priority: number(dto.priority),
            registered_at: instant("registration", dto.registration, &mut extra),
            active: flag(dto.active),
            workplace_id: reference(dto.workplace_id),
            called_at: instant("last_call", dto.last_call, &mut extra),
            postponed_until: instant("postpone_to", dto.postpone_to, &mut extra),
            may_call: flag(dto.may_call),
            state: state(dto.state),
            state_changed_at: instant("state_changed", dto.state_changed, &mut extra),
            vanish_count: number(dto.vanish_count),
            comment: self.personal(self.comment, dto.comment),
            pin_code: self.personal(self.pin_code, dto.pin_code),
            photo: self.personal(self.photo, dto.photo),
            operations: self.operations_of(dto.services.unwrap_or_default(), &mut extra),
            updated_at: instant("last_update", dto.last_update, &mut extra),
            workplace: dto.workplace.map(|workplace| workplace.get().into()),
            extra,
        }
    }

    fn operations_of<'a>(
        &self,
        services: Services<'a>,
        extra: &mut Extra<'a>,
    ) -> Vec<ConsumerOperation<'a>> {
        let mut all = Vec::new();
        for (service, stages) in services {
            for (stage, operations) in stages {
                for (operation, dto) in operations {
                    let ids = (service.parse(), stage.parse(), operation.parse());
                    let (Ok(service_id), Ok(stage), Ok(operation_id)) = ids else {
                        let state = plain(dto.state).unwrap_or_default();
                        let place = format!("services.{service}.{stage}.{operation}");
                        extra.keep(place, serde_json::Value::from(&*state).to_string());
                        continue;
                    };
                    let comments = match dto.comment {
                        None => Vec::new(),
                        Some(Texts::One(text)) => vec![text],
                        Some(Texts::Many(texts)) => texts,
                    };
                    let shown = |text| self.personal(self.comments, Some(text));
                    all.push(ConsumerOperation {
                        service_id,
                        stage,
                        operation_id,
                        state: state(dto.state),
                        user_id: reference(dto.user_id),
                        comments: comments.into_iter().filter_map(shown).collect(),
                        extra: guarded(dto.extra, &[("comment", self.comments)]),
                    });
                }
            }
        }
        all.sort_by_key(|one| (one.service_id, one.stage, one.operation_id));
        all
    }

    /// `None` where a level is missing.
    pub(crate) fn operation_state<'a>(&self, row: StateRow<'a>) -> Option<OperationState<'a>> {
        let (now, operation, stage) = (row.state?, row.operation?, row.stage?);
        let (service, visit) = (row.service?, row.visit?);
        let mut extra = guarded(now.extra, &[("comment", self.comment)]);
        for (level, fields) in [
            ("operation", operation.extra),
            ("stage", stage.extra),
            ("service", service.extra),
            ("visit", visit.extra),
        ] {
            for (name, json) in fields.0 {
                extra.keep(format!("{level}.{name}"), json);
            }
        }
        let done_at = instant("visit.done", visit.done, &mut extra);
        let next = row.next.and_then(|next| next.time_in);
        // Of the state that follows, which is a row of its own.
        let left = next.and_then(|next| instants::micros(&next.0, &TimeZone::UTC));
        let is_last =
            now.state.as_ref().is_some_and(|state| LAST_STATES.contains(&state.0.as_ref()));
        Some(OperationState {
            consumer_id: visit.consumer_id.0,
            service_id: service.service_id.0,
            stage: stage.priority.0,
            operation_id: operation.operation_id.0,
            index: row.index.0,
            state: state(now.state),
            entered_at: instant("time_in", now.time_in, &mut extra),
            left_at: left.or(done_at.filter(|_| !is_last)),
            user_id: reference(now.user_id),
            workplace_id: reference(now.workplace_id),
            comment: self.personal(self.comment, now.comment),
            ticket: plain(visit.ticket),
            registered_at: instant("visit.registration", visit.registration, &mut extra),
            done_at,
            service_priority: number(service.priority),
            service_registered_at: instant(
                "service.registration",
                service.registration,
                &mut extra,
            ),
            stage_registered_at: instant("stage.registration", stage.registration, &mut extra),
            operation_registered_at: instant(
                "operation.registration",
                operation.registration,
                &mut extra,
            ),
            regulated_seconds: number(operation.regulated_sec),
            danger_seconds: number(operation.danger_sec),
            extra,
            service_name: plain(service.name),
            operation_name: plain(operation.name),
        })
    }
}

fn state(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|text| word(text.0, STATES))
}
