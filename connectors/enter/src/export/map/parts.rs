//! What tickets are made of: services, operators, data fields, stamps.

use std::borrow::Cow;

use talon_sdk::instant;
use talon_sdk::privacy::Policy;
use talon_sdk::record::{Extra, Text, steady};

use super::mapper::Mapper;
use crate::export::entity::{DataField, Operator, Product, SourceInfo, Workplace};
use crate::export::model::{
    Codes, FieldDto, PRODUCT_STATES, ProductDto, SOURCE_TYPES, SourceInfoDto, TimeZoneDto, UserDto,
    WorkplaceDto,
};
use crate::export::zone::Zone;

impl Mapper {
    pub(super) fn product<'a>(&self, zone: &Zone, dto: ProductDto<'a>) -> Product<'a> {
        let mut extra = self.extra(dto.extra);
        let mut at = |name, text| at(zone, name, text, &mut extra);
        let (created_at, created_local) = at("CreatedTime", dto.created_time.or(dto.created));
        let (starts_at, starts_local) = at("StartTime", dto.start_time);
        let (queued_at, queued_local) = at("InQueueStartTime", dto.in_queue_start_time);
        let (first_invited_at, first_invited_local) =
            at("InvitedStartTime", dto.invited_start_time);
        let (first_operated_at, first_operated_local) =
            at("OperatingStartTime", dto.operating_start_time);
        let (ended_at, ended_local) = at("EndTime", dto.end_time);
        let (product_id, name, product_integration_id) = match dto.product {
            Some(product) => {
                extra.0.extend(product.extra.0);
                (product.id, product.name, product.integration_id)
            }
            None => (dto.product_id, dto.name, dto.product_integration_id),
        };
        let mut fields = if self.data_fields { dto.fields } else { Vec::new() };
        fields.sort_by(|a, b| {
            let key = |dto: &FieldDto<'a>| {
                let text = |text: &Option<Text<'a>>| text.as_ref().map(|text| text.0.clone());
                (text(&dto.field_type_id), text(&dto.id))
            };
            key(a).cmp(&key(b))
        });
        Product {
            id: dto.id.0.0,
            product_id: plain(product_id),
            product_integration_id: plain(product_integration_id),
            name: plain(name),
            state_code: dto.state,
            state: named(dto.state, &PRODUCT_STATES),
            is_booked: dto.is_pending,
            created_at,
            created_local,
            starts_at,
            starts_local,
            queued_at,
            queued_local,
            first_invited_at,
            first_invited_local,
            first_operated_at,
            first_operated_local,
            ended_at,
            ended_local,
            awaiting_seconds: dto.awaiting_duration.map(steady),
            operating_seconds: dto.operating_duration.map(steady),
            workplace: dto.workplace.map(place),
            operator: dto.user.map(|user| self.operator(user)),
            fields: fields.into_iter().map(|field| self.field(field)).collect(),
            extra,
        }
    }

    pub(super) fn operator<'a>(&self, dto: UserDto<'a>) -> Operator<'a> {
        let privacy = &self.personal.privacy;
        Operator {
            id: plain(dto.id),
            login: privacy.text(self.login, plain(dto.login)),
            given_name: privacy.text(self.given_name, plain(dto.name)),
            surname: privacy.text(self.surname, plain(dto.surname)),
            integration_id: plain(dto.integration_id),
            // Whatever else is known of a person is personal too.
            extra: if self.shows_operators() { dto.extra } else { Extra::default() },
        }
    }

    fn field<'a>(&self, dto: FieldDto<'a>) -> DataField<'a> {
        let by_type = dto
            .field_type_id
            .as_ref()
            .and_then(|id| self.personal.field_types.get(&*id.0.to_lowercase()).copied());
        let policy = by_type.unwrap_or(self.value);
        DataField {
            id: plain(dto.id),
            field_type_id: plain(dto.field_type_id),
            name: plain(dto.name),
            value: self.personal.privacy.text(policy, plain(dto.value)),
            extra: if policy == Policy::Keep { dto.extra } else { Extra::default() },
        }
    }

    fn shows_operators(&self) -> bool {
        [self.login, self.given_name, self.surname].iter().all(|policy| *policy == Policy::Keep)
    }

    /// Personal values of another type than declared end up in `extra`, where the policy holds too.
    pub(super) fn extra<'a>(&self, mut extra: Extra<'a>) -> Extra<'a> {
        let keeps_fields = self.data_fields
            && self.value == Policy::Keep
            && self.personal.field_types.values().all(|policy| *policy == Policy::Keep);
        for (name, json) in &mut extra.0 {
            let is_kept = match &**name {
                "User" => self.shows_operators(),
                "Fields" => keeps_fields,
                // Both stand inside these.
                "History" => self.shows_operators(),
                "Products" => self.shows_operators() && keeps_fields,
                _ => true,
            };
            if !is_kept {
                *json = Cow::Borrowed("\"****\"");
            }
        }
        extra
    }
}

