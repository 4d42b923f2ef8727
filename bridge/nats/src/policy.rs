//! The policy for streams that exist: what they must be like, so that the guarantees hold on them.

use async_nats::jetstream::stream::{
    Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType,
};

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Feeds,
    DeadLetters,
    Checkpoints,
    Commands,
    Results,
    /// What is configured at run time, or states.
    Store,
}

impl Role {
    /// What is gone if the stream is.
    pub(crate) fn content(self) -> &'static str {
        match self {
            Role::Feeds => "what was published",
            Role::DeadLetters => "the dead letters",
            Role::Checkpoints => "how far the feeds have read",
            Role::Commands => "the commands that were not settled",
            Role::Results => "what became of the commands",
            Role::Store => "what was configured at run time, or the states",
        }
    }

    /// What an operator accepts who has it made again.
    pub(crate) fn loss(self) -> &'static str {
        match self {
            Role::Feeds => "everything is published again as new",
            Role::DeadLetters | Role::Commands | Role::Store => "they are lost",
            Role::Checkpoints => "all feeds are read again",
            Role::Results => "a command that is sent again is applied again",
        }
    }
}

/// What breaks a guarantee in the settings of an existing stream, each a sentence with the reason.
/// `wanted` is how it would be created.
pub(crate) fn violations(role: Role, found: &Config, wanted: &Config) -> Vec<String> {
    let mut violations = Vec::new();
    let mut refuse = |wrong: bool, why: String| {
        if wrong {
            violations.push(why);
        }
    };
    for subject in &wanted.subjects {
        refuse(
            !found.subjects.iter().any(|pattern| covers(pattern, subject)),
            format!("`subjects` does not cover `{subject}`, so its records would be refused"),
        );
    }
    refuse(
        found.mirror.is_some() || found.sources.as_ref().is_some_and(|sources| !sources.is_empty()),
        "it is a mirror or has `sources`, so it holds records that Talon did not publish"
            .to_owned(),
    );
    refuse(
        found.subject_transform.is_some(),
        "it has a `subject_transform`, so an entity's records are not under its subject".to_owned(),
    );
    refuse(
        found.storage != StorageType::File,
        "`storage` is memory: a restart of the server would lose what was published".to_owned(),
    );
    refuse(
        found.persist_mode == Some(PersistenceMode::Async),
        "`persist_mode` is async: a crash of the server would lose what it has acknowledged"
            .to_owned(),
    );
    refuse(found.no_ack, "`no_ack` is set: nothing tells whether a record is stored".to_owned());
    refuse(found.sealed, "it is sealed, so nothing can be published".to_owned());
    refuse(
        found.retention != RetentionPolicy::Limits,
        "`retention` is not limits: records vanish when consumers have read them".to_owned(),
    );
    refuse(
        found.allow_message_counter,
        "`allow_msg_counter` is set: it takes counters, not events".to_owned(),
    );
    if role == Role::DeadLetters {
        return violations;
    }
    refuse(
        found.subject_delete_marker_ttl.is_some_and(|ttl| !ttl.is_zero()),
        "`subject_delete_marker_ttl` is set: the server's own records could not be told from those of another process".to_owned(),
    );
    let drops = found.discard == DiscardPolicy::Old
        && (found.max_messages > 0 || found.max_bytes > 0 || found.max_messages_per_subject > 0);
    if role == Role::Commands {
        refuse(
            drops,
            "`discard` is old with a limit: a full stream would drop commands instead of refusing new ones".to_owned(),
        );
        return violations;
    }
    if role == Role::Results {
        refuse(
            drops || found.max_messages_per_subject > 0,
            "it has a limit beside its age: what became of a command could be forgotten too early"
                .to_owned(),
        );
        return violations;
    }
    refuse(
        !found.max_age.is_zero(),
        "`max_age` is set: entities that do not change for so long would vanish, and be published as new"
            .to_owned(),
    );
    refuse(
        found.discard == DiscardPolicy::Old && (found.max_messages > 0 || found.max_bytes > 0),
        "`discard` is old with a limit: a full stream would drop the state of entities instead of refusing new records".to_owned(),
    );
    refuse(
        found.discard_new_per_subject && found.max_messages_per_subject > 0,
        "`discard_new_per_subject` is set: an entity could not change any more after so many records".to_owned(),
    );
    if role == Role::Feeds {
        refuse(
            found.max_messages_per_subject == 1,
            "`max_msgs_per_subject` is 1: the marker behind a delete would push the delete out before anyone read it".to_owned(),
        );
        refuse(
            found.duplicate_window < wanted.duplicate_window,
            format!(
                "`duplicate_window` is {} ms, less than `bus.nats.duplicate.window.ms` ({} ms): a record sent again after a lost connection could be stored twice",
                found.duplicate_window.as_millis(),
                wanted.duplicate_window.as_millis(),
            ),
        );
    }
    violations
}

