//! What an author has declared.

use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, GenericParam, Ident, Lifetime, Lit,
    LitStr, Meta, Path, Result, Type,
};

/// A struct whose fields are those of a record.
pub(crate) struct Declared {
    pub(crate) ident: Ident,
    /// The lifetime of what is borrowed from a row.
    pub(crate) lifetime: Lifetime,
    /// Name of the record in its schema.
    pub(crate) name: String,
    /// Namespace, for the outermost record of a schema.
    pub(crate) namespace: Option<String>,
    pub(crate) doc: String,
    /// The fields that lists of such records are sorted by, the first of them first.
    pub(crate) order: Vec<Ident>,
    /// Called when all fields have settled.
    pub(crate) finish: Option<Path>,
    pub(crate) fields: Vec<Field>,
}

pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// The upstream's name; `None` for what is not read.
    pub(crate) from: Option<LitStr>,
    /// The record's name.
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) personal: bool,
    pub(crate) volatile: bool,
    /// It is read, and no field of the record.
    pub(crate) hidden: bool,
    /// It collects what is not declared.
    pub(crate) extra: bool,
}

impl Declared {
    pub(crate) fn of(input: &DeriveInput) -> Result<Declared> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new_spanned(input, "a record is a struct"));
        };
        let Fields::Named(named) = &data.fields else {
            return Err(Error::new_spanned(input, "a record has named fields"));
        };
        let mut parameters = input.generics.params.iter();
        let (Some(GenericParam::Lifetime(lifetime)), None) = (parameters.next(), parameters.next())
        else {
            return Err(Error::new_spanned(
                &input.ident,
                "a record has one parameter, the lifetime of its row: `struct Call<'a>`",
            ));
        };
        let mut declared = Declared {
            name: input.ident.to_string(),
            ident: input.ident.clone(),
            lifetime: lifetime.lifetime.clone(),
            namespace: None,
            doc: doc(&input.attrs),
            order: Vec::new(),
            finish: None,
            fields: Vec::new(),
        };
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("record"))
        {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    declared.name = meta.value()?.parse::<LitStr>()?.value();
                } else if meta.path.is_ident("namespace") {
                    declared.namespace = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("order") {
                    meta.parse_nested_meta(|field| {
                        declared.order.push(field.path.require_ident()?.clone());
                        Ok(())
                    })?;
                } else if meta.path.is_ident("finish") {
                    declared.finish = Some(meta.value()?.parse()?);
                } else {
                    return Err(meta.error("one of `name`, `namespace`, `order`, `finish`"));
                }
                Ok(())
            })?;
        }
        for field in &named.named {
            declared.fields.push(Field::of(field)?);
        }
        if declared.fields.iter().filter(|field| field.extra).count() != 1 {
            return Err(Error::new_spanned(
                &input.ident,
                "a record has one field `extra: Extra<'_>`, which collects what is not declared",
            ));
        }
        declared.refuse_twins()?;
        let behind = declared.fields.iter().skip_while(|field| !field.volatile);
        if let Some(field) = behind.filter(|field| !field.hidden).find(|field| !field.volatile) {
            return Err(Error::new_spanned(&field.ident, "volatile fields stand last"));
        }
        Ok(declared)
    }
}

impl Declared {
    /// Of two fields with one name, one would be lost.
    fn refuse_twins(&self) -> Result<()> {
        for (place, field) in self.fields.iter().enumerate() {
            for other in &self.fields[..place] {
                let read = other.from.as_ref().zip(field.from.as_ref());
                if let Some((_, from)) = read.filter(|(one, two)| one.value() == two.value()) {
                    let what = format!("two fields are read from `{}`", from.value());
                    return Err(Error::new_spanned(from, what));
                }
                if !other.hidden && !field.hidden && other.name == field.name {
                    let what = format!("two fields are called `{}`", field.name);
                    return Err(Error::new_spanned(&field.ident, what));
                }
            }
        }
        Ok(())
    }
}

