//! Commands as the runtime makes them.

use serde_json::{Map, Value as Json};

use crate::{Class, Command, CommandSpec, OrderingKey};

/// A command with these parameters, as a sender gives them; or why the schema refuses them.
pub(super) fn command(
    class: &dyn Class,
    spec: &'static CommandSpec,
    params: &Json,
) -> Result<Command, String> {
    let commands = class.commands().ok_or("the class has no commands")?;
    let described = (commands.contract)().params(spec.name).ok_or("no schema describes it")?;
    let params = described.read(params).map_err(|problems| problems.join("; "))?;
    let text = |json: &Json| json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    let id = format!("conformance-{}", spec.name);
    let key = match spec.key {
        OrderingKey::Params(names) => {
            let values = names.iter().filter_map(|name| params.get(*name)).map(text);
            values.collect::<Vec<_>>().join("/")
        }
        OrderingKey::Fixed(key) => key.to_owned(),
        OrderingKey::Own => id.clone(),
    };
    Ok(Command { id, spec, key, params, expect: Map::new(), user: None, expires_at_ms: None })
}
