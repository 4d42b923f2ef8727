use talon_sdk::privacy::Policy;

use crate::export::config::Personal;
use crate::export::zone::Zones;

/// Maps rows under one configuration.
#[derive(Debug)]
pub(crate) struct Mapper {
    pub(super) zones: Zones,
    pub(super) personal: Personal,
    pub(super) data_fields: bool,
    pub(super) login: Policy,
    pub(super) given_name: Policy,
    pub(super) surname: Policy,
    pub(super) value: Policy,
}

impl Mapper {
    pub(crate) fn new(zones: Zones, personal: Personal, data_fields: bool) -> Mapper {
        let policy = |name: &str| personal.privacy.field(name);
        let (login, given_name) = (policy("login"), policy("given_name"));
        let (surname, value) = (policy("surname"), policy("value"));
        Mapper { zones, personal, data_fields, login, given_name, surname, value }
    }
}
