use super::{DEEPEST, canonical, is_canonical};

#[test]
fn blanks_order_numbers_and_escapes_are_no_content() {
    for (text, expected) in [
        (" { \"b\" : [ 1 , 2 ] ,\n\"a\":\t{ } } ", r#"{"a":{},"b":[1,2]}"#),
        (
            r#"{"b":1,"a":{"d":1,"c":[{"z":1,"y":2}]}}"#,
            r#"{"a":{"c":[{"y":2,"z":1}],"d":1},"b":1}"#,
        ),
        (r#""A\u0041\/\u00e9\u00C9\u001F\u000a""#, r#""AA/éÉ\u001f\n""#),
        (r#""\ud83d\ude00 \uD83D \ude00\ud83d""#, "\"😀 \\ud83d \\ude00\\ud83d\""),
        ("[ true,false , null ]", "[true,false,null]"),
        ("[]", "[]"),
        ("\"\"", "\"\""),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
        assert_eq!(canonical(expected), expected, "{text}");
    }
}

#[test]
fn a_number_has_one_spelling_and_loses_no_digit() {
    for (numbers, expected) in [
        (&["35.5", "35.500", "3.55e1", "355E-1", "0.355e+2"][..], "35.5"),
        (&["100", "1e2", "100.0", "1.00e02"], "100"),
        (&["0", "-0", "0.0", "0e99", "-0.000E-7", "0e99999999999999999999"], "0"),
        (&["9007199254740993", "9007199254740993.0", "9.007199254740993e15"], "9007199254740993"),
        (&["-0.000001", "-1e-6"], "-0.000001"),
        (&["1e-7", "0.0000001"], "1e-7"),
        (&["12.5e-9", "0.0000000125"], "1.25e-8"),
        (&["1e20", "100000000000000000000"], "100000000000000000000"),
        (&["1e21", "1000000000000000000000"], "1e21"),
        (&["1e400", "0.1E+401"], "1e400"),
        (&["-1.5e-400"], "-1.5e-400"),
        (&["123456789012345678901234567890.125"], "123456789012345678901234567890.125"),
        (
            &["12345678901234567890123456789", "1234567890123456789012345678.9e1"],
            "12345678901234567890123456789",
        ),
        (&["1e999999999999999999"], "1e999999999999999999"),
        (&["1E+9999999999999999999"], "1E+9999999999999999999"),
    ] {
        for number in numbers {
            assert_eq!(canonical(number), expected, "{number}");
        }
        assert_eq!(canonical(expected), expected);
    }
}

#[test]
fn keys_are_in_the_order_of_their_code_points_and_twice_stays_twice() {
    assert_eq!(
        canonical(r#"{"ю":1,"b":2,"\"":3,"B":4,"":5,"\ue000":6,"😀":7,"a":8,"\u0061":9,"a\\":0}"#),
        "{\"\":5,\"\\\"\":3,\"B\":4,\"a\":8,\"a\":9,\"a\\\\\":0,\"b\":2,\"ю\":1,\"\u{e000}\":6,\"😀\":7}"
    );
}

#[test]
fn what_is_no_json_or_too_deep_stays_as_it_is() {
    for text in [
        "",
        " ",
        "text 1",
        "{",
        "[1,]",
        "[1 2]",
        "{\"a\"}",
        "{a:1}",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "-",
        "nul",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\n\"",
        "[1] x",
        "{\"a\":1,}",
        "tru e",
    ] {
        assert_eq!(canonical(text), text);
        assert!(!is_canonical(text), "{text}");
    }
    let nested = |depth: usize| format!("{} 1 {}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(canonical(&nested(DEEPEST)), nested(DEEPEST).replace(' ', ""));
    for depth in [DEEPEST + 1, 1_000_000] {
        assert_eq!(canonical(&nested(depth)), nested(depth));
    }
}

#[test]
fn a_text_in_its_one_spelling_is_known_by_one_scan() {
    for text in [
        r#"{"a":[1,-2,35.5,0.5,-0.001],"b":{"c":"x \" \n é"},"d":null,"e":true}"#,
        "\"gold\"",
        "12345678901234567890",
        "0",
        "false",
    ] {
        assert!(is_canonical(text), "{text}");
    }
}
