use serde_json::{Value, json};
use talon_sdk::Fault;

use super::*;

/// A reply of 1C-Connect, as its document has it.
const SAMPLE: &str = include_str!("../../../connect1c/samples/reply.xml");

const SERVICE: &Service = &Service {
    namespace: "http://buhphone.com/PartnerWebAPI2",
    action: "http://buhphone.com/PartnerWebAPI2#PartnerWebAPI2:",
    parameters: "Params",
    code: "ResultCode",
    data: "ResultData",
    success: "SUCCESS",
    out_of_limit: Some("OUT_OF_LIMIT"),
};

const HISTORY: &str = "GetHistoryOfServiceTreatments";

const KNOWN: &[&str] = &["ServiceTreatmentID", "Duration", "Closed"];

fn reader() -> TableReader {
    TableReader::new(SERVICE, HISTORY, KNOWN, Limits::default())
}

/// Reads a reply in pieces of a size.
fn read_in(text: &str, size: usize) -> (Vec<Value>, Result<Whole, ReplyFault>) {
    read_with(reader(), text.as_bytes(), size)
}

fn read_with(
    mut reader: TableReader,
    text: &[u8],
    size: usize,
) -> (Vec<Value>, Result<Whole, ReplyFault>) {
    let mut rows = Vec::new();
    let mut take = |reader: &mut TableReader| {
        let taken = reader.take_rows();
        rows.extend(taken.iter().map(|row| serde_json::from_slice::<Value>(row).unwrap()));
    };
    for piece in text.chunks(size) {
        let pushed = reader.push(piece);
        take(&mut reader);
        if let Err(fault) = pushed {
            return (rows, Err(fault));
        }
    }
    let whole = reader.finish();
    take(&mut reader);
    (rows, whole)
}

fn read(text: &str) -> (Vec<Value>, Result<Whole, ReplyFault>) {
    read_in(text, text.len().max(1))
}

fn fault(text: &str) -> ReplyFault {
    read(text).1.unwrap_err()
}

fn sample() -> Value {
    json!({
        "ServiceTreatmentID": "8f659c86-2003-4276-93f5-481adf48dd74",
        "ClientID": "90028e2b-ff47-2003-80e6-0025904f970f",
        "ServiceUserID": "0e0a9b78-ee6b-4f6c-2003-ca248f7f9baf",
        "ServiceID": "fbe839ae-07ec-11e8-80e6-2003904f2003",
        "Initialized": "2019-09-19T16:16:34",
        "SpecAppointed": "2019-09-19T16:16:35",
        "QueueWaitingTime": 0,
        "ClosedSpecialistID": "79d4067b-6f12-451a-2003-1ba1d6a61c1e",
        "ReactionStarted": "2019-09-26T18:29:33",
        "Closed": "2019-09-27T15:33:40",
        "Duration": 102003,
        "ServiceQualityAssessment": 0,
        "QueueLength": 1,
    })
}

/// A reply with these columns and this between them and the end.
fn table(columns: &[&str], rows: &str) -> String {
    let columns: String = columns
        .iter()
        .map(|name| format!("<column><Name>{name}</Name><ValueType/></column>"))
        .collect();
    let (head, rest) = SAMPLE.split_once("<column>").unwrap();
    let (_, tail) = rest.rsplit_once("</row>").unwrap();
    format!("{head}{columns}{rows}{tail}")
}

#[test]
fn the_documents_reply_is_read_in_pieces_of_any_size() {
    for size in [1, 2, 3, 7, 64, 1000, SAMPLE.len()] {
        for text in [SAMPLE.to_owned(), SAMPLE.replace('\n', "\r\n"), format!("\u{feff}{SAMPLE}")] {
            let (rows, whole) = read_in(&text, size);
            assert_eq!(rows, [sample()], "{size}");
            assert_eq!(whole, Ok(Whole { rows: 1, has_table: true }), "{size}");
        }
    }
}

#[test]
fn the_library_says_nothing_of_a_document_that_is_cut() {
    // When this fails, the library has changed, and the counting of open elements may not be needed.
    for text in ["", "plain text", "<a><b>", "<a>text", "<a/><b/>"] {
        let mut reader = quick_xml::Reader::from_str(text);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    }
}

