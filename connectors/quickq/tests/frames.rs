//! What differs between builds, both ways, and what is no message at all.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use secrecy::ExposeSecret;
use talon_quickq::frame::{Frame, Unreadable};

fn read(text: &str) -> Frame {
    Frame::read(Bytes::copy_from_slice(text.as_bytes())).unwrap().frame
}

fn unreadable(text: &str) -> Unreadable {
    Frame::read(Bytes::copy_from_slice(text.as_bytes())).unwrap_err()
}

#[test]
fn an_error_is_found_wherever_it_is() {
    let object =
        r#"{"codeError":150,"codeModule":7,"code":30064771222,"desc":"Нет","children":[]}"#;
    let fields = object.trim_start_matches('{').trim_end_matches('}');
    for text in [
        format!(r#"{{"command":"getUser","data":{object}}}"#),
        format!(r#"{{"command":"getUser","data":{{}},"error":{object}}}"#),
        format!(r#"{{"command":"getUser","error":{object}}}"#),
        format!(r#"{{"command":"getUser",{fields}}}"#),
        format!(r#"{{{fields}}}"#),
        format!(r#"{{"command":"getUser","data":{}}}"#, object.replace("150", "\"150\"")),
    ] {
        let error = read(&text).error.unwrap_or_else(|| panic!("{text}"));
        assert_eq!((error.code_error, error.code_module), (150, 7), "{text}");
        assert_eq!(error.code, 30_064_771_222, "needs 64 bits");
        assert!(!error.to_string().contains("Нет"), "the upstream's words go to no log");
    }
}

#[test]
fn success_is_code_error_0_and_nothing_else() {
    for text in [
        r#"{"command":"setUser","data":{"codeError":0,"codeModule":100,"code":429496729600,"desc":"No errors"}}"#,
        r#"{"command":"setUser","data":{},"error":{"codeError":0,"codeModule":100,"code":429496729600}}"#,
        r#"{"command":"setUser","codeError":0,"code":429496729600}"#,
        r#"{"command":"setUser","data":{"id":1,"code":5}}"#,
        r#"{"command":"setUser","data":null}"#,
        r#"{"command":"setUser","error":null,"data":[]}"#,
    ] {
        assert_eq!(read(text).error, None, "{text}");
    }
}

#[test]
fn a_token_is_found_in_data_and_on_top_and_only_at_login() {
    for (text, expected) in [
        (r#"{"command":"login","data":{"token":"{a}"}}"#, Some("{a}")),
        (r#"{"command":"login","token":"{b}","data":{"user":{"id":1}}}"#, Some("{b}")),
        (r#"{"command":"login","data":{}}"#, None),
        (r#"{"command":"info","token":"{c}","data":{}}"#, None),
        (r#"{"command":"login","data":{"codeError":5,"token":"{d}"}}"#, None),
    ] {
        let read = Frame::read(Bytes::from_static(text.as_bytes())).unwrap();
        let token = read.token.as_ref().map(ExposeSecret::expose_secret);
        assert_eq!(token, expected, "{text}");
        assert!(!String::from_utf8_lossy(&read.frame.text()).contains("{a}"));
    }
}

#[test]
fn our_id_is_a_text_and_a_number_on_top_is_a_visitors() {
    assert_eq!(read(r#"{"command":"x","id":"talon-7","data":{}}"#).id.as_deref(), Some("talon-7"));
    let misplaced = read(r#"{"command":"x","data":{"services":{}},"id":31,"number":2}"#);
    assert_eq!(misplaced.id, None);
    let entity = misplaced.entity().unwrap();
    assert_eq!((&entity["id"], &entity["number"]), (&31.into(), &2.into()));
}

#[test]
fn nobody_there_is_no_entity() {
    for data in ["{}", "[]", "null", "\"\""] {
        let text = format!(r#"{{"command":"nextConsumer","data":{data}}}"#);
        assert_eq!(read(&text).entity(), None, "{text}");
    }
    assert_eq!(read(r#"{"command":"nextConsumer"}"#).entity(), None);
}

#[test]
fn a_list_is_sliced_out_of_the_message() {
    let rows = |text: &str| read(text).rows().map(|rows| rows.len());
    assert_eq!(rows(r#"{"command":"userList","data":[{"id":1},{"id":2}]}"#), Some(2));
    assert_eq!(rows(r#"{"command":"currentQueue2","data":{"size":9,"list":[{"id":1}]}}"#), Some(1));
    assert_eq!(rows(r#"{"command":"userList","data":{"list":5}}"#), None);
    assert_eq!(rows(r#"{"command":"userList","data":{"id":5}}"#), None);
    assert_eq!(rows(r#"{"command":"userList"}"#), None);
}

#[test]
fn invariant_8_secrets_are_blanked_also_where_nothing_can_be_read() {
    for text in [
        r#"{"command":"userList","data":[{"id":1,"password":"5ecret"},{"password" : "5ecret","id":2}]}"#,
        r#"{"command":"userList","data":[{"id":1,"password":"5ecret"},{"id"#,
        r#"{"command":"userList","data":[{"id":1,"password":"5ecret"#,
        r#"{"command":"info","data":{"hasp":"5ecret","sessions":1}}"#,
        r#"{"command":"info","token":"{5ecret}","data":{}}"#,
        r#"{"password":"with \" 5ecret"}"#,
        r#"{"command":"userList","data":[{"id":1,"p\u0061ssword":"5ecret"},{"\u0068\u0061SP":2}]}"#,
        r#"{"command":"info","\u0074oken" : "5ecret","a":"\"\\","data":{"\u0068asp":"5ecret"}}"#,
    ] {
        let shown = match Frame::read(Bytes::from_static(text.as_bytes())) {
            Ok(read) => read.frame.text(),
            Err(unreadable) => unreadable.text,
        };
        let shown = String::from_utf8(shown.to_vec()).unwrap();
        assert!(!shown.contains("5ecret"), "{shown}");
        assert_eq!(shown.len(), text.len(), "nothing else is touched");
    }
}

#[test]
fn invariant_8_a_secret_number_is_blanked_and_stays_a_number() {
    for (number, blank) in
        [("1023919797", "1111111111"), ("-10.25", "-11.11"), ("4e200", "1e111"), ("0", "1")]
    {
        let text = format!(r#"{{"command":"info","data":{{"hasp":{number},"db":"1"}}}}"#);
        let frame = read(&text);
        assert_eq!(frame.data(), format!(r#"{{"hasp":{blank},"db":"1"}}"#));
        assert!(frame.entity().is_some(), "it is still JSON: {blank}");
    }
}

#[test]
fn what_cannot_be_read_keeps_its_bytes_and_if_possible_its_command() {
    for (text, command) in [
        (r#"{"command":"userList","data":[{"id":1},{"#, Some("userList")),
        (r#"{"command":"userList","data":[{"id":1}"#, Some("userList")),
        ("no JSON", None),
        ("", None),
        ("[]", None),
        (r#"{"data":[]}"#, None),
        (r#"{"command":"<b>","data":["#, None),
    ] {
        let unreadable = unreadable(text);
        assert_eq!(unreadable.command.as_deref(), command, "{text}");
        assert_eq!(unreadable.text, text);
    }
}

#[test]
fn a_bad_row_of_a_pushed_list_hides_no_other() {
    let bad = [
        r#"{"id":2,"n":NaN}"#,
        "{\"id\":2,\"t\":\"a\nb],[\"}",
        r#"{"id":2,"t":"\x \ud800"}"#,
        r#"{"id":2,"password":"secret","t":"say "hello""}"#,
        "2 3",
        "",
    ];
    for bad in bad {
        let list = format!(r#"[{{"id":1,"t":"}}]"}},{bad},{{"id":3,"password":"secret"}}]"#);
        for text in [
            format!(
                r#"{{"command":"userList","id":"7","data":{list},"dateTime":"2026-01-31T10:00:00Z"}}"#
            ),
            format!(r#"{{"d\u0061ta":{{"count":3,"list":{list}}},"id":"7","command":"userList"}}"#),
            format!(r#"{{"command":"userList","id":"7","data":{list},}}}}"#),
        ] {
            let frame = read(&text);
            assert_eq!((frame.command.as_str(), frame.id.as_deref()), ("userList", Some("7")));
            let rows = frame.rows().unwrap();
            let rows: Vec<_> = rows.iter().map(String::from_utf8_lossy).collect();
            let bad = bad.replace("secret", "******");
            assert_eq!(
                rows,
                [r#"{"id":1,"t":"}]"}"#, &bad, r#"{"id":3,"password":"******"}"#],
                "{text}"
            );
        }
    }
}

#[test]
fn a_list_that_is_not_closed_is_no_list_at_all() {
    for list in [r#"[{"id":1},{"t":"x}]"#, r#"[{"id":1},{"t":[NaN}]"#, r#"[{"id":1},{"t":NaN}"#] {
        unreadable(&format!(r#"{{"command":"userList","data":{list}}}"#));
    }
    // All around the list must be sound.
    unreadable(r#"{"command":"userList","data":[NaN],"dateTime":NaN}"#);
    unreadable(r#"{"command":"userList","data":[],"dateTime":NaN}"#);
    unreadable(r#"{"command":"userList","data":[NaN],"data":[1]}"#);
    unreadable(r#"{"command":"userList","data":{"id":NaN}}"#);
}
