//! Dead letters by reason: looked at, tried again, redriven, discarded.
//!
//! Nothing is settled at the first click: a redrive is tried without effect first and says what would become of each,
//! and both ask once more.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use talon_runtime::engine::Action;

use super::actions::may_send;
use super::caller::Caller;
use super::layout::{self, Page, Part};
use super::state::Console;
use super::text::{Count, Encoded, instant, warning};
use crate::dead_letters::{Choice, Letter, Report, Trouble};
use crate::server::access;

/// Reasons that are shown, and letters of one reason.
const REASONS: usize = 100;
const LETTERS: usize = 100;

/// Characters of a letter's bytes that are shown.
const BYTES: usize = 16 * 1024;

/// How long a request waits for whoever runs the connector.
const PATIENCE: Duration = Duration::from_secs(30);

/// What letters have in common: their stage, their feed and their reason.
type Group<'a> = (&'a str, &'a str, &'a str);

fn text<'q>(query: &'q HashMap<String, String>, name: &str) -> &'q str {
    query.get(name).map(|text| text.trim()).unwrap_or_default()
}

/// The letters that are chosen by their reason, stage and feed, or by their place.
fn choice(query: &HashMap<String, String>) -> Choice {
    let given = |name: &str| query.get(name).filter(|text| !text.is_empty()).cloned();
    let place = text(query, "at").parse().ok();
    let (places, all) = (place.map(|at: u64| std::iter::once(at).collect()), place.is_some());
    Choice { places, reason: given("reason"), stage: given("stage"), feed: given("feed"), all }
}

/// The page of a connector's letters, or of one of them.
pub(super) async fn page(
    State(console): State<Console>,
    caller: Caller,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let names = console.instances.names();
    let name = match text(&query, "connector") {
        "" => names.first().cloned().unwrap_or_default(),
        name => name.to_owned(),
    };
    let found = console.instances.dead_letters().list(&name, choice(&query)).await;
    let is_one = !text(&query, "at").is_empty();
    let main = html! {
        h1 { "Dead letters" }
        (form(&names, &name))
        @match found {
            Ok(letters) if is_one => (one(&name, &letters, caller)),
            Ok(letters) if text(&query, "stage").is_empty() => (reasons(&name, &letters)),
            Ok(letters) => (of_reason(&name, &letters, caller)),
            Err(Trouble::NoTopic(_)) => { p { "None: it has no topic of them yet." } }
            Err(trouble) => { p.problem { (trouble) } }
        }
    };
    let page = Page { title: "Dead letters", part: Part::Letters, is_live: false, main };
    layout::page(&console, caller, &page)
}

fn form(names: &[String], name: &str) -> Markup {
    html! {
        form.filter method="get" role="search" {
            label for="connector" { "Connector" }
            select #connector name="connector" {
                @for one in names { option selected[one == name] { (one) } }
            }
            button { "Show" }
        }
    }
}