#[test]
fn a_document_that_is_cut_anywhere_is_an_error() {
    let whole = SAMPLE.trim_end();
    for end in 0..whole.len() {
        let (rows, outcome) = read(&whole[..end]);
        assert!(rows.len() <= 1);
        let fault = outcome.unwrap_err();
        let is_cut = matches!(fault, ReplyFault::Cut { .. });
        // Within a reference there would be another error.
        assert!(is_cut, "cut at {end}: {fault:?}");
        assert_eq!(Fault::from(fault).kind(), "unavailable");
    }
    for other in ["", " ", "plain text", "\u{feff}"] {
        assert!(read(other).1.is_err(), "{other}");
    }
    assert!(matches!(fault(&format!("{whole}<a/>")), ReplyFault::NotXml { .. }), "two roots");
    assert!(matches!(fault(&format!("{whole}text")), ReplyFault::NotXml { .. }));
}

#[test]
fn names_count_by_their_namespace_and_not_by_their_prefix() {
    let prefixed = SAMPLE
        .replace("soap:", "s:")
        .replace("xmlns:soap", "xmlns:s")
        .replace("m:", "")
        .replace("xmlns:m=", "xmlns=")
        .replace(" xmlns=\"http://v8.1c.ru/8.1/data/core\"", "")
        .replace("xmlns:xs=", "xmlns:d=\"http://v8.1c.ru/8.1/data/core\" xmlns:xs=");
    let mut core = prefixed;
    for name in ["Property", "Value", "ValueType", "column", "Name", "row"] {
        for (from, to) in [("<", "<d:"), ("</", "</d:")] {
            for end in [" ", ">", "/"] {
                core = core.replace(&format!("{from}{name}{end}"), &format!("{to}{name}{end}"));
            }
        }
    }
    assert!(core.contains("<d:row>") && core.contains("<d:ValueType/>"), "{core}");
    let with_prefix = core.replace("\"ValueTable\"", "\"d:ValueTable\"");
    let other_types = core.replace("xsi", "i").replace("xs:", "y:").replace("xmlns:xs", "xmlns:y");
    // Without a prefix, and without a default namespace that could be meant.
    for text in [&core, &with_prefix, &other_types] {
        let (rows, whole) = read(text);
        assert_eq!(rows, [sample()], "{text}");
        assert!(whole.is_ok());
    }
    let foreign = SAMPLE.replace("http://v8.1c.ru/8.1/data/core", "http://v8.1c.ru/8.2/data");
    assert!(fault(&foreign).to_string().contains("ResultCode"));
    let foreign = SAMPLE
        .replace("xmlns:soap=\"http://www.w3.org/2003", "xmlns:soap=\"http://www.w3.org/2004");
    assert_eq!(fault(&foreign), ReplyFault::NotAReply("it is no SOAP"));
}

#[test]
fn soap_1_1_replies_are_read_as_those_of_1_2() {
    let old = SAMPLE.replace(
        "http://www.w3.org/2003/05/soap-envelope",
        "http://schemas.xmlsoap.org/soap/envelope/",
    );
    assert_eq!(read(&old).0, [sample()]);
}

#[test]
fn columns_are_those_of_the_reply_in_whatever_order_and_case() {
    let rows = "<row><Value xsi:type=\"xs:decimal\">5</Value><Value xsi:type=\"xs:string\">x</Value>\
                <Value xsi:type=\"xs:string\">new</Value></row>";
    let (rows, whole) = read(&table(&["DURATION", "serviceTreatmentId", "Topic"], rows));
    assert_eq!(rows, [json!({ "Duration": 5, "ServiceTreatmentID": "x", "Topic": "new" })]);
    assert!(whole.is_ok());
    let two = "<row><Value>1</Value><Value>2</Value></row>";
    let (rows, _) = read(&table(&["Topic", "Topic"], two));
    assert_eq!(rows, [json!({ "Topic": "1", "Topic#2": "2" })]);
}

#[test]
fn a_row_with_another_number_of_values_is_no_row_and_keeps_its_values() {
    let rows = "<row><Value>1</Value></row><row><Value>1</Value><Value>2</Value><Value>3</Value></row>\
                <row/><row><Value>1</Value><Value>2</Value></row>";
    let (rows, whole) = read(&table(&["A", "B"], rows));
    let expected = [
        json!([{ "A": "1" }]),
        json!([{ "A": "1", "B": "2", "#3": "3" }]),
        json!([{}]),
        json!({ "A": "1", "B": "2" }),
    ];
    assert_eq!(rows, expected);
    assert_eq!(whole, Ok(Whole { rows: 4, has_table: true }));
}

