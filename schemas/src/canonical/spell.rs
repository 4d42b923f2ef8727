//! Writes a JSON text in its one spelling.

use super::{number, text};

/// So deep may arrays and objects be nested; it is also how deep most readers go.
pub const DEEPEST: usize = 128;

/// `None` where the text is no JSON, or is nested too deep.
pub(super) fn spelled(json: &str) -> Option<String> {
    let mut speller = Speller { json, at: 0, out: String::with_capacity(json.len()) };
    speller.value(DEEPEST)?;
    speller.skip_blank();
    (speller.at == json.len()).then_some(speller.out)
}

struct Speller<'j> {
    json: &'j str,
    at: usize,
    out: String,
}

/// A field of an object, as it stands in what was written.
struct Field {
    start: usize,
    key_end: usize,
    end: usize,
}

impl Speller<'_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        let json = self.json;
        match self.next()? {
            b'"' => self.text(),
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => {
                let rest = &json[self.at..];
                let length = number::length(rest.as_bytes())?;
                number::spell(&rest[..length], &mut self.out);
                self.at += length;
                Some(())
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.take(b'{')?;
        let first = self.out.len();
        let mut fields: Vec<Field> = Vec::new();
        if self.next()? == b'}' {
            return self.take(b'}');
        }
        loop {
            self.next()?;
            let start = self.out.len();
            self.text()?;
            let key_end = self.out.len();
            self.next()?;
            self.take(b':')?;
            self.value(depth)?;
            fields.push(Field { start, key_end, end: self.out.len() });
            match self.next()? {
                b',' => self.take(b',')?,
                _ => break,
            }
        }
        self.sort(first, &mut fields);
        self.take(b'}')
    }

    /// Puts the fields of an object into the order of their keys.
    fn sort(&mut self, first: usize, fields: &mut [Field]) {
        let out = &self.out;
        let order =
            |a: &Field, b: &Field| text::order(&out[a.start..a.key_end], &out[b.start..b.key_end]);
        if fields.is_sorted_by(|a, b| order(a, b).is_le()) {
            return;
        }
        fields.sort_by(order);
        let as_it_came = self.out.split_off(first);
        for (place, field) in fields.iter().enumerate() {
            if place > 0 {
                self.out.push(',');
            }
            self.out.push_str(&as_it_came[field.start - first..field.end - first]);
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        if self.next()? == b']' {
            return self.take(b']');
        }
        loop {
            self.value(depth)?;
            match self.next()? {
                b',' => self.take(b',')?,
                _ => return self.take(b']'),
            }
        }
    }

    fn text(&mut self) -> Option<()> {
        if self.json.as_bytes().get(self.at) != Some(&b'"') {
            return None;
        }
        let end = text::end(self.json.as_bytes(), self.at)?;
        text::spell(&self.json[self.at..end], &mut self.out);
        self.at = end;
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.json[self.at..].starts_with(word).then(|| {
            self.out.push_str(word);
            self.at += word.len();
        })
    }

    /// The next byte that is not blank.
    fn next(&mut self) -> Option<u8> {
        self.skip_blank();
        self.json.as_bytes().get(self.at).copied()
    }

    fn skip_blank(&mut self) {
        let rest = &self.json.as_bytes()[self.at..];
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().take_while(blank).count();
    }

    /// Takes a byte that must be there, and writes it.
    fn take(&mut self, byte: u8) -> Option<()> {
        if self.json.as_bytes().get(self.at) != Some(&byte) {
            return None;
        }
        self.at += 1;
        self.out.push(char::from(byte));
        Some(())
    }
}