/// Whether every subject of `inner` is one of `pattern`.
pub(crate) fn covers(pattern: &str, inner: &str) -> bool {
    let (mut outer, mut inner) = (pattern.split('.'), inner.split('.'));
    loop {
        match (outer.next(), inner.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wanted() -> Config {
        Config {
            name: "TALON_field".to_owned(),
            subjects: vec!["talon.field.call.>".to_owned()],
            discard: DiscardPolicy::New,
            max_messages_per_subject: 64,
            duplicate_window: Duration::from_secs(120),
            ..Config::default()
        }
    }

    #[test]
    fn what_talon_creates_breaks_nothing() {
        for role in [Role::Feeds, Role::DeadLetters, Role::Checkpoints, Role::Store] {
            assert_eq!(violations(role, &wanted(), &wanted()), [""; 0]);
        }
    }

    #[test]
    fn every_setting_that_breaks_a_guarantee_is_named() {
        type Change = fn(&mut Config);
        let table: [(&str, Change); 15] = [
            ("`subjects`", |c| c.subjects = vec!["talon.field.ticket.>".to_owned()]),
            ("`sources`", |c| c.mirror = Some(Default::default())),
            ("`sources`", |c| c.sources = Some(vec![Default::default()])),
            ("`storage`", |c| c.storage = StorageType::Memory),
            ("`persist_mode`", |c| c.persist_mode = Some(PersistenceMode::Async)),
            ("`no_ack`", |c| c.no_ack = true),
            ("sealed", |c| c.sealed = true),
            ("`retention`", |c| c.retention = RetentionPolicy::WorkQueue),
            ("`allow_msg_counter`", |c| c.allow_message_counter = true),
            ("`max_age`", |c| c.max_age = Duration::from_secs(1)),
            ("`discard`", |c| {
                c.discard = DiscardPolicy::Old;
                c.max_bytes = 1;
            }),
            ("`discard_new_per_subject`", |c| c.discard_new_per_subject = true),
            ("`subject_delete_marker_ttl`", |c| {
                c.subject_delete_marker_ttl = Some(Duration::from_secs(1));
            }),
            ("`max_msgs_per_subject`", |c| c.max_messages_per_subject = 1),
            ("`duplicate_window`", |c| c.duplicate_window = Duration::from_secs(1)),
        ];
        for (name, change) in table {
            let mut found = wanted();
            change(&mut found);
            let violations = violations(Role::Feeds, &found, &wanted());
            assert_eq!(violations.len(), 1, "{name}: {violations:?}");
            assert!(violations[0].contains(name), "{name}: {violations:?}");
        }
    }

    #[test]
    fn dead_letters_may_be_kept_by_age_and_size() {
        let mut found = wanted();
        found.max_age = Duration::from_secs(60);
        found.discard = DiscardPolicy::Old;
        found.max_messages = 10;
        assert_eq!(violations(Role::DeadLetters, &found, &wanted()), [""; 0]);
        assert_eq!(violations(Role::Checkpoints, &found, &wanted()).len(), 2);
    }

    #[test]
    fn a_pattern_covers_what_all_match() {
        for (pattern, inner, expected) in [
            ("a.b.>", "a.b.>", true),
            ("a.>", "a.b.>", true),
            (">", "a.b.>", true),
            ("a.*.>", "a.b.>", true),
            ("a.*.*", "a.b.>", false),
            ("a.b", "a.b", true),
            ("a.*", "a.b", true),
            ("a.b.>", "a.b", false),
            ("a.b.c.>", "a.b.>", false),
            ("a.b.*", "a.b.>", false),
        ] {
            assert_eq!(covers(pattern, inner), expected, "{pattern} {inner}");
        }
    }
}