#[test]
fn a_value_reads_by_its_type_and_nothing_is_null() {
    let cases = [
        ("<Value xsi:type=\"xs:decimal\"/>", json!(null)),
        ("<Value xsi:type=\"xs:decimal\"></Value>", json!(null)),
        ("<Value xsi:type=\"xs:decimal\"> 0 </Value>", json!(0)),
        ("<Value xsi:type=\"xs:decimal\">+007.50</Value>", json!(7.5)),
        ("<Value xsi:type=\"xs:decimal\">-.5</Value>", json!(-0.5)),
        ("<Value xsi:type=\"xs:decimal\">1e3</Value>", json!("1e3")),
        ("<Value xsi:type=\"xs:decimal\">many</Value>", json!("many")),
        ("<Value xsi:nil=\"true\"/>", json!(null)),
        ("<Value xsi:nil=\"1\" xsi:type=\"xs:string\"></Value>", json!(null)),
        ("<Value xsi:nil=\"false\">x</Value>", json!("x")),
        ("<Value xsi:type=\"xs:string\"/>", json!("")),
        (
            "<Value xsi:type=\"xs:dateTime\"> 2019-09-27T15:33:40 </Value>",
            json!("2019-09-27T15:33:40"),
        ),
        ("<Value xsi:type=\"xs:dateTime\"/>", json!(null)),
        ("<Value xsi:type=\"xs:boolean\">true</Value>", json!(true)),
        ("<Value xsi:type=\"xs:boolean\">0</Value>", json!(false)),
        ("<Value xsi:type=\"unknown:thing\">x</Value>", json!("x")),
        ("<Value>x</Value>", json!("x")),
        ("<Value other=\"decimal\">7</Value>", json!("7")),
        (
            "<Value xsi:type=\"Structure\"><Property name=\"a\"><Value>1 &lt; 2</Value></Property></Value>",
            json!("<Property name=\"a\"><Value>1 < 2</Value></Property>"),
        ),
    ];
    for (value, expected) in cases {
        let (rows, whole) = read(&table(&["A"], &format!("<row>{value}</row>")));
        assert_eq!(rows, [json!({ "A": expected })], "{value}");
        assert!(whole.is_ok(), "{value}");
    }
}

#[test]
fn a_text_is_put_together_from_all_its_parts_and_not_trimmed() {
    let parts = " Иванов &amp; Петров <!-- & --><![CDATA[ <a> & ]]]]><![CDATA[> ]]>&#x418;&#1074;&quot;\r\n ";
    let text = table(&["A"], &format!("<row><Value xsi:type=\"xs:string\">{parts}</Value></row>"));
    for size in [1, 5, text.len()] {
        let (rows, whole) = read_in(&text, size);
        assert_eq!(rows, [json!({ "A": " Иванов & Петров  <a> & ]]> Ив\"\n " })], "{size}");
        assert!(whole.is_ok());
    }
}

#[test]
fn a_tag_that_was_read_before_means_what_its_prefixes_mean_where_it_stands() {
    let number = "<Value xsi:type=\"xs:decimal\">5</Value>";
    let other = "<row xmlns:xs=\"http://example.org\">";
    let rows = format!(
        "<row>{number}</row>{other}{number}</row><row>{number}</row><row>{}</row><row>{number}</row>",
        number.replace("<Value", "<Value xmlns:xs=\"http://example.org\""),
    );
    let (rows, whole) = read(&table(&["A"], &rows));
    let found: Vec<&Value> = rows.iter().map(|row| &row["A"]).collect();
    assert_eq!(found, [&json!(5), &json!("5"), &json!(5), &json!("5"), &json!(5)]);
    assert!(whole.is_ok());
}

#[test]
fn the_mark_of_utf_8_is_a_letter_within_a_text() {
    let text = table(&["A"], "<row><Value>&amp;\u{feff}\u{feff}a</Value></row>");
    for size in [1, 2, 3, 4, text.len()] {
        assert_eq!(read_in(&text, size).0, [json!({ "A": "&\u{feff}\u{feff}a" })], "{size}");
    }
}

