//! How far modification marks are believed.
//!
//! A mark is an opaque number, and the highest one is asked from next. One row with a mark far beyond all
//! others would so hide every later change, for ever. Whether such a leap is a mistake cannot be decided
//! from the number. So the mark stays below it while no more than [`FEW`] rows stand beyond: they are read
//! again and again, and cost no event. When more do, the upstream's marks have moved, and so does ours.
//!
//! A leap is a gap of more than 10⁹ and more than a quarter of the mark below it, such as 14 years in
//! milliseconds since 1970. Counters make smaller ones.

/// So many rows beyond a leap are believed.
pub const FEW: usize = 100;

const SMALLEST: i64 = 1_000_000_000;

/// What is believed of the marks of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Believed {
    /// The highest mark that is believed; `None` where there is none.
    pub highest: Option<i64>,
    /// The leap behind it.
    pub leap: Option<Leap>,
}

/// A leap that is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leap {
    /// The highest mark below it.
    pub from: i64,
    /// The lowest mark beyond it.
    pub to: i64,
    /// Rows beyond it.
    pub rows: usize,
}

/// The mark is a leap from that below it.
fn is_leap(from: i64, to: i64) -> bool {
    from > 0 && to.saturating_sub(from) > SMALLEST.max(from / 4)
}

/// How far the marks of a reply are believed; `known` is the highest that was before.
pub fn believed(known: Option<i64>, marks: impl IntoIterator<Item = i64>) -> Believed {
    let mut marks: Vec<i64> =
        marks.into_iter().filter(|mark| known.is_none_or(|k| *mark > k)).collect();
    marks.sort_unstable();
    let mut below = known.filter(|known| *known > 0);
    for (place, &mark) in marks.iter().enumerate() {
        let rows = marks.len() - place;
        // In a first read, most rows say where the marks are.
        let is_outlier = rows <= FEW && (known.is_some() || rows <= place);
        if let Some(from) = below
            && is_outlier
            && is_leap(from, mark)
        {
            return Believed { highest: Some(from), leap: Some(Leap { from, to: mark, rows }) };
        }
        below = Some(mark);
    }
    Believed { highest: marks.last().copied().or(known), leap: None }
}

impl Leap {
    /// For people.
    pub fn doubt(self) -> String {
        let Leap { from, to, rows } = self;
        format!(
            "{rows} rows have modification marks that leap from `{from}` to `{to}`: the mark stays below, and \
             what is beyond is read again each time until more than {FEW} rows are; have the rows mended upstream"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_770_000_000_000;
    const FAR: i64 = 9_000_000_000_000_000;

    fn of(known: Option<i64>, marks: &[i64]) -> (Option<i64>, Option<usize>) {
        let Believed { highest, leap } = believed(known, marks.iter().copied());
        (highest, leap.map(|leap| leap.rows))
    }

    #[test]
    fn a_mark_that_leaps_is_not_believed_while_few_rows_are_beyond() {
        assert_eq!(of(Some(NOW), &[FAR]), (Some(NOW), Some(1)));
        assert_eq!(of(Some(NOW), &[FAR, NOW + 5, i64::MAX]), (Some(NOW + 5), Some(2)));
        assert_eq!(of(Some(NOW), &[NOW + 15 * 31_536_000_000]), (Some(NOW), Some(1)));
        assert_eq!(of(None, &[NOW - 9, FAR, NOW]), (Some(NOW), Some(1)));
        assert_eq!(of(Some(7), &[8, FAR]), (Some(8), Some(1)), "counters");
        assert_eq!(of(Some(638_000_000_000_000_000), &[i64::MAX]).1, Some(1), "ticks of .NET");
        let many: Vec<i64> = (0..=FEW as i64).map(|row| FAR + row).collect();
        assert_eq!(of(Some(NOW), &many), (Some(FAR + FEW as i64), None), "the marks have moved");
        assert_eq!(of(Some(NOW), &many[..FEW]), (Some(NOW), Some(FEW)));
    }

    #[test]
    fn marks_that_go_on_are_believed() {
        assert_eq!(of(None, &[]), (None, None));
        assert_eq!(of(Some(NOW), &[]), (Some(NOW), None));
        assert_eq!(of(Some(NOW), &[NOW - 7, NOW]), (Some(NOW), None));
        assert_eq!(
            of(Some(NOW), &[NOW + 5 * 31_536_000_000]),
            (Some(NOW + 5 * 31_536_000_000), None)
        );
        assert_eq!(of(Some(0), &[NOW]), (Some(NOW), None), "nothing was known");
        assert_eq!(of(None, &[0, NOW, NOW + 1]), (Some(NOW + 1), None));
        assert_eq!(of(None, &[5, NOW, NOW + 1]), (Some(NOW + 1), None), "most rows are beyond");
        assert_eq!(of(Some(3), &[900_000_000]), (Some(900_000_000), None), "a counter");
        assert_eq!(of(Some(-5), &[-3]), (Some(-3), None));
    }
}
