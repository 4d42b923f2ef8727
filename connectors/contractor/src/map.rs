//! From what the upstream sends to entities: names, instants, order, personal data.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use talon_schemas::{Contract, contractor as contracts};
use talon_sdk::instant;
use talon_sdk::privacy::{Policy, Privacy};
use talon_sdk::record::{Extra, Text, steady, word};

use crate::entity::{
    Attachment, Call, Cost, ExpenditureItem, Expense, Jeopardy, Material, Message, Task,
};
use crate::model::{
    AttachmentDto, CallDto, CostOfCall, ExpenditureItemDto, ExpenseDto, JeopardyDto, MaterialDto,
    MessageDto, TaskDto, words,
};

/// Maps rows under one configuration.
#[derive(Debug)]
pub(crate) struct Mapper {
    zone: TimeZone,
    privacy: Privacy,
    personal: Personal,
}

macro_rules! personal {
    ($($field:ident = $upstream:literal),* $(,)?) => {
        /// The policy of each field that a schema marks as personal.
        #[derive(Debug)]
        struct Personal {
            $($field: Policy,)*
        }

        impl Personal {
            fn of(privacy: &Privacy) -> Personal {
                Personal { $($field: privacy.field(stringify!($field)),)* }
            }

            /// The policy of a field by the upstream's name of it.
            fn upstream(&self, name: &str) -> Policy {
                match name {
                    $($upstream => self.$field,)*
                    // A list of them that does not decode.
                    "jeopardies" if self.comment != Policy::Keep => self.comment,
                    "jeopardies" => self.answer_comment,
                    _ => Policy::Keep,
                }
            }
        }
    };
}

personal! {
    contact_person_name = "contactPersonName",
    contact_person_email = "contactPersonEmail",
    contact_person_phone = "contactPersonPhone",
    service_object_address = "serviceObjectAddress",
    service_object_latitude = "serviceObjectLatitude",
    service_object_longitude = "serviceObjectLongitude",
    comments = "comments",
    description_html = "descriptionHtmlText",
    description_for_field_employee = "descriptionTextForFieldEmployee",
    comment = "comment",
    answer_comment = "answerComment",
    message = "message",
    owner_name = "owner",
}

/// All contracts of the connector.
pub(crate) fn all_contracts() -> [&'static Contract; 5] {
    [
        &contracts::CALL,
        &contracts::CALL_MESSAGE,
        &contracts::CALL_JEOPARDY,
        &contracts::CALL_TASK,
        &contracts::CALL_COST,
    ]
}

impl Mapper {
    pub(crate) fn new(zone: TimeZone, privacy: Privacy) -> Mapper {
        let personal = Personal::of(&privacy);
        Mapper { zone, privacy, personal }
    }