#[test]
fn unknown_references_and_control_characters_by_number_are_errors() {
    for reference in ["&nbsp;", "&b;", "&#0;", "&#x110000;", "& ", "&amp"] {
        let text = table(&["A"], &format!("<row><Value>{reference}</Value></row>"));
        assert!(matches!(fault(&text), ReplyFault::NotXml { .. }), "{reference}");
    }
}

#[test]
fn a_document_type_is_refused_before_anything_is_expanded() {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>";
    for text in [
        format!("{bomb}{SAMPLE}"),
        format!("<!DOCTYPE a SYSTEM \"file:///etc/passwd\">{SAMPLE}"),
        format!("<!doctype html><html></html>{SAMPLE}"),
    ] {
        assert!(matches!(fault(&text), ReplyFault::Forbidden { .. }), "{:?}", fault(&text));
    }
    let other = SAMPLE.replacen('<', "<?xml version=\"1.0\" encoding=\"windows-1251\"?><", 1);
    assert!(matches!(fault(&other), ReplyFault::Forbidden { .. }));
    let same = SAMPLE.replacen('<', "<?xml version=\"1.0\" encoding=\"UTF-8\"?><", 1);
    assert!(read(&same).1.is_ok());
}

#[test]
fn depth_texts_tags_and_attributes_have_limits() {
    let value = |content: String| table(&["A"], &format!("<row><Value{content}</Value></row>"));
    let deep = value(format!(">{}{}", "<a>".repeat(100), "</a>".repeat(100)));
    let text = value(format!(">{}", "a".repeat((1 << 20) + 1)));
    let parts = value(format!(">{}", "<![CDATA[aaaaaaaaaa]]>".repeat(110_000)));
    let tag = value(format!(" a=\"{}\">", "a".repeat((1 << 20) + 1)));
    let attributes: String = (0..40).map(|number| format!(" a{number}=\"1\"")).collect();
    let comment = value(format!("><!--{}", "-".repeat(3 << 20)));
    let columns: Vec<String> = (0..2000).map(|number| format!("c{number}")).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    for (what, text) in [
        ("a nesting", deep),
        ("a text", text),
        ("a text", parts),
        ("a token", tag),
        ("attributes", value(format!("{attributes}>"))),
        ("a token", comment),
        ("columns", table(&columns, "")),
    ] {
        let (_, outcome) = read_in(&text, 64 * 1024);
        let Err(ReplyFault::TooLarge { what: found, .. }) = outcome else {
            panic!("{what}: {outcome:?}")
        };
        assert!(found == what || found == "a token", "{what} {found}");
    }
}

#[test]
fn what_is_no_well_formed_xml_is_an_error() {
    for (from, to) in [
        ("</row>", "</Row>"),
        ("<row>", ""),
        ("<row>", "<row a=\"1\" a=\"2\">"),
        ("<row>", "<row a=1>"),
        ("<row>", "<row a>"),
        ("</soap:Envelope>", "</soap:Envelope></soap:Envelope>"),
        ("<row>", "<!x><row>"),
    ] {
        let text = SAMPLE.replace(from, to);
        for size in [1, text.len()] {
            let (_, outcome) = read_in(&text, size);
            assert!(outcome.is_err(), "{from} -> {to}");
        }
    }
    let text = SAMPLE.replace("8f659c86", "\u{1}8f659c86");
    let mut bytes = text.into_bytes();
    let at = bytes.iter().position(|byte| *byte == 1).unwrap();
    bytes[at] = 0xff;
    let (_, outcome) = read_with(reader(), &bytes, 100);
    assert!(matches!(outcome, Err(ReplyFault::NotXml { .. })), "{outcome:?}");
}

