//! Bodies of answers, in the form of Kafka Connect.

use serde_json::{Value, json};
use talon_sdk::config::{Importance, Key, Problem, Type};

use super::errors::sentence;
use crate::connectors;
use crate::instances::{Config, Info, Shown};

/// `ConnectorInfo`.
pub(super) fn info(name: &str, info: &Info, has_task: bool) -> Value {
    let tasks = if has_task { json!([{"connector": name, "task": 0}]) } else { json!([]) };
    let mut body = json!({"name": name, "config": info.config, "tasks": tasks, "type": "source"});
    if info.of_file {
        body["read_only"] = json!(true);
    }
    body
}

/// `ConnectorStateInfo`.
pub(super) fn status(name: &str, shown: &Shown) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let connector =
        json!({"state": shown.connector, "worker_id": shown.worker, "version": version});
    let tasks: Vec<Value> = task_status(shown).into_iter().collect();
    json!({"name": name, "connector": connector, "tasks": tasks, "type": "source"})
}

/// The state of the one task, if there is one.
pub(super) fn task_status(shown: &Shown) -> Option<Value> {
    let version = env!("CARGO_PKG_VERSION");
    let state = shown.task.as_ref()?;
    let mut task = json!({"id": 0, "state": state, "worker_id": shown.worker, "version": version});
    if !shown.trace.is_empty() {
        task["trace"] = json!(shown.trace);
    }
    Some(task)
}

/// `PluginInfo` of each class.
pub(super) fn plugins() -> Value {
    let plugin = |class: Box<dyn talon_sdk::Class>| json!({"class": class.name(), "type": "source", "version": env!("CARGO_PKG_VERSION")});
    connectors::classes().into_iter().map(plugin).collect()
}

/// `ConfigKeyInfo` of each setting.
pub(super) fn definitions(keys: &[Key]) -> Value {
    keys.iter().enumerate().map(|(order, key)| definition(key, order)).collect()
}

fn definition(key: &Key, order: usize) -> Value {
    let kind = match &key.kind {
        Type::Secret => "PASSWORD",
        Type::Flag => "BOOLEAN",
        Type::Whole { .. } => "LONG",
        Type::Decimal { .. } => "DOUBLE",
        Type::List(_) | Type::Urls => "LIST",
        _ => "STRING",
    };
    let importance = match key.importance {
        Importance::High => "HIGH",
        Importance::Medium => "MEDIUM",
        Importance::Low => "LOW",
    };
    let group = if order < 3 { "Common" } else { "Settings" };
    json!({
        "name": key.name, "type": kind, "required": key.required,
        "default_value": if key.required { None } else { key.default.as_deref() },
        "importance": importance, "documentation": key.doc, "group": group, "width": "MEDIUM",
        "display_name": key.name, "dependents": [], "order": order,
    })
}

/// `ConfigInfos`: each setting with what is wrong with it.
pub(super) fn validation(
    class: &str,
    keys: &[Key],
    config: &Config,
    problems: &[Problem],
) -> Value {
    let value = |name: &str, text: Option<&str>| {
        let errors: Vec<String> =
            problems.iter().filter(|problem| problem.key == name).map(sentence).collect();
        json!({"name": name, "value": text, "recommended_values": [], "errors": errors, "visible": true})
    };
    let mut configs: Vec<Value> = Vec::new();
    for (order, key) in keys.iter().enumerate() {
        let text = config.get(&*key.name).map(String::as_str).or(key.default.as_deref());
        configs
            .push(json!({"definition": definition(key, order), "value": value(&key.name, text)}));
    }
    // What was sent and is not declared under its name: of a family, or unknown.
    for (name, text) in config.iter().filter(|(name, _)| keys.iter().all(|key| key.name != **name))
    {
        let declared = keys.iter().position(|key| key.is_of(name));
        let definition = declared.map_or(Value::Null, |at| definition(&keys[at], at));
        configs.push(json!({"definition": definition, "value": value(name, Some(text))}));
    }
    let error_count: usize =
        configs.iter().map(|config| config["value"]["errors"].as_array().map_or(0, Vec::len)).sum();
    json!({"name": class, "error_count": error_count, "groups": ["Common", "Settings"], "configs": configs})
}
