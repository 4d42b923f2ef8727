use std::borrow::Cow;
use std::collections::HashMap;

use talon_sdk::privacy::{Policy, Privacy};
use talon_sdk::record::{Extra, Text};

use super::parts::DataField;
use super::product::Product;

/// Policies for personal data, of data fields by their type too.
#[derive(Debug, Clone)]
pub(crate) struct Personal {
    pub(crate) privacy: Privacy,
    /// Whether data fields are shown at all.
    pub(crate) data_fields: bool,
    pub(crate) field_types: HashMap<String, Policy>,
}

impl Personal {
    /// Lets the policies of data fields hold in a service that has settled otherwise.
    pub(super) fn settle(&self, product: &mut Product<'_>) {
        if !self.data_fields {
            product.fields.clear();
        }
        product.fields.iter_mut().for_each(|field| self.field(field));
        self.guard("Fields", &mut product.extra);
    }

    fn field(&self, field: &mut DataField<'_>) {
        let id = field.field_type_id.as_ref();
        let by_type = id.and_then(|id| self.field_types.get(&*id.0.to_lowercase()).copied());
        let policy = by_type.unwrap_or_else(|| self.privacy.field("value"));
        let text = field.value.0.take().map(|text| text.0);
        field.value.0 = self.privacy.text(policy, text).map(Text);
        if policy != Policy::Keep {
            field.extra = Extra::default();
        }
    }

    /// Data fields of another type than declared end up in `extra`, where the policies hold too.
    pub(super) fn guard(&self, name: &str, extra: &mut Extra<'_>) {
        if let Some(json) = extra.0.get_mut(name)
            && !self.keeps_fields()
        {
            *json = Cow::Borrowed("\"****\"");
        }
    }

    fn keeps_fields(&self) -> bool {
        self.data_fields
            && self.privacy.field("value") == Policy::Keep
            && self.field_types.values().all(|policy| *policy == Policy::Keep)
    }
}
