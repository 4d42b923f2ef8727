use talon_sdk::entity::{How, Instant, Record};
use talon_sdk::privacy::Policy;
use talon_sdk::record::{Extra, Text};

/// A message about a call. A message is told once; an update says that the upstream has edited it. Upstream: CallMessageDTO.
#[derive(Record)]
#[record(name = "CallMessage", namespace = "talon.contractor", finish = Message::take_owner)]
pub(crate) struct Message<'a> {
    /// Key.
    #[from("id")]
    pub(crate) id: i64,
    #[from("callId")]
    call_id: Option<i64>,
    /// Upstream: date.
    #[from("date")]
    pub(crate) written_at: Option<Instant<'a>>,
    #[from("message")]
    #[record(pii)]
    message: Option<Text<'a>>,
    #[from("owner")]
    #[record(hidden)]
    owner: Option<User<'a>>,
    /// The user who wrote it; null: the external (dispatcher) system did.
    #[record(made)]
    owner_id: Option<i64>,
    extra: Extra<'a>,
    /// As the user was called when this was read; another name alone is no change.
    #[record(made, pii, volatile)]
    owner_name: Option<Text<'a>>,
    /// Opaque mark of data actuality; a new mark alone is no change. Upstream: timestamp.
    #[from("timestamp")]
    #[record(volatile)]
    mark: Option<i64>,
}

impl Message<'_> {
    fn take_owner(&mut self, how: &How<'_>) {
        let Some(owner) = self.owner.take() else { return };
        (self.owner_id, self.owner_name) = (owner.id, owner.name);
        // Whatever else is known of a person is personal too.
        if how.policy("owner_name") == Policy::Keep {
            self.extra.take_beside("owner", owner.extra);
        }
    }
}

/// UserDTO.
#[derive(Record)]
struct User<'a> {
    #[from("id")]
    id: Option<i64>,
    #[from("name")]
    #[record(name = "owner_name", pii)]
    name: Option<Text<'a>>,
    extra: Extra<'a>,
}
