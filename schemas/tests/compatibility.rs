//! Who can read whom: the table of the rules, and the contract against what was released.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use apache_avro::Schema;
use talon_schemas::compatibility::{Mismatch, can_read, is_same, is_same_on_the_wire};

fn schema(text: &str) -> Schema {
    Schema::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A record `talon.Call` with these fields.
fn record(fields: &str) -> Schema {
    schema(&format!(r#"{{"type":"record","name":"Call","namespace":"talon","fields":[{fields}]}}"#))
}

fn of_type(kind: &str) -> Schema {
    record(&format!(r#"{{"name":"a","type":{kind}}}"#))
}

#[test]
fn a_reader_reads_what_avro_lets_it_read_and_instants_keep_their_unit() {
    let micros = r#"{"type":"long","logicalType":"timestamp-micros"}"#;
    let millis = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
    let decimal = |scale| {
        format!(r#"{{"type":"bytes","logicalType":"decimal","precision":9,"scale":{scale}}}"#)
    };
    let symbols = |of| format!(r#"{{"type":"enum","name":"E","symbols":[{of}]}}"#);
    let tolerant = r#"{"type":"enum","name":"E","symbols":["A"],"default":"A"}"#;
    let named = |name| format!(r#"{{"type":"record","name":"{name}","fields":[]}}"#);
    let alias = r#"{"type":"record","name":"N","aliases":["O"],"fields":[]}"#;
    let fixed = |size| format!(r#"{{"type":"fixed","name":"F","size":{size}}}"#);
    // Written, read, and whether that works.
    for (written, read, works) in [
        (r#""int""#, r#""long""#, true),
        (r#""long""#, r#""int""#, false),
        (r#""long""#, r#""string""#, false),
        (r#""float""#, r#""double""#, true),
        (r#""string""#, r#""bytes""#, true),
        (micros, micros, true),
        (micros, millis, false),
        (micros, r#""long""#, false),
        (r#""long""#, micros, false),
        (&decimal(2), &decimal(2), true),
        (&decimal(2), &decimal(3), false),
        (&fixed(4), &fixed(4), true),
        (&fixed(4), &fixed(8), false),
        (&symbols(r#""A""#), &symbols(r#""A","B""#), true),
        (&symbols(r#""A","B""#), &symbols(r#""A""#), false),
        (&symbols(r#""A","B""#), tolerant, true),
        (&named("N"), &named("N"), true),
        (&named("O"), &named("N"), false),
        (&named("O"), alias, true),
        (alias, &named("O"), false),
        (&named("other.N"), &named("N"), false),
        (r#""string""#, r#"["null","string"]"#, true),
        (r#"["null","string"]"#, r#""string""#, false),
        (r#"["null","string"]"#, r#"["string","null"]"#, true),
        (r#"["null","int"]"#, r#"["null","long"]"#, true),
        (r#"["null","string","long"]"#, r#"["null","string"]"#, false),
        (r#"{"type":"array","items":"int"}"#, r#"{"type":"array","items":"long"}"#, true),
        (r#"{"type":"array","items":"long"}"#, r#"{"type":"array","items":"int"}"#, false),
        (r#"{"type":"map","values":"long"}"#, r#"{"type":"map","values":"string"}"#, false),
    ] {
        let answer = can_read(&of_type(read), &of_type(written));
        assert_eq!(answer.is_ok(), works, "{written} read as {read}: {answer:?}");
    }
    // Fields: by name or by the reader's alias, else by a default.
    let (a, b) = (r#"{"name":"a","type":"long"}"#, r#"{"name":"b","type":"long"}"#);
    let with_default = r#"{"name":"b","type":["null","long"],"default":null}"#;
    let with_alias = r#"{"name":"b","aliases":["a"],"type":"long"}"#;
    for (written, read, works) in [
        (format!("{a},{b}"), a.to_owned(), true),
        (format!("{a},{b}"), format!("{b},{a}"), true),
        (a.to_owned(), format!("{a},{b}"), false),
        (a.to_owned(), format!("{a},{with_default}"), true),
        (a.to_owned(), with_alias.to_owned(), true),
        (with_alias.to_owned(), a.to_owned(), false),
    ] {
        let answer = can_read(&record(&read), &record(&written));
        assert_eq!(answer.is_ok(), works, "{written} read as {read}: {answer:?}");
    }
}

#[test]
fn a_mismatch_names_the_field_and_both_sides() {
    let envelope = |of_status: &str| {
        let call = format!(
            r#"{{"type":"record","name":"talon.Call","fields":[{{"name":"status","type":{of_status}}}]}}"#
        );
        schema(&format!(
            r#"{{"type":"record","name":"talon.Envelope","fields":[
            {{"name":"before","type":["null",{call}]}},
            {{"name":"after","type":["null","talon.Call"]}}]}}"#
        ))
    };
    let mismatch = can_read(&envelope(r#""int""#), &envelope(r#"["null","string"]"#)).unwrap_err();
    let expected = Mismatch {
        field: "before.status".to_owned(),
        what: "is `null` where it is written, and `int` where it is read".to_owned(),
    };
    assert_eq!(mismatch, expected);
    let mismatch = can_read(&envelope(r#"["null","int"]"#), &envelope(r#""string""#)).unwrap_err();
    assert_eq!(mismatch.what, "is `string` where it is written, and `int` where it is read");
    let mismatch = can_read(&envelope(r#""int""#), &of_type(r#""int""#)).unwrap_err();
    assert_eq!(mismatch.field, "");
    assert!(mismatch.what.contains("`talon.Call`") && mismatch.what.contains("`talon.Envelope`"));
}

#[test]
fn a_definition_and_a_reference_to_it_are_the_same_and_a_record_may_contain_itself() {
    let first = r#"[{"type":"record","name":"I","fields":[]},"null"]"#;
    let one =
        record(&format!(r#"{{"name":"a","type":{first}}},{{"name":"b","type":["null","I"]}}"#));
    let other =
        record(&format!(r#"{{"name":"b","type":{first}}},{{"name":"a","type":["null","I"]}}"#));
    assert_eq!(can_read(&one, &other), Ok(()));
    let tree = |of| {
        record(&format!(r#"{{"name":"v","type":"{of}"}},{{"name":"next","type":["null","Call"]}}"#))
    };
    assert_eq!(can_read(&tree("long"), &tree("int")), Ok(()));
    assert_eq!(can_read(&tree("int"), &tree("long")).unwrap_err().field, "v");
}

#[test]
fn another_spelling_is_the_same_and_other_docs_are_the_same_on_the_wire() {
    let one = record(r#"{"name":"a","type":"long","doc":"One."}"#);
    let spelled = schema(
        r#"{ "fields": [ {"doc": "One.", "type": {"type": "long"}, "name": "a"} ], "name": "talon.Call", "type": "record" }"#,
    );
    assert!(is_same(&one, &spelled) && is_same_on_the_wire(&one, &spelled));
    let documented = record(r#"{"name":"a","type":"long","doc":"Other.","talon.pii":true}"#);
    assert!(!is_same(&one, &documented) && is_same_on_the_wire(&one, &documented));
    for other in [r#"{"name":"a","type":"int"}"#, r#"{"name":"b","type":"long"}"#] {
        assert!(!is_same_on_the_wire(&one, &record(other)), "{other}");
    }
    let micros = of_type(r#"{"type":"long","logicalType":"timestamp-micros"}"#);
    let millis = of_type(r#"{"type":"long","logicalType":"timestamp-millis"}"#);
    assert!(!is_same_on_the_wire(&micros, &millis));
}

/// What of a folder of today's schemas does not go with a folder of released ones, either way.
fn breaches(golden: &Path, released: &Path) -> Vec<String> {
    let mut found = Vec::new();
    // What was written before the first release is read, and promised to nobody.
    let is_promised = |version: &fs::DirEntry| {
        version.path().is_dir() && !version.file_name().to_string_lossy().ends_with("-pre")
    };
    for version in fs::read_dir(released).unwrap().flatten().filter(is_promised) {
        for file in fs::read_dir(version.path()).unwrap().flatten() {
            let name = file.file_name();
            let before = schema(&fs::read_to_string(file.path()).unwrap());
            let at = format!("{} of {}", name.display(), version.file_name().display());
            // A feed that is gone breaks nobody who reads its topic.
            let Ok(now) = fs::read_to_string(golden.join(&name)) else { continue };
            let now = schema(&now);
            for (reader, writer) in [(&now, &before), (&before, &now)] {
                if let Err(Mismatch { field, what }) = can_read(reader, writer) {
                    found.push(format!("{at}: `{field}` {what}"));
                }
            }
        }
    }
    found
}

#[test]
fn todays_contract_goes_with_every_released_one_both_ways() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(breaches(&root.join("golden"), &root.join("released")), [""; 0]);
}

#[test]
fn a_contract_that_breaks_a_released_one_is_found() {
    let directory = std::env::temp_dir().join(format!("talon-released-{}", std::process::id()));
    let version = directory.join("released/0.0.1");
    fs::create_dir_all(&version).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    for name in ["contractor.call.avsc", "result.avsc"] {
        let text = fs::read_to_string(golden.join(name)).unwrap();
        fs::write(version.join(name), text.replace("timestamp-micros", "timestamp-millis"))
            .unwrap();
    }
    let found = breaches(&golden, &directory.join("released"));
    fs::remove_dir_all(&directory).unwrap();
    assert!(found.len() >= 2, "{found:?}");
    assert!(found[0].contains("timestamp-m"), "{found:?}");
}
