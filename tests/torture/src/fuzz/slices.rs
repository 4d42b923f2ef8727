//! The bodies of days of `enter-export`, which are cut into rows while they arrive.

use serde_json::value::RawValue;
use talon_enter::{SliceFault, Slicer};

use super::json::{Fields, is_json};
use super::samples;

/// Largest ticket.
const LARGEST: usize = 4 * 1024;
/// What stands beside the ticket in a row.
const HEAD: usize = 2 * 64 * 1024 + 64;

type Cut = (Vec<Vec<u8>>, Result<(), SliceFault>);

/// The first byte says in pieces of which size the rest arrives.
pub(super) fn run(data: &[u8]) {
    let Some((&size, body)) = data.split_first() else { return };
    let whole = cut(body, body.len().max(1));
    let pieces = cut(body, usize::from(size) + 1);
    // Where it is wrong counts the bytes of whole pieces.
    let kind = |end: &Result<(), SliceFault>| end.map_err(|fault| std::mem::discriminant(&fault));
    assert_eq!((&whole.0, kind(&whole.1)), (&pieces.0, kind(&pieces.1)), "cut into pieces");

    let (rows, end) = whole;
    for row in &rows {
        assert!(row.len() <= LARGEST + HEAD, "a row of {} bytes", row.len());
    }
    let Some(tickets) = tickets(body) else { return };
    match end {
        // The document's form, and what is too large for us.
        Err(fault) => assert!(is_large(&fault, body), "{fault} of a reply as documented"),
        Ok(()) => {
            assert_eq!(rows.len(), tickets.len(), "a row for each ticket");
            for (row, ticket) in rows.iter().zip(tickets) {
                let row: Fields<'_> = serde_json::from_slice(row).expect("a row is JSON");
                let (name, value) = &row.0[0];
                assert_eq!((name.as_str(), value.get()), ("Ticket", ticket.trim_ascii_end()));
            }
        }
    }
}

/// Rows as they come out, and how it ended.
fn cut(body: &[u8], size: usize) -> Cut {
    let mut slicer = Slicer::new(LARGEST);
    let mut rows = Vec::new();
    for piece in body.chunks(size) {
        let taken = slicer.take(piece);
        rows.extend(slicer.rows().iter().map(<[u8]>::to_vec));
        if taken.is_err() {
            return (rows, taken);
        }
    }
    assert!(is_json(&slicer.head()) || !is_json(body), "the head of a reply is JSON");
    (rows, slicer.finish())
}

/// The tickets of a body in the documented form, without names that come twice; `None` for others.
fn tickets(body: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let days: Vec<Fields<'_>> = match text.trim_start().as_bytes().first()? {
        b'[' => serde_json::from_str(text).ok()?,
        _ => vec![serde_json::from_str(text).ok()?],
    };
    let mut tickets = Vec::new();
    for day in days {
        if !day.are_distinct() {
            return None;
        }
        // Without a list it is another thing, such as an error with status 200, or the list of branches.
        let (_, list) = day.0.iter().find(|(name, _)| name == "Tickets")?;
        let list: Option<Vec<&RawValue>> = serde_json::from_str(list.get()).ok()?;
        tickets.extend(list.into_iter().flatten().map(RawValue::get));
    }
    Some(tickets)
}

fn is_large(fault: &SliceFault, body: &[u8]) -> bool {
    match fault {
        SliceFault::TooLarge => body.len() > LARGEST,
        // The name of a field that long is none.
        SliceFault::Form(_) => body.len() > HEAD / 2,
        SliceFault::Cut(_) => false,
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let days = samples::of("enter").into_iter().map(|(_, body)| body);
    let odd = [
        r#" [ {"Department": {"Name":"\"]},","Id":"b"} , "Tickets": [ {"Id":"1","P":[{"x":"}]"}]},
            {"Id":"2\\"} , 7 ] }, {"Department":{"Id":"c"},"Tickets":[{"Id":"3"}],"More":1}, {"Tickets":[]} ] "#,
        "\u{feff}{\"ServerId\":\"b\",\"DateTime\":\"2017\",\"N\":null,\"Tickets\":[{}]}\n",
        "[]",
        "{}",
    ];
    let bodies = days.chain(odd.into_iter().map(|text| text.as_bytes().to_vec()));
    bodies.enumerate().map(|(size, body)| [&[size as u8 * 3], body.as_slice()].concat()).collect()
}