#[test]
fn a_result_code_other_than_success_is_a_fault_with_its_reason() {
    let refused = |code: &str, text: &str| {
        let (head, rest) = SAMPLE.split_once("<Value xsi:type=\"ValueTable\">").unwrap();
        let (_, tail) = rest.rsplit_once("</row>").unwrap();
        let (_, tail) = tail.split_once("</Value>").unwrap();
        format!("{head}<Value xsi:type=\"xs:string\">{text}</Value>{tail}").replace("SUCCESS", code)
    };
    let out = fault(&refused("OUT_OF_LIMIT", "Достигнут лимит"));
    assert!(matches!(out, ReplyFault::OutOfLimit { .. }));
    let Fault::Unavailable { reason, retry_after } = Fault::from(out) else { panic!() };
    assert!(reason.contains("Достигнут лимит"), "{reason}");
    assert_eq!(retry_after.unwrap().as_secs(), 3600);
    let other = fault(&refused("NO_RIGHTS", &"долго ".repeat(1000)));
    assert!(other.to_string().chars().count() < 300, "{other}");
    assert_eq!(Fault::from(other).kind(), "rejected");
    let without = SAMPLE.replace("ResultCode", "Something");
    assert_eq!(fault(&without), ReplyFault::NoCode("ResultCode"));
}

#[test]
fn a_success_may_come_without_data_which_is_no_empty_table() {
    let (head, rest) = SAMPLE.split_once("<Value xsi:type=\"ValueTable\">").unwrap();
    let (_, tail) = rest.rsplit_once("</row>").unwrap();
    let (_, tail) = tail.split_once("</Value>").unwrap();
    for none in
        ["<Value xsi:nil=\"true\"/>", "", "<Value xsi:nil=\"true\" xsi:type=\"ValueTable\"/>"]
    {
        let (rows, whole) = read(&format!("{head}{none}{tail}"));
        assert!(rows.is_empty());
        assert_eq!(whole, Ok(Whole { rows: 0, has_table: false }), "{none}");
    }
    assert_eq!(read(&table(&["A"], "")).1, Ok(Whole { rows: 0, has_table: true }));
}

#[test]
fn soap_faults_of_both_versions_are_read() {
    let old = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>\
               <faultcode>s:Server</faultcode><faultstring>нет &lt;прав&gt;</faultstring>\
               <detail><a/></detail></s:Fault></s:Body></s:Envelope>";
    let new = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><s:Fault>\
               <s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>x</s:Value></s:Subcode></s:Code>\
               <s:Reason><s:Text xml:lang=\"ru\">нет &lt;прав&gt;</s:Text></s:Reason>\
               </s:Fault></s:Body></s:Envelope>";
    for (text, code, kind) in [(old, "Server", "unavailable"), (new, "Sender", "rejected")] {
        let fault = fault(text);
        let expected = SoapFault { code: code.to_owned(), text: "нет <прав>".to_owned() };
        assert_eq!(fault, ReplyFault::Soap(expected));
        assert_eq!(Fault::from(fault).kind(), kind);
    }
}

#[test]
fn another_answer_is_no_reply() {
    for text in ["<html><body>Вход</body></html>", "<a/>", "{\"error\": 1}"] {
        assert_eq!(Fault::from(fault(text)).kind(), "unavailable", "{text}");
    }
    let other = SAMPLE.replace("GetHistoryOfServiceTreatmentsResponse", "ClientReadResponse");
    assert_eq!(fault(&other), ReplyFault::NotAReply("its body answers another operation"));
}

#[test]
fn memory_does_not_grow_with_the_reply() {
    let (head, rest) = SAMPLE.split_once("<row>").unwrap();
    let (row, tail) = rest.split_once("</row>").unwrap();
    let mut reader = reader();
    reader.push(head.as_bytes()).unwrap();
    let piece = format!("<row>{row}</row>").repeat(10);
    let mut rows = 0;
    for _ in 0..2000 {
        for part in piece.as_bytes().chunks(1000) {
            reader.push(part).unwrap();
        }
        rows += reader.take_rows().len();
        assert!(reader.tokens.capacity() < 64 * 1024 && reader.waiting_bytes() < 64 * 1024);
    }
    reader.push(tail.as_bytes()).unwrap();
    assert_eq!(reader.finish(), Ok(Whole { rows: 20_000, has_table: true }));
    assert_eq!(rows, 20_000);
}

#[test]
fn a_token_in_many_pieces_costs_no_square_of_its_length() {
    let text = table(&["A"], &format!("<row><Value>{}</Value></row>", "a".repeat(200_000)));
    let mut reader = reader();
    for piece in text.as_bytes().chunks(3) {
        reader.push(piece).unwrap();
    }
    assert!(reader.finish().is_ok());
    assert!(reader.tokens.looked < 4 * text.len(), "{} of {}", reader.tokens.looked, text.len());
}
