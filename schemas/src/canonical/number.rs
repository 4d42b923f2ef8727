//! One spelling for every number.

/// So many zeros may follow the digits of a number without an exponent: all integers that other
/// systems have as identifiers stay without one.
const ZEROS_BEHIND: usize = 20;
/// So many may stand between the point and the first digit.
const ZEROS_BEFORE: usize = 5;
/// Exponents of more digits are not counted with.
const EXPONENT_DIGITS: usize = 18;

/// The length of the number at the beginning of `text`; `None` where there is none.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let digits = |at: usize| text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(text.first() == Some(&b'-'));
    at += match (text.get(at)?, digits(at)) {
        (b'0', _) => 1,
        (_, 0) => return None,
        (_, count) => count,
    };
    if text.get(at) == Some(&b'.') {
        let count = digits(at + 1);
        if count == 0 {
            return None;
        }
        at += 1 + count;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        match digits(at) {
            0 => return None,
            count => at += count,
        }
    }
    Some(at)
}

/// Whether a number is surely in its one spelling.
pub(super) fn is_canonical(number: &[u8]) -> bool {
    let unsigned = number.strip_prefix(b"-").unwrap_or(number);
    if number.len() > ZEROS_BEHIND {
        return false;
    }
    let Some(point) = unsigned.iter().position(|byte| !byte.is_ascii_digit()) else {
        return unsigned != b"0" || number.len() == 1;
    };
    let fraction = &unsigned[point + 1..];
    unsigned[point] == b'.'
        && fraction.iter().all(u8::is_ascii_digit)
        && fraction.last() != Some(&b'0')
        && (&unsigned[..point] != b"0" || !fraction.starts_with(&[b'0'; ZEROS_BEFORE + 1]))
}

/// Appends a number, which is one, in its one spelling.
pub(super) fn spell(number: &str, out: &mut String) {
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let without_zeros = all.trim_start_matches('0');
    let digits = without_zeros.trim_end_matches('0');
    if digits.is_empty() {
        out.push('0');
        return;
    }
    let Some(exponent) = counted(exponent) else {
        out.push_str(number);
        return;
    };
    if unsigned.len() < number.len() {
        out.push('-');
    }
    // The value is 0.digits times ten to the power of `point`.
    let leading = all.len() - without_zeros.len();
    let point = exponent + whole.len() as i64 - leading as i64;
    let count = digits.len() as i64;
    if point >= count && point - count <= ZEROS_BEHIND as i64 {
        out.push_str(digits);
        zeros(point - count, out);
    } else if point > 0 && point < count {
        let (whole, fraction) = digits.split_at(point as usize);
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    } else if point <= 0 && -point <= ZEROS_BEFORE as i64 {
        out.push_str("0.");
        zeros(-point, out);
        out.push_str(digits);
    } else {
        let (first, others) = digits.split_at(1);
        out.push_str(first);
        if !others.is_empty() {
            out.push('.');
            out.push_str(others);
        }
        out.push('e');
        out.push_str(&(point - 1).to_string());
    }
}

fn zeros(count: i64, out: &mut String) {
    out.extend((0..count).map(|_| '0'));
}

/// The value of an exponent, unless it has too many digits.
fn counted(exponent: &str) -> Option<i64> {
    let digits = exponent.trim_start_matches(['+', '-']).trim_start_matches('0');
    if digits.len() > EXPONENT_DIGITS {
        return None;
    }
    let value = if digits.is_empty() { 0 } else { digits.parse::<i64>().ok()? };
    Some(if exponent.starts_with('-') { -value } else { value })
}
