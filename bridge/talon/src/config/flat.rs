//! YAML to a flat map of texts: nested maps are joined by dots.

use std::collections::BTreeMap;

use talon_sdk::config::Problem;

use super::yaml::{Yaml, parse};

/// Largest configuration file, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// All settings of a YAML text by their full keys.
///
/// A list becomes its items joined by commas; an empty value is not set. The same key twice, nested
/// and flat, is a problem.
pub(crate) fn flatten(yaml: &str) -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let wrong = |message: String| vec![Problem { key: "(file)".to_owned(), message }];
    if yaml.len() > MAX_BYTES {
        return Err(wrong(format!("is larger than {MAX_BYTES} bytes")));
    }
    let value = match parse(yaml).map_err(|problem| vec![problem])? {
        None | Some(Yaml::Null) => return Ok(BTreeMap::new()),
        Some(map @ Yaml::Map(_)) => map,
        Some(_) => return Err(wrong("is no map of settings".to_owned())),
    };
    let (mut texts, mut problems) = (BTreeMap::new(), Vec::new());
    walk(String::new(), &value, &mut texts, &mut problems);
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}

fn walk(
    key: String,
    value: &Yaml,
    texts: &mut BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) {
    let mut put = |text: String| {
        if texts.insert(key.clone(), text).is_some() {
            problems.push(Problem { key: key.clone(), message: "is set twice".to_owned() });
        }
    };
    match value {
        Yaml::Null => {}
        Yaml::Map(map) => {
            for (name, value) in map {
                if name.is_empty() {
                    let key = if key.is_empty() { "(file)".to_owned() } else { key.clone() };
                    let message = "has a key without a name".to_owned();
                    problems.push(Problem { key, message });
                    continue;
                }
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                walk(key, value, texts, problems);
            }
        }
        Yaml::List(items) => match items.iter().map(text).collect::<Option<Vec<_>>>() {
            Some(items) => put(items.join(",")),
            None => problems.push(Problem {
                key,
                message: "is a list of something else than plain values".to_owned(),
            }),
        },
        Yaml::Text(text) => put(text.clone()),
    }
}

fn text(value: &Yaml) -> Option<&str> {
    match value {
        Yaml::Text(text) => Some(text),
        Yaml::Null | Yaml::List(_) | Yaml::Map(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_a_name_is_refused_wherever_it_stands() {
        let problem = |key: &str| Problem {
            key: key.to_owned(),
            message: "has a key without a name".to_owned(),
        };
        assert_eq!(flatten("'': { talon.prefix: t }"), Err(vec![problem("(file)")]));
        assert_eq!(flatten("bus: { '': t }"), Err(vec![problem("bus")]));
    }

    #[test]
    fn nested_maps_and_dotted_keys_are_the_same() {
        let nested = "bus:\n  kafka: { bootstrap.servers: 'k:9092', linger.ms: 5 }\ntalon:\n  prefix: t\nlist: [a, b]\nnone:\nflag: true\n";
        let flat = "bus.kafka.bootstrap.servers: k:9092\nbus.kafka.linger.ms: 5\ntalon.prefix: t\nlist: a,b\nflag: true\n";
        assert_eq!(flatten(nested), flatten(flat));
        assert_eq!(flatten(nested).unwrap()["bus.kafka.linger.ms"], "5");
    }

    #[test]
    fn a_key_that_is_set_twice_is_a_problem() {
        let problems = flatten("a.b: 1\na:\n  b: 2\n").unwrap_err();
        assert_eq!(problems[0].to_string(), "`a.b` is set twice");
    }

    #[test]
    fn invariant_8_what_is_wrong_is_said_without_the_lines_around_it() {
        for yaml in ["password: hunter2\nservers: [", "password: hunter2\npassword: hunter2\n"] {
            let problem = flatten(yaml).unwrap_err()[0].to_string();
            assert!(!problem.contains("hunter2"), "{problem}");
            assert!(problem.contains("line 2"), "{problem}");
        }
    }

    #[test]
    fn what_is_no_map_is_a_problem() {
        assert!(flatten("- a\n").is_err());
        assert!(flatten("a: [").is_err());
        assert_eq!(flatten("").unwrap().len(), 0);
        assert_eq!(flatten("a:\n  - {b: 1}\n").unwrap_err()[0].key, "a");
    }
}
