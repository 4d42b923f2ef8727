//! `talon commands`: what connectors can be told to do.

use talon_schemas::command::Params;
use talon_sdk::{Class, Commands, OrderingKey};

use crate::connectors::{class, classes};
use crate::end::End;
use crate::print::{self, out};

/// Lists the commands of all classes, or of one with their parameters.
pub(crate) fn commands(name: Option<&str>) -> anyhow::Result<End> {
    let Some(name) = name else {
        for class in classes() {
            let Some(Commands { specs, contract }) = class.commands() else { continue };
            out!("{}", class.name());
            for spec in specs {
                let doc = contract().params(spec.name).map_or("", Params::doc);
                out!("  {:24} {doc}", spec.name);
            }
        }
        out!(
            "\n`talon commands CLASS` shows their parameters; `talon send --help`, how to send one."
        );
        return Ok(End::Done);
    };
    let Some(class) = class(name) else {
        let known: Vec<&str> = classes().iter().map(|class| class.name()).collect();
        anyhow::bail!("no class `{name}`; there are: {}", known.join(", "));
    };
    match class.commands() {
        Some(commands) => print::to_stdout(format_args!("{}", page(class.as_ref(), commands))),
        None => out!("`{name}` carries no commands"),
    }
    Ok(End::Done)
}

/// The commands of a class, as text.
pub(crate) fn page(class: &dyn Class, commands: Commands) -> String {
    let mut page = format!("Commands of {}\n", class.name());
    for spec in commands.specs {
        let Some(params) = (commands.contract)().params(spec.name) else { continue };
        let key = match spec.key {
            OrderingKey::Params(names) => names.join("/"),
            OrderingKey::Fixed(key) => format!("always `{key}`"),
            OrderingKey::Own => "its id".to_owned(),
        };
        page += &format!("  {}\n      {}\n", spec.name, params.doc());
        page += &format!("      {}; repeat-safe: {}", spec.call, spec.repeat.word());
        if !spec.probe.is_empty() {
            page += &format!("; read back by {}", spec.probe);
        }
        page += &format!("\n      ordered by {key}");
        if !spec.expect.is_empty() {
            page += &format!("; `expect` may name {}", spec.expect.join(", "));
        }
        page.push('\n');
        for param in params.list() {
            let need = if param.required { "required" } else { "optional" };
            page += &format!("        {:20} {}, {need}", param.name, param.kind);
            if !param.doc.is_empty() {
                page += &format!(". {}", param.doc);
            }
            page.push('\n');
        }
    }
    page
}
