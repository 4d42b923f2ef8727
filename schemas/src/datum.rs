//! The few primitives of Avro's binary encoding that the envelope is put together from.
//!
//! Entities are encoded by the `apache-avro` crate. The envelope around them is written by hand,
//! because its parts (`before`, `after`) are already encoded and are only copied.

/// Appends an Avro `int` or `long`: zigzag, then seven bits a byte, lowest first.
pub fn put_long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends an Avro `string` or `bytes`: length, then content.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_long(out, text.len() as i64);
    out.extend_from_slice(text.as_bytes());
}

/// Ends an Avro `array` or `map`.
pub fn put_end(out: &mut Vec<u8>) {
    out.push(0);
}

/// The datum ends early, or is not what its schema says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes do not fit the Avro schema")]
pub struct Malformed;

/// Takes an Avro `int` or `long` from the front of `input`.
pub(crate) fn take_long(input: &mut &[u8]) -> Result<i64, Malformed> {
    let mut value = 0u64;
    for (i, byte) in input.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            *input = &input[i + 1..];
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(Malformed)
}

/// Takes `count` bytes from the front of `input`.
pub(crate) fn take<'a>(input: &mut &'a [u8], count: i64) -> Result<&'a [u8], Malformed> {
    let count = usize::try_from(count).map_err(|_| Malformed)?;
    let (head, tail) = input.split_at_checked(count).ok_or(Malformed)?;
    *input = tail;
    Ok(head)
}

/// Takes an Avro `string` from the front of `input`.
pub(crate) fn take_text<'a>(input: &mut &'a [u8]) -> Result<&'a str, Malformed> {
    let length = take_long(input)?;
    std::str::from_utf8(take(input, length)?).map_err(|_| Malformed)
}

/// Reads the leading fields of an entity's datum, one after another, as its schema has them.
#[derive(Debug, Clone)]
pub struct Datum<'a>(&'a [u8]);

impl<'a> Datum<'a> {
    /// From the first field.
    pub fn new(datum: &'a [u8]) -> Datum<'a> {
        Datum(datum)
    }

    /// The next field, an Avro `string`.
    ///
    /// # Errors
    /// As all methods: where the datum is no such value.
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        take_text(&mut self.0)
    }

    /// The next field, an Avro `boolean`.
    ///
    /// # Errors
    /// As [`Datum::text`].
    pub fn flag(&mut self) -> Result<bool, Malformed> {
        Ok(take(&mut self.0, 1)? == [1])
    }

    /// The next field, an Avro `array` of `string`.
    ///
    /// # Errors
    /// As [`Datum::text`]; what was given before the error was there.
    pub fn texts(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), Malformed> {
        loop {
            let mut count = take_long(&mut self.0)?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                take_long(&mut self.0)?;
                count = count.checked_neg().ok_or(Malformed)?;
            }
            for _ in 0..count {
                each(take_text(&mut self.0)?);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_comes_back_as_it_went() {
        for value in [0, -1, 1, 63, 64, -64, -65, i64::MAX, i64::MIN, 1_700_000_000_000_000] {
            let mut bytes = Vec::new();
            put_long(&mut bytes, value);
            let mut input = bytes.as_slice();
            assert_eq!(take_long(&mut input), Ok(value));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn leading_fields_are_read_one_after_another() {
        let mut bytes = Vec::new();
        put_text(&mut bytes, "a");
        bytes.push(1);
        for block in [["x", "y"], ["z", "ü"]] {
            put_long(&mut bytes, 2);
            block.iter().for_each(|text| put_text(&mut bytes, text));
        }
        put_long(&mut bytes, 0);
        let mut datum = Datum::new(&bytes);
        assert_eq!((datum.text(), datum.flag()), (Ok("a"), Ok(true)));
        let mut found = String::new();
        datum.texts(&mut |text| found.push_str(text)).unwrap();
        assert_eq!(found, "xyzü");
        assert_eq!(datum.text(), Err(Malformed));
    }

    #[test]
    fn a_cut_or_endless_number_is_malformed() {
        assert_eq!(take_long(&mut [].as_slice()), Err(Malformed));
        assert_eq!(take_long(&mut [0x80].as_slice()), Err(Malformed));
        assert_eq!(take_long(&mut [0xff; 11].as_slice()), Err(Malformed));
        assert_eq!(take_text(&mut [0x08, b'a'].as_slice()), Err(Malformed));
        assert_eq!(take_text(&mut [0x01].as_slice()), Err(Malformed), "a negative length");
    }
}
