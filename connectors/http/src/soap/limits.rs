/// What is too much for a reply.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The deepest nesting of elements. A reply has eight.
    pub depth: usize,
    /// The largest token: a tag, a comment, a section, or a text between two of them. Bytes.
    pub token: usize,
    /// The largest text of one element, put together from its parts. Bytes.
    pub text: usize,
    /// The most attributes of one element.
    pub attributes: usize,
    /// The most columns of a table.
    pub columns: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { depth: 64, token: 1 << 20, text: 1 << 20, attributes: 32, columns: 1024 }
    }
}
