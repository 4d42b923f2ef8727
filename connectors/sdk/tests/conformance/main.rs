//! What `talon_sdk::conformance` finds: nothing of a shop that is right, and of each that is wrong in one way
//! exactly that.
#![allow(clippy::unwrap_used)]

mod applier;
mod connector;
mod shop;
mod simulation;

use talon_sdk::conformance::{Property, Report, check};

use self::connector::{ShopClass, Wrong};
use self::simulation::Simulated;

async fn found(wrong: Wrong) -> Report {
    let class = ShopClass::new(wrong);
    check(&class, async || Simulated::start(&class)).await
}

async fn breaks(wrong: Wrong, property: Property, words: &[&str]) {
    let report = found(wrong).await;
    assert_eq!(report.properties(), [property], "{wrong:?}: {report}");
    let text = report.to_string();
    for word in words {
        assert!(text.contains(word), "no `{word}` in {text}");
    }
}

#[tokio::test]
async fn a_connector_that_keeps_its_promises_passes_and_all_of_them_are_looked_at() {
    let report = found(Wrong::Nothing).await;
    report.assert();
    let text = report.to_string();
    for word in [
        "feed `item`: opened anew from",
        "feed `entry`: opened anew from",
        "feed `entry`: dropped at",
        "spelled in another way by the upstream",
        "command `Rename`: 5 bad parameters",
        "command `Rename`: both ways to lose a reply",
        "Refuses: what feeds and commands say of it",
        "lines of the log",
    ] {
        assert!(text.contains(word), "no `{word}` in {text}");
    }
}

#[tokio::test]
async fn a_cursor_that_runs_ahead_of_what_was_given_is_found() {
    let words = ["feed `entry`, opened anew from cursor", "is missed", "→ give a cursor only"];
    breaks(Wrong::CursorAhead, Property::Resume, &words).await;
}

#[tokio::test]
async fn what_is_taken_off_before_an_await_is_found_lost() {
    let words = ["feed `entry`, dropped at await", "is lost"];
    breaks(Wrong::TakenBeforeAwait, Property::Cancellation, &words).await;
}

#[tokio::test]
async fn a_lock_that_a_dropped_read_keeps_is_found() {
    let words = ["feed `item`, dropped at await", "nothing more came"];
    breaks(Wrong::LockKept, Property::Cancellation, &words).await;
}

#[tokio::test]
async fn a_session_that_a_dropped_read_leaves_open_is_found() {
    let words = ["dropped at await", "still open upstream is: 1 sessions"];
    breaks(Wrong::SessionLeft, Property::Cancellation, &words).await;
}

#[tokio::test]
async fn a_full_list_that_is_not_full_is_found() {
    let words = ["the full list of scope `b` lacks", "it would be deleted"];
    breaks(Wrong::ShortList, Property::Absence, &words).await;
}

#[tokio::test]
async fn scopes_that_overlap_are_found() {
    breaks(Wrong::Overlap, Property::Absence, &["stands in the lists of `a` and of `b`"]).await;
}

#[tokio::test]
async fn a_full_list_of_a_feed_that_tells_no_absence_is_found() {
    let words = ["feed `entry`", "though the codec says it tells no absence"];
    breaks(Wrong::FullThough, Property::Absence, &words).await;
}

#[tokio::test]
async fn what_is_removed_and_never_told_absent_is_found() {
    breaks(Wrong::NeverAbsent, Property::Absence, &["was removed, and is never told absent"]).await;
}

#[tokio::test]
async fn a_peeked_key_that_is_not_decoded_is_found() {
    breaks(Wrong::OtherKey, Property::PeekedKey, &["row 0 of scope `a`", "is peeked, and"]).await;
}

#[tokio::test]
async fn a_datum_that_follows_the_bytes_is_found() {
    let words = ["is another datum when it is spelled", "changes, though only its bytes do"];
    breaks(Wrong::FollowsBytes, Property::SameContent, &words).await;
}

#[tokio::test]
async fn fields_and_odd_values_that_are_lost_are_found() {
    let words = ["the unknown field `conformanceUnknown` is lost", "the value of `name` is lost"];
    breaks(Wrong::DropsUnknown, Property::NothingLost, &words).await;
}

#[tokio::test]
async fn a_secret_in_the_log_is_found() {
    breaks(Wrong::LogsSecret, Property::Discretion, &["the log", "a secret of the settings"]).await;
}

#[tokio::test]
async fn a_value_in_a_row_fault_is_found() {
    breaks(Wrong::QuotesRow, Property::Discretion, &["a row fault", "feed `item`, row"]).await;
}

#[tokio::test]
async fn a_reply_in_a_fault_is_found() {
    let words = ["feed `item`, Fails", "a text that the simulation names"];
    breaks(Wrong::QuotesReply, Property::Discretion, &words).await;
}

#[tokio::test]
async fn parameters_that_are_made_up_are_found() {
    let words = ["command `Rename`, parameter `id` Missing", "sent 1 times"];
    breaks(Wrong::MakesUpParams, Property::Parameters, &words).await;
}

#[tokio::test]
async fn a_wrong_finding_is_found() {
    let words = ["its reply lost After its effect", "the finding is wrong: Absent"];
    breaks(Wrong::AlwaysAbsent, Property::LostReply, &words).await;
}

#[tokio::test]
async fn a_command_that_is_sent_twice_is_found() {
    breaks(Wrong::SendsTwice, Property::LostReply, &["it is sent 2 times"]).await;
}

#[tokio::test]
async fn a_command_that_is_sent_without_leave_is_found() {
    breaks(Wrong::NeedsNoLeave, Property::LostReply, &["without leave"]).await;
}
