//! Where brackets and texts stand in JSON, 64 bytes at a time: the structure of a reply is found without
//! reading what is in it.
//!
//! Each byte of a block has a bit in a mask. Which bytes stand in texts follows from the quotes that are not
//! escaped: a byte does if the number of quotes up to it is odd. Nothing here judges whether it is JSON.

use memchr::memmem::Finder;
use wide::u8x16;

const BLOCK: usize = 64;

/// A stack of brackets in the bits of a number holds so many.
const DEEPEST: u32 = 64;

/// So many times a name is looked for in one row, before it is read as JSON instead.
const PLACES: usize = 4;

/// What stands where in a block: a bit for each byte.
struct Block {
    /// Quotes that begin a text.
    texts: u64,
    /// `{` and `[` that stand in no text.
    opening: u64,
    /// `}` and `]` that stand in no text.
    closing: u64,
}

/// What a block must know of those before it.
#[derive(Default)]
struct Blocks {
    /// All ones within a text.
    in_text: u64,
    /// One if the first byte is escaped.
    escaped: u64,
}

impl Blocks {
    /// The next block. `None` where a backslash stands in no text: then it is no JSON.
    #[inline(always)]
    fn next(&mut self, block: &[u8; BLOCK]) -> Option<Block> {
        let (mut quotes, mut backslashes, mut opening, mut closing) = (0, 0, 0, 0);
        for (number, part) in block.as_chunks::<16>().0.iter().enumerate() {
            let bytes = u8x16::new(*part);
            // Makes `{` of `[`, and `}` of `]`.
            let folded = bytes | u8x16::splat(0x20);
            let mask = |of: u8x16, byte| {
                u64::from(of.simd_eq(u8x16::splat(byte)).to_bitmask()) << (16 * number)
            };
            quotes |= mask(bytes, b'"');
            backslashes |= mask(bytes, b'\\');
            opening |= mask(folded, b'{');
            closing |= mask(folded, b'}');
        }
        quotes &= !self.escapes(backslashes);
        let in_text = running_xor(quotes) ^ self.in_text;
        // The last bit, as all bits.
        self.in_text = 0_u64.wrapping_sub(in_text >> 63);
        (backslashes & !in_text == 0).then_some(Block {
            texts: quotes & in_text,
            opening: opening & !in_text,
            closing: closing & !in_text,
        })
    }

    /// Which bytes are escaped: those behind an odd number of backslashes.
    #[inline(always)]
    fn escapes(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let backslashes = backslashes & !self.escaped;
        let behind = backslashes << 1 | self.escaped;
        // A run that begins at an odd place: adding it to itself carries to the place behind the run.
        let odd = backslashes & !EVEN & !behind;
        let (carried, over) = odd.overflowing_add(backslashes);
        self.escaped = u64::from(over);
        (EVEN ^ (carried << 1)) & behind
    }
}