impl Field {
    fn of(field: &syn::Field) -> Result<Field> {
        let Some(ident) = field.ident.clone() else {
            return Err(Error::new_spanned(field, "a record has named fields"));
        };
        let name = ident.to_string();
        let name = name.strip_prefix("r#").unwrap_or(&name).to_owned();
        let mut declared = Field {
            extra: name == "extra",
            name,
            ident,
            ty: field.ty.clone(),
            from: None,
            doc: doc(&field.attrs),
            personal: false,
            volatile: false,
            hidden: false,
        };
        let mut made = false;
        for attribute in &field.attrs {
            if attribute.path().is_ident("from") {
                declared.from = Some(attribute.parse_args()?);
            } else if attribute.path().is_ident("record") {
                attribute.parse_nested_meta(|meta| {
                    if meta.path.is_ident("pii") {
                        declared.personal = true;
                    } else if meta.path.is_ident("volatile") {
                        declared.volatile = true;
                    } else if meta.path.is_ident("hidden") {
                        declared.hidden = true;
                    } else if meta.path.is_ident("made") {
                        made = true;
                    } else if meta.path.is_ident("name") {
                        declared.name = meta.value()?.parse::<LitStr>()?.value();
                    } else {
                        return Err(
                            meta.error("one of `pii`, `volatile`, `hidden`, `made`, `name`")
                        );
                    }
                    Ok(())
                })?;
            }
        }
        match (declared.extra || made, &declared.from) {
            (true, Some(from)) => {
                Err(Error::new_spanned(from, "this field is not read from the upstream"))
            }
            (false, None) => Err(Error::new_spanned(
                &declared.ident,
                "`#[from(\"…\")]` says what the upstream calls it; `#[record(made)]`, that it is not read",
            )),
            _ => Ok(declared),
        }
    }
}

/// The text of doc comments, one line.
fn doc(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &pair.value else { continue };
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line.value().trim());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_that_makes_no_record_is_refused_with_what_it_lacks() {
        for (source, reason) in [
            ("enum E<'a> { A(&'a str) }", "a record is a struct"),
            ("struct R<'a>(&'a str);", "a record has named fields"),
            ("struct R { extra: Extra<'static> }", "a record has one parameter, the lifetime"),
            ("struct R<'a, T> { extra: Extra<'a>, t: T }", "a record has one parameter"),
            ("struct R<'a> { #[from(\"id\")] id: i64 }", "a record has one field `extra"),
            ("struct R<'a> { id: i64, extra: Extra<'a> }", "says what the upstream calls it"),
            (
                "struct R<'a> { #[from(\"id\")] #[record(made)] id: i64, extra: Extra<'a> }",
                "this field is not read from the upstream",
            ),
            (
                "struct R<'a> { #[from(\"m\")] #[record(volatile)] m: i64, extra: Extra<'a> }",
                "volatile fields stand last",
            ),
            (
                "struct R<'a> { #[from(\"m\")] #[record(secret)] m: i64, extra: Extra<'a> }",
                "one of `pii`, `volatile`, `hidden`, `made`, `name`",
            ),
            ("#[record(key = id)] struct R<'a> { extra: Extra<'a> }", "one of `name`, `namespace`"),
            (
                "struct R<'a> { #[from(\"a\")] a: i64, #[from(\"a\")] b: i64, extra: Extra<'a> }",
                "two fields are read from `a`",
            ),
            (
                "struct R<'a> { #[from(\"a\")] a: i64, #[from(\"b\")] #[record(name = \"a\")] b: i64, extra: Extra<'a> }",
                "two fields are called `a`",
            ),
        ] {
            let input: DeriveInput = syn::parse_str(source).unwrap();
            let refused = Declared::of(&input).err().unwrap_or_else(|| panic!("{source}"));
            assert!(refused.to_string().contains(reason), "{source}: {refused}");
        }
    }
}