/// Letters by what they have in common, the most first.
pub(super) fn reasons(name: &str, letters: &[Letter]) -> Markup {
    let mut groups: BTreeMap<Group<'_>, (u64, i64)> = BTreeMap::new();
    for Letter { letter, .. } in letters {
        let of = (letter.stage(), letter.feed(), letter.reason());
        let (count, newest) = groups.entry(of).or_default();
        *count += 1;
        *newest = letter.at_ms.max(*newest);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    html! {
        @if letters.is_empty() { p { "None waits." } }
        @else {
            table.letters {
                caption { (Count(letters.len() as u64)) " wait, by reason, the most first" }
                thead { tr {
                    th scope="col" { "Reason" }
                    th scope="col" { "Stage" }
                    th scope="col" { "Feed" }
                    th.number scope="col" { "Letters" }
                    th scope="col" { "Newest" }
                } }
                tbody {
                    @for ((stage, feed, reason), (count, newest)) in groups.iter().take(REASONS) {
                        tr {
                            th scope="row" {
                                a href={
                                    "letters?connector=" (Encoded(name)) "&stage=" (Encoded(stage))
                                    "&feed=" (Encoded(feed)) "&reason=" (Encoded(reason))
                                } { (if reason.is_empty() { "no reason" } else { reason }) }
                            }
                            td data-name="Stage" { (stage) }
                            td data-name="Feed" { (feed) }
                            td.number data-name="Letters" { (Count(*count)) }
                            td data-name="Newest" { (instant(*newest)) }
                        }
                    }
                }
            }
            @if groups.len() > REASONS { p.note { "And " (groups.len() - REASONS) " reasons more." } }
        }
    }
}

/// The letters of one reason.
pub(super) fn of_reason(name: &str, letters: &[Letter], caller: Caller) -> Markup {
    let Some(first) = letters.first() else {
        return html! { p { "None of these waits any more." } };
    };
    let group = (first.letter.stage(), first.letter.feed(), first.letter.reason());
    html! {
        h2 { (group.2) }
        p.todo { b { "Do: " } (first.what_to_do()) ". " a href="runbook#talondeadletters" { "TalonDeadLetters" } }
        (buttons(name, group, None, caller))
        table.letters {
            caption { (Count(letters.len() as u64)) " letters, oldest first" }
            thead { tr {
                @for column in ["Place", "Key", "Put aside"] { th scope="col" { (column) } }
                th.number scope="col" { "Bytes" }
                th.number scope="col" { "Redriven" }
            } }
            tbody {
                @for Letter { letter, .. } in letters.iter().take(LETTERS) {
                    tr {
                        th scope="row" {
                            a href={ "letters?connector=" (Encoded(name)) "&at=" (letter.at) } { (letter.at) }
                        }
                        td data-name="Key" { code { (letter.key) } }
                        td data-name="Put aside" { (instant(letter.at_ms)) }
                        td.number data-name="Bytes" { (Count(letter.value.len() as u64)) }
                        td.number data-name="Redriven" { (letter.redriven()) }
                    }
                }
            }
        }
        @if letters.len() > LETTERS { p.note { "And " (letters.len() - LETTERS) " more." } }
    }
}

/// One letter with its bytes.
pub(super) fn one(name: &str, letters: &[Letter], caller: Caller) -> Markup {
    let Some(shown) = letters.first() else {
        return html! { p.problem { "There is no such letter, or not any more." } };
    };
    let letter = &shown.letter;
    let group = (letter.stage(), letter.feed(), letter.reason());
    let bytes: String = shown.bytes(caller.may_operate).chars().take(BYTES).collect();
    html! {
        h2 { "Letter " (letter.at) }
        p.todo { b { "Do: " } (shown.what_to_do()) ". " a href="runbook#talondeadletters" { "TalonDeadLetters" } }
        @if shown.settled.is_none() { (buttons(name, group, Some(letter.at), caller)) }
        dl.facts {
            dt { "Reason" } dd { (letter.reason()) }
            dt { "Put aside" } dd { (instant(letter.at_ms)) }
            dt { "Key" } dd { code { (letter.key) } }
            @if let Some(verdict) = shown.settled { dt { "Settled" } dd { (verdict.word()) } }
        }
        table.fields {
            caption { "Its headers" }
            thead { tr { th scope="col" { "Header" } th scope="col" { "Value" } } }
            tbody {
                @for (header, value) in &letter.headers {
                    tr { th scope="row" { (header) } td { code { (value) } } }
                }
            }
        }
        h2 { "Its bytes" }
        pre tabindex="0" { (bytes) }
        @if !caller.may_operate { p.note { "Texts and long numbers are masked for those who may read alone." } }
    }
}

/// The buttons for one letter, or for all of a reason.
fn buttons(
    name: &str,
    (stage, feed, reason): Group<'_>,
    at: Option<u64>,
    caller: Caller,
) -> Markup {
    let fields = html! {
        input type="hidden" name="connector" value=(name);
        @match at {
            Some(at) => { input type="hidden" name="at" value=(at); }
            None => {
                input type="hidden" name="stage" value=(stage);
                input type="hidden" name="feed" value=(feed);
                input type="hidden" name="reason" value=(reason);
            }
        }
    };
    html! {
        @if caller.may_operate {
            div.buttons {
                form method="post" action="settle" {
                    (fields)
                    button name="action" value="redrive" { "Redrive: try first" }
                    " "
                    button name="action" value="discard" { "Discard" }
                }
            }
        } @else { p.note { "To redrive and to discard is for those who may operate." } }
    }
}

/// Tries, redrives or discards; without `sure` it says what would become of them and asks.
pub(super) async fn settle(
    State(console): State<Console>,
    known: access::Caller,
    caller: Caller,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let refuse = |code, why: &str| layout::refusal(&console, caller, (code, Part::Letters), why);
    let (name, word) = (text(&form, "connector"), text(&form, "action"));
    if let Err(error) = may_send(&known, &headers, name, word) {
        return refuse(error.code(), error.message());
    }
    let action = match word {
        "redrive" => Action::Redrive { once_more: false },
        "discard" => Action::Discard,
        _ => return refuse(StatusCode::BAD_REQUEST, "the console has no such button"),
    };
    let chosen = Choice { all: false, ..choice(&form) };
    if chosen.places.is_none() && (chosen.reason.is_none() || chosen.stage.is_none()) {
        return refuse(StatusCode::BAD_REQUEST, "no letter and no reason was chosen");
    }
    let is_sure = text(&form, "sure") == "yes";
    let letters = console.instances.dead_letters();
    let settled = letters.settle(name, chosen, action, !is_sure, PATIENCE).await;
    if is_sure {
        let is_done = settled.is_ok();
        tracing::info!(
            connector = name,
            change = word,
            is_done,
            who = known.who(),
            from = known.origin(),
            "dead letters in the console"
        );
    }
    match settled {
        Ok(report) => {
            let main = outcome(&report, &form, is_sure);
            let page = Page { title: "Dead letters", part: Part::Letters, is_live: false, main };
            layout::page(&console, caller, &page)
        }
        Err(trouble) => refuse(StatusCode::CONFLICT, &trouble.to_string()),
    }
}

/// What became of letters, or would.
pub(super) fn outcome(report: &Report, form: &HashMap<String, String>, is_sure: bool) -> Markup {
    let word = text(form, "action");
    html! {
        h1 { @if is_sure { "What became of them" } @else { "What would become of them" } }
        @if let Some(trouble) = &report.trouble { p.problem { (trouble) } }
        ul {
            @for (verdict, count) in &report.counts { li { (Count(*count)) " " (verdict.word()) } }
            @if report.counts.is_empty() { li { "None of these waits." } }
        }
        @if !is_sure && !report.counts.is_empty() {
            form.buttons method="post" action="settle" {
                @for (name, value) in form.iter().filter(|(name, _)| *name != "sure") {
                    input type="hidden" name=(name) value=(value);
                }
                input type="hidden" name="sure" value="yes";
                button {
                    @if word == "discard" { "Discard them for good" } @else { "Redrive them" }
                }
            }
            @if word == "discard" { p.note { (warning("A discarded letter is not tried again.")) } }
        }
        p { a href={ "letters?connector=" (Encoded(text(form, "connector"))) } { "Back to the letters" } }
        table.letters {
            caption { "Letter by letter" }
            thead { tr { @for column in ["Place", "What", "Note"] { th scope="col" { (column) } } } }
            tbody {
                @for ruling in report.rulings.iter().take(LETTERS) {
                    tr {
                        th scope="row" { (ruling.at) }
                        td data-name="What" { (ruling.verdict.word()) }
                        td data-name="Note" { (ruling.note) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use talon_runtime::bus::DeadLetter;
    use talon_runtime::{Ruling, Verdict};

    use super::*;

    const HOSTILE: &str = "</td><script>alert(1)</script>";
    const READER: Caller = Caller { may_operate: false };
    const OPERATOR: Caller = Caller { may_operate: true };

    fn letter(at: u64, reason: &str) -> Letter {
        let headers =
            [("__connect.errors.stage", "decode"), ("__connect.errors.exception.message", reason)];
        let headers = headers.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
        let value = br#"{"id":7,"name":"Anna"}"#.to_vec();
        let letter =
            DeadLetter { at, at_ms: 1_700_000_000_000, key: HOSTILE.to_owned(), value, headers };
        Letter { letter, settled: None }
    }

    #[test]
    fn letters_are_text_whoever_wrote_them_and_masked_for_those_who_may_only_read() {
        let letters = [letter(3, HOSTILE), letter(4, "no number"), letter(5, "no number")];
        assert_eq!(letters[0].letter.reason(), HOSTILE);
        for caller in [READER, OPERATOR] {
            for page in [
                reasons("c", &letters),
                of_reason("c", &letters, caller),
                one("c", &letters, caller),
            ] {
                let page = page.into_string();
                assert!(!page.contains("<script>"), "{page}");
            }
            let page = one("c", &letters, caller).into_string();
            assert_eq!(page.contains("Anna"), caller.may_operate, "{page}");
            assert_eq!(page.contains("<form"), caller.may_operate, "{page}");
        }
        let page = reasons("c", &letters).into_string();
        assert!(page.find("no number") < page.find("alert"), "the most first: {page}");
    }

    #[test]
    fn nothing_is_settled_at_the_first_click() {
        let form = [("connector", "c"), ("action", "discard"), ("at", "3")];
        let form = form.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let ruling = Ruling { at: 3, verdict: Verdict::Discarded, note: HOSTILE.to_owned() };
        let report = Report {
            counts: [(Verdict::Discarded, 1)].into(),
            rulings: vec![ruling],
            trouble: None,
        };
        let asks = outcome(&report, &form, false).into_string();
        assert!(
            asks.contains("What would become") && asks.contains(r#"name="sure" value="yes""#),
            "{asks}"
        );
        assert!(asks.contains(r#"name="at" value="3""#) && !asks.contains("<script>"), "{asks}");
        let told = outcome(&report, &form, true).into_string();
        assert!(told.contains("What became") && !told.contains("<form"), "{told}");
    }
}