/// Each bit is the parity of those up to it.
#[inline(always)]
fn running_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// The text in blocks, the last one filled up with blanks.
fn blocks(text: &[u8]) -> (&[[u8; BLOCK]], [u8; BLOCK]) {
    let (whole, rest) = text.as_chunks::<BLOCK>();
    let mut last = [b' '; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    (whole, last)
}

/// Where the object or list ends that the text begins with: behind its bracket.
///
/// `None` where brackets do not match, or are too deep, or where a backslash stands in no text: then
/// somebody else has to look.
pub(crate) fn end_of(text: &[u8]) -> Option<usize> {
    let (mut state, (whole, last)) = (Blocks::default(), blocks(text));
    let (mut depth, mut kinds) = (0, 0_u64);
    for (number, bytes) in whole.iter().chain([&last]).enumerate() {
        let block = state.next(bytes)?;
        let mut brackets = block.opening | block.closing;
        while brackets != 0 {
            let at = brackets.trailing_zeros();
            brackets &= brackets - 1;
            // `[` and `]` differ from `{` and `}` in this bit.
            let kind = u64::from(bytes[at as usize] >> 5 & 1);
            if block.opening >> at & 1 == 1 {
                if depth == DEEPEST {
                    return None;
                }
                depth += 1;
                kinds = kinds << 1 | kind;
                continue;
            }
            if depth == 0 || kinds & 1 != kind {
                return None;
            }
            depth -= 1;
            kinds >>= 1;
            if depth == 0 {
                return Some(number * BLOCK + at as usize + 1);
            }
        }
    }
    None
}

/// Finds a member of objects by its name.
pub(crate) struct Member(Finder<'static>);

impl Member {
    /// By its name, which is spelled without escapes.
    pub(crate) fn named(name: &str) -> Member {
        Member(Finder::new(format!("\"{name}\"").as_bytes()).into_owned())
    }

    /// Where its value begins in an object. `None` where it may be there all the same.
    pub(crate) fn find(&self, object: &[u8]) -> Option<usize> {
        for place in self.0.find_iter(object).take(PLACES) {
            if is_member(object, place)? {
                let at = skip_blank(object, place + self.0.needle().len());
                let is_name = object.get(at) == Some(&b':');
                return is_name.then(|| skip_blank(object, at + 1));
            }
        }
        None
    }
}

/// Whether the quote at this place begins a text on the top level of the object.
fn is_member(object: &[u8], place: usize) -> Option<bool> {
    let (mut state, (whole, last)) = (Blocks::default(), blocks(object));
    let mut depth = 0;
    for (number, bytes) in whole.iter().chain([&last]).enumerate() {
        let block = state.next(bytes)?;
        let within = |mask: u64| -> u32 {
            let (of, bit) = (place / BLOCK, place % BLOCK);
            if number < of { mask.count_ones() } else { (mask & ((1 << bit) - 1)).count_ones() }
        };
        depth += within(block.opening);
        depth = depth.checked_sub(within(block.closing))?;
        if number == place / BLOCK {
            return Some(depth == 1 && block.texts >> (place % BLOCK) & 1 == 1);
        }
    }
    None
}

/// Behind the blanks at this place.
pub(crate) fn skip_blank(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_json_has_an_end(value in json(), before in 0_usize..70) {
            let object = serde_json::json!({"a".repeat(before): value});
            let text = object.to_string();
            prop_assert_eq!(end_of(text.as_bytes()), Some(text.len()));
        }

        #[test]
        fn a_member_is_that_of_the_top_level(value in json(), other in json(), before in 0_usize..70) {
            let object = serde_json::json!({"a".repeat(before): value, "mark": 7, "z": other});
            let text = object.to_string();
            if let Some(at) = Member::named("mark").find(text.as_bytes()) {
                prop_assert!(text[at..].starts_with("7,\"z\""), "{} at {}", text, at);
            }
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(serde_json::Value::from),
            "[\"\\\\{}\\[\\],:яa]{0,80}".prop_map(serde_json::Value::from),
            Just(serde_json::json!("\"mark\":9")),
            Just(serde_json::json!({"mark": 8})),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
                proptest::collection::hash_map("[a\"\\\\]{0,9}", inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn what_is_not_sure_has_no_end() {
        let deep = [vec![b'['; 65], vec![b']'; 65]].concat();
        assert_eq!(end_of(&deep), None);
        assert_eq!(end_of(&deep[1..129]), Some(128));
        for text in ["", "{", "{]", "[}", "}", "{\"a", "{\"a\\\"}", "{\\}", "1"] {
            assert_eq!(end_of(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_name_in_a_text_or_deeper_or_as_a_value_is_no_member() {
        let find = |text: &str| {
            Member::named("mark").find(text.as_bytes()).map(|at| text[at..].to_owned())
        };
        assert_eq!(find(r#"{"a":{"mark":1},"mark" : 2}"#).as_deref(), Some("2}"));
        assert_eq!(find(r#"{"t":"\"mark\":1","l":[{"mark":1}],"mark":3}"#).as_deref(), Some("3}"));
        for text in [r#"{"a":"mark"}"#, r#"{"t":"\"mark\":1"}"#, r#"[{"mark":1}]"#, "{}", ""] {
            let found = find(text);
            assert!(found.is_none() || text.starts_with('['), "{text}");
        }
    }
}