/// An instant and its text as it came; a text that is no instant goes to `extra` too.
pub(super) fn at<'a>(
    zone: &Zone,
    name: &'static str,
    text: Option<Text<'a>>,
    extra: &mut Extra<'a>,
) -> (Option<i64>, Option<Cow<'a, str>>) {
    let micros = text.as_ref().and_then(|text| instant::micros(&text.0, &zone.zone));
    stamped(name, micros, text, extra)
}

/// The same where the instant is known.
pub(super) fn stamped<'a>(
    name: &'static str,
    micros: Option<i64>,
    text: Option<Text<'a>>,
    extra: &mut Extra<'a>,
) -> (Option<i64>, Option<Cow<'a, str>>) {
    if let (None, Some(Text(text))) = (micros, &text)
        && !instant::is_none(text)
    {
        extra.keep_text(name, text);
    }
    (micros, plain(text))
}

/// Products in the order of their creation.
pub(super) fn in_order<'a>(mut products: Vec<ProductDto<'a>>, zone: &Zone) -> Vec<ProductDto<'a>> {
    if products.len() > 1 {
        products.sort_by_cached_key(|dto| {
            let created = dto.created_time.as_ref().or(dto.created.as_ref());
            let at = created.and_then(|text| instant::micros(&text.0, &zone.zone));
            (at, dto.id.0.0.clone())
        });
    }
    products
}

/// What else is said of a branch, with the whole of its zone.
pub(super) fn of_branch<'a>(mut extra: Extra<'a>, zone: Option<TimeZoneDto<'a>>) -> Extra<'a> {
    let Some(TimeZoneDto { id, name, utc_offset, extra: others }) = zone else { return extra };
    extra.0.extend(others.0);
    for (field, text) in
        [("TimeZone.Id", id), ("TimeZone.Name", name), ("TimeZone.UtcOffset", utc_offset)]
    {
        if let Some(text) = text {
            extra.keep_text(field, &text.0);
        }
    }
    extra
}

pub(super) fn source_info(dto: SourceInfoDto<'_>) -> SourceInfo<'_> {
    SourceInfo {
        id: plain(dto.id),
        name: plain(dto.name),
        type_code: dto.kind,
        r#type: named(dto.kind, &SOURCE_TYPES),
        extra: dto.extra,
    }
}

/// From the old method, which says only its id.
pub(super) fn source_of(id: Text<'_>) -> SourceInfo<'_> {
    SourceInfo {
        id: Some(id.0),
        name: None,
        type_code: None,
        r#type: None,
        extra: Extra::default(),
    }
}

pub(super) fn place(dto: WorkplaceDto<'_>) -> Workplace<'_> {
    Workplace {
        id: plain(dto.id),
        name: plain(dto.name),
        client_id: plain(dto.client_id),
        integration_id: plain(dto.integration_id),
        extra: dto.extra,
    }
}

pub(super) fn plain(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|text| text.0)
}

pub(super) fn named(code: Option<i64>, names: &Codes) -> Option<Cow<'static, str>> {
    code.map(|code| names.name(code))
}
