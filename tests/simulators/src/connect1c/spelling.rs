//! How a reply is spelled: as in the document, or in another way that means the same.

use crate::random::Random;

/// The prefixes, blanks and forms of one reply.
#[derive(Clone, Debug)]
pub(super) struct Spelling {
    /// The prefix of the envelope; empty for a default namespace.
    pub(super) soap: &'static str,
    pub(super) partner: &'static str,
    /// Empty: the namespace of 1C's data is the default one of each `Property`, as in the document.
    pub(super) core: &'static str,
    pub(super) schema: &'static str,
    pub(super) instance: &'static str,
    /// What comes before each tag, by depth: a line break and so many of a blank.
    pub(super) line: &'static str,
    pub(super) blank: &'static str,
    /// Whether namespaces are declared where they are used, or at the envelope.
    pub(super) declares_late: bool,
    /// Whether the document begins with an XML declaration.
    pub(super) declaration: bool,
    /// Whether columns come in another order, by this number.
    pub(super) shuffle: Option<u64>,
    /// Whether there is a column that no document has.
    pub(super) has_extra: bool,
    /// Whether columns have their types.
    pub(super) has_types: bool,
    pub(super) texts: Texts,
    /// How "none" is written where the document has an empty value.
    pub(super) none: NoValue,
    /// Whether comments stand between rows.
    pub(super) has_comments: bool,
}

/// How texts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    /// With the five names where they are needed.
    Plain,
    /// In CDATA, cut at random.
    CData,
    /// With numbers for everything that is no ASCII.
    Numbers,
}

/// How nothing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoValue {
    Empty,
    SelfClosed,
    Nil,
}

impl Spelling {
    /// As in the document.
    pub(super) fn documented() -> Spelling {
        Spelling {
            soap: "soap",
            partner: "m",
            core: "",
            schema: "xs",
            instance: "xsi",
            line: "\n",
            blank: "   ",
            declares_late: true,
            declaration: false,
            shuffle: None,
            has_extra: false,
            has_types: false,
            texts: Texts::Plain,
            none: NoValue::Empty,
            has_comments: false,
        }
    }

    /// Another one, by a seed and the number of the reply.
    pub(super) fn any(seed: u64, reply: u64) -> Spelling {
        let mut random = Random::at(&[seed, 31, reply]);
        let mut coin = |share: f64| random.share() < share;
        let (shuffles, has_types) = (coin(0.6), coin(0.5));
        let (declares_late, declaration, has_comments) = (coin(0.5), coin(0.5), coin(0.3));
        let (line, blank) = random.pick(&[("\n", "   "), ("\r\n", "\t"), ("", ""), ("\n", "")]);
        let core = random.pick(&["", "d4p1", "v8", ""]);
        Spelling {
            soap: random.pick(&["soap", "s", "SOAP-ENV", "env"]),
            partner: random.pick(&["m", "ns1", ""]),
            core,
            schema: random.pick(&["xs", "xsd"]),
            instance: random.pick(&["xsi", "i"]),
            line,
            blank,
            // A default namespace belongs to where it is used.
            declares_late: declares_late || core.is_empty(),
            declaration,
            shuffle: shuffles.then(|| random.next()),
            has_extra: false,
            has_types,
            texts: random.pick(&[Texts::Plain, Texts::CData, Texts::Numbers]),
            none: random.pick(&[NoValue::Empty, NoValue::SelfClosed, NoValue::Nil]),
            has_comments,
        }
    }

    /// `prefix:name`.
    pub(super) fn name(prefix: &str, local: &str) -> String {
        if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") }
    }

    /// ` xmlns:prefix="uri"`.
    pub(super) fn declared(prefix: &str, uri: &str) -> String {
        if prefix.is_empty() {
            format!(" xmlns=\"{uri}\"")
        } else {
            format!(" xmlns:{prefix}=\"{uri}\"")
        }
    }

    /// The order of so many columns.
    pub(super) fn order(&self, columns: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..columns).collect();
        if let Some(seed) = self.shuffle {
            let mut random = Random::at(&[seed]);
            order.sort_by_cached_key(|_| random.next());
        }
        order
    }

    /// Writes a text.
    pub(super) fn text(&self, text: &str, out: &mut String) {
        match self.texts {
            Texts::CData if !text.is_empty() => {
                // The end of a section within the text is divided between two.
                out.push_str("<![CDATA[");
                out.push_str(&text.replace("]]>", "]]]]><![CDATA[>"));
                out.push_str("]]>");
            }
            Texts::Numbers => {
                for (place, letter) in text.chars().enumerate() {
                    match letter {
                        letter if letter.is_ascii_alphanumeric() => out.push(letter),
                        letter if place % 2 == 0 => out.push_str(&format!("&#{};", letter as u32)),
                        letter => out.push_str(&format!("&#x{:X};", letter as u32)),
                    }
                }
            }
            _ => {
                for letter in text.chars() {
                    match letter {
                        '<' => out.push_str("&lt;"),
                        '>' => out.push_str("&gt;"),
                        '&' => out.push_str("&amp;"),
                        '"' => out.push_str("&quot;"),
                        '\r' => out.push_str("&#13;"),
                        letter => out.push(letter),
                    }
                }
            }
        }
    }
}