    /// An instant; a text that is none goes to `extra`.
    fn instant<'a>(
        &self,
        name: &'static str,
        text: Option<Text<'a>>,
        extra: &mut Extra<'a>,
    ) -> Option<i64> {
        let text = text?.0;
        let micros = instant::micros(&text, &self.zone);
        if micros.is_none() && !instant::is_none(&text) {
            extra.keep_text(name, &text);
        }
        micros
    }

    fn personal<'a>(&self, policy: Policy, text: Option<Text<'a>>) -> Option<Cow<'a, str>> {
        self.privacy.text(policy, plain(text))
    }

    fn place(&self, policy: Policy, degrees: Option<f64>) -> Option<f64> {
        self.privacy.number(policy, degrees.map(steady))
    }

    /// A personal field of another type than declared ends up in `extra`, where the policy holds too.
    fn extra<'a>(&self, mut extra: Extra<'a>) -> Extra<'a> {
        extra.0.retain(|name, _| self.personal.upstream(name) != Policy::Drop);
        for (name, json) in &mut extra.0 {
            if self.personal.upstream(name) != Policy::Keep {
                *json = Cow::Borrowed("\"****\"");
            }
        }
        extra
    }

    pub(crate) fn call<'a>(&self, dto: CallDto<'a>) -> Call<'a> {
        let mut extra = self.extra(dto.extra);
        let policy = &self.personal;
        Call {
            id: dto.id,
            number: plain(dto.number),
            status: named(dto.status, words::CALL_STATUS),
            owner_id: dto.user_id,
            critical: dto.critical,
            created_at: self.instant("created", dto.created, &mut extra),
            committed_at: self.instant("commited", dto.commited, &mut extra),
            finished_at: self.instant("finished", dto.finished, &mut extra),
            resolution_due_at: self.instant("ttf", dto.ttf, &mut extra),
            arrival_due_at: self.instant("tto", dto.tto, &mut extra),
            client_name: plain(dto.client_name),
            contact_person_name: self.personal(policy.contact_person_name, dto.contact_person_name),
            contact_person_email: self
                .personal(policy.contact_person_email, dto.contact_person_email),
            contact_person_phone: self
                .personal(policy.contact_person_phone, dto.contact_person_phone),
            service_object_name: plain(dto.service_object_name),
            service_object_type: plain(dto.service_object_type),
            service_object_address: self
                .personal(policy.service_object_address, dto.service_object_address),
            service_object_latitude: self
                .place(policy.service_object_latitude, dto.service_object_latitude),
            service_object_longitude: self
                .place(policy.service_object_longitude, dto.service_object_longitude),
            comments: self.personal(policy.comments, dto.comments),
            description_html: self.personal(policy.description_html, dto.description_html),
            description_for_field_employee: self.personal(
                policy.description_for_field_employee,
                dto.description_for_field_employee,
            ),
            tasks: in_order(dto.tasks, |task| Some(task.id), |task| self.task(task)),
            jeopardies: in_order(dto.jeopardies, |risk| Some(risk.id), |risk| self.jeopardy(risk)),
            available_expenditure_items: in_order(
                dto.available_expenditure_items,
                |item| item.id,
                |ExpenditureItemDto { id, name, extra }| ExpenditureItem {
                    id,
                    name: plain(name),
                    extra,
                },
            ),
            extra,
            mark: dto.timestamp,
        }
    }

    pub(crate) fn task<'a>(&self, dto: TaskDto<'a>) -> Task<'a> {
        let mut extra = dto.extra;
        let attachments = match dto.result {
            None => Vec::new(),
            Some(result) => {
                extra.0.extend(result.extra.0);
                in_order(result.attachments, |file| file.id, |file| self.attachment(file))
            }
        };
        Task {
            id: dto.id,
            title: plain(dto.title),
            status: named(dto.status, words::TASK_STATUS),
            attachments,
            extra,
        }
    }

    fn attachment<'a>(&self, dto: AttachmentDto<'a>) -> Attachment<'a> {
        let mut extra = dto.extra;
        Attachment {
            id: dto.id,
            name: plain(dto.name),
            blob_service_file_name: plain(dto.blob_service_file_name),
            r#type: named(dto.kind, words::ATTACHMENT),
            uploaded_at: self.instant("downloaded", dto.downloaded, &mut extra),
            extra,
        }
    }

    pub(crate) fn jeopardy<'a>(&self, dto: JeopardyDto<'a>) -> Jeopardy<'a> {
        let mut extra = self.extra(dto.extra);
        Jeopardy {
            id: dto.id,
            call_id: dto.call_id,
            raised_at: self.instant("date", dto.date, &mut extra),
            comment: self.personal(self.personal.comment, dto.comment),
            answered_at: self.instant("answerDate", dto.answer_date, &mut extra),
            answer_comment: self.personal(self.personal.answer_comment, dto.answer_comment),
            extra,
            mark: dto.timestamp,
        }
    }

    pub(crate) fn message<'a>(&self, dto: MessageDto<'a>) -> Message<'a> {
        let mut extra = self.extra(dto.extra);
        let (owner_id, owner_name) = dto.owner.map_or((None, None), |owner| {
            // Whatever else is known of a user is personal too.
            extra.0.extend(
                owner.extra.0.into_iter().filter(|_| self.personal.owner_name == Policy::Keep),
            );
            (owner.id, owner.name)
        });
        Message {
            id: dto.id,
            call_id: dto.call_id,
            written_at: self.instant("date", dto.date, &mut extra),
            message: self.personal(self.personal.message, dto.message),
            owner_id,
            owner_name: self.personal(self.personal.owner_name, owner_name),
            extra,
            mark: dto.timestamp,
        }
    }

    /// `None` where there is no estimate.
    pub(crate) fn cost<'a>(&self, row: CostOfCall<'a>) -> Option<Cost<'a>> {
        let dto = row.cost?;
        let mut extra = dto.extra;
        extra.0.extend(row.extra.0);
        Some(Cost {
            call_id: row.call_id,
            status: named(dto.status, words::COST_STATUS),
            expenses: in_order(dto.expenses, |item| item.id, expense),
            materials: in_order(dto.materials, |item| item.id, material),
            extra,
        })
    }
}

fn expense(dto: ExpenseDto<'_>) -> Expense<'_> {
    Expense {
        id: dto.id,
        expenditure_item_id: dto.expenditure_item_id,
        count: dto.count.map(steady),
        status: named(dto.status, words::ITEM_STATUS),
        extra: dto.extra,
    }
}

fn material(dto: MaterialDto<'_>) -> Material<'_> {
    Material {
        id: dto.id,
        name: plain(dto.name),
        serial_number: plain(dto.serial_number),
        owner_type: named(dto.owner_type, words::MATERIAL_OWNER),
        count: dto.count.map(steady),
        price: dto.price.map(steady),
        status: named(dto.status, words::ITEM_STATUS),
        extra: dto.extra,
    }
}

fn plain(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|text| text.0)
}

fn named<'a>(text: Option<Text<'a>>, known: &[&str]) -> Option<Cow<'a, str>> {
    text.map(|text| word(text.0, known))
}

/// Maps a list in the order of its ids: the upstream promises none, and another order is no change.
fn in_order<D, E>(
    mut list: Vec<D>,
    id: impl Fn(&D) -> Option<i64>,
    map: impl Fn(D) -> E,
) -> Vec<E> {
    list.sort_by_key(|item| id(item));
    list.into_iter().map(map).collect()
}
