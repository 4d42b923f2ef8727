//! Decimal numbers: bytes of the unscaled one, the highest first, two's complement.

use num_bigint::BigInt;

/// Most bytes of an unscaled number, and most digits behind the point: to spell it takes the square of that.
const MOST: usize = 1_024;

/// The text of a number with so many digits behind the point; none where it is too large.
pub(super) fn text(unscaled: &[u8], scale: i64) -> Option<String> {
    let scale = usize::try_from(scale).ok().filter(|scale| *scale <= MOST)?;
    if unscaled.is_empty() || unscaled.len() > MOST {
        return None;
    }
    let number = BigInt::from_signed_bytes_be(unscaled);
    let (sign, digits) = number.into_parts();
    let mut digits = digits.to_string();
    if digits.len() <= scale {
        digits.insert_str(0, &"0".repeat(scale + 1 - digits.len()));
    }
    if scale > 0 {
        digits.insert(digits.len() - scale, '.');
    }
    Some(if sign == num_bigint::Sign::Minus { format!("-{digits}") } else { digits })
}

/// The fewest bytes of the unscaled number; none where it is no number, or has more digits behind the point.
pub(super) fn unscaled(text: &str, scale: usize) -> Option<Vec<u8>> {
    if text.len() > 3 * MOST || scale > MOST {
        return None;
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(part) || part.len() > scale {
        return None;
    }
    let zeros = "0".repeat(scale - part.len());
    let number: BigInt = format!("{sign}{whole}{part}{zeros}").parse().ok()?;
    Some(number.to_signed_bytes_be())
}

/// The same number in so many bytes; none where it does not fit.
pub(super) fn widened(mut number: Vec<u8>, size: usize) -> Option<Vec<u8>> {
    let missing = size.checked_sub(number.len())?;
    let sign = if number.first().is_some_and(|first| *first >= 0x80) { 0xff } else { 0 };
    number.splice(0..0, std::iter::repeat_n(sign, missing));
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_spelled_with_its_scale_and_comes_back() {
        for (bytes, scale, expected) in [
            (&[0x00][..], 0, "0"),
            (&[0x00], 3, "0.000"),
            (&[0x01], 3, "0.001"),
            (&[0xff], 2, "-0.01"),
            (&[0x30, 0x39], 2, "123.45"),
            (&[0xcf, 0xc7], 0, "-12345"),
            (&[0x00, 0x80], 1, "12.8"),
        ] {
            assert_eq!(text(bytes, scale).as_deref(), Some(expected));
            assert_eq!(unscaled(expected, scale as usize).as_deref(), Some(bytes), "{expected}");
        }
        assert_eq!(unscaled("1.5", 3), unscaled("1.500", 3));
        for odd in ["", "-", "1.2345", "1e3", "+1", ".5", "1.-5", "--1", "x"] {
            assert_eq!(unscaled(odd, 3), None, "{odd}");
        }
        assert_eq!((text(&[], 0), text(&[1], -1), text(&[1], 2_000)), (None, None, None));
        assert_eq!(widened(vec![0xfe], 3), Some(vec![0xff, 0xff, 0xfe]));
        assert_eq!((widened(vec![1], 2), widened(vec![1, 2], 1)), (Some(vec![0, 1]), None));
    }
}
