use jiff::{Timestamp, ToSpan, civil, tz};

/// How the simulator writes dates: the document says only `date-time`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dates {
    /// Whether forms are mixed, see `Settings::naive_dates`.
    pub(super) mixed: bool,
}

impl Dates {
    /// The text of `at`; the same instant always has the same text.
    pub(super) fn text(self, at: Timestamp) -> String {
        let form = if self.mixed { at.as_second() % 4 } else { 0 };
        let moscow = tz::Offset::constant(3);
        match form {
            1 => at.display_with_offset(moscow).to_string(),
            2 => moscow.to_datetime(at).to_string(),
            3 => format!("{}.1234567", moscow.to_datetime(at)),
            _ => at.to_string(),
        }
    }
}

/// The instant of a `date-time` with an offset, or of one without as Moscow time.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let local: civil::DateTime = text.parse().ok()?;
        tz::Offset::constant(3).to_timestamp(local).ok()
    })
}

/// The last instant at which the estimate of a call finished at `finished` can be edited or sent:
/// the end of `day` of the following month in Moscow (`PatchSystemSettingsInputDTO`).
pub(super) fn cost_deadline(finished: Timestamp, day: i8) -> Option<Timestamp> {
    let moscow = tz::Offset::constant(3);
    let month = moscow.to_datetime(finished).date().first_of_month();
    let last = month.checked_add(1.month()).ok()?.with().day(day).build();
    let after = last.ok()?.tomorrow().ok()?;
    moscow.to_timestamp(after.at(0, 0, 0, 0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_dates_have_four_forms_of_which_two_name_their_offset() {
        let start: Timestamp = "2026-01-12T08:00:00Z".parse().expect("a date");
        let dates = Dates { mixed: true };
        let forms: Vec<_> =
            (0..4).map(|second: i64| dates.text(start + second.seconds())).collect();
        assert_eq!(
            forms,
            [
                "2026-01-12T08:00:00Z",
                "2026-01-12T11:00:01+03:00",
                "2026-01-12T11:00:02",
                "2026-01-12T11:00:03.1234567",
            ]
        );
    }

    #[test]
    fn the_deadline_of_an_estimate_is_the_end_of_the_day_in_the_next_month() {
        let finished = instant("2026-12-31T22:00:00Z").expect("a date");
        let deadline = cost_deadline(finished, 10).expect("a deadline");
        assert_eq!(deadline.to_string(), "2027-02-10T21:00:00Z");
    }
}
