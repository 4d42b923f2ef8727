//! The paths in a module's code.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ImplItem, Item, ItemMod, Lit, Meta, Token, TraitItem, UseTree};

use crate::source::{Import, Mention, Module};

/// Reads what a module defines, imports and names; gives its children, which are not looked into.
pub(crate) fn read<'i>(module: &mut Module, items: &'i [Item]) -> Vec<&'i ItemMod> {
    let mut reader = Reader { module, children: Vec::new() };
    items.iter().for_each(|item| reader.visit_item(item));
    reader.children
}

/// Whether something is there in tests only.
pub(crate) fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.segments.last().is_some_and(|last| last.ident == "test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.parse_args::<Meta>().is_ok_and(|condition| needs_tests(&condition))
        }
        _ => false,
    })
}

fn needs_tests(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => {
            let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            let parts = parts.unwrap_or_default();
            match list.path.get_ident().map(ToString::to_string).as_deref() {
                Some("all") => parts.iter().any(needs_tests),
                Some("any") => !parts.is_empty() && parts.iter().all(needs_tests),
                _ => false,
            }
        }
        Meta::NameValue(_) => false,
    }
}

/// Where a module says itself that its file is.
pub(crate) fn file_of(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}

struct Reader<'m, 'i> {
    module: &'m mut Module,
    children: Vec<&'i ItemMod>,
}

impl<'i> Reader<'_, 'i> {
    fn define(&mut self, item: &Item) {
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::TraitAlias(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Macro(item) => match &item.ident {
                Some(name) => name,
                None => return,
            },
            _ => return,
        };
        self.module.items.insert(name.to_string());
    }

    fn import(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| {
            let mut path = before.to_vec();
            // `{self}` is what stands before it.
            if path.is_empty() || name != "self" {
                path.push(name.to_string());
            }
            path
        };
        let (path, name, line) = match tree {
            UseTree::Path(tree) => return self.import(&with(&tree.ident), &tree.tree),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(before, tree));
            }
            UseTree::Name(tree) => (with(&tree.ident), None, tree.ident.span()),
            UseTree::Rename(tree) => {
                (with(&tree.ident), Some(tree.rename.to_string()), tree.ident.span())
            }
            UseTree::Glob(tree) => {
                let line = tree.star_token.spans[0].start().line;
                let path = before.to_vec();
                return self.module.imports.push(Import { name: None, path, line });
            }
        };
        let name = name.or_else(|| path.last().cloned());
        self.module.imports.push(Import { name, path, line: line.start().line });
    }

    fn mention(&mut self, path: Vec<String>, line: usize) {
        if path.len() > 1 {
            self.module.mentions.push(Mention { path, line });
        }
    }

    /// Takes the paths out of what a macro is given. In the definition of one, only `$crate` leads
    /// anywhere that is known here.
    fn tokens(&mut self, tokens: TokenStream, is_definition: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
        let is_mark = |at: Option<usize>, wanted: char| {
            let token = at.and_then(|at| tokens.get(at));
            matches!(token, Some(TokenTree::Punct(mark)) if mark.as_char() == wanted)
        };
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => {
                    self.tokens(group.stream(), is_definition);
                    at += 1;
                }
                TokenTree::Ident(first) => {
                    let before = at.checked_sub(1);
                    let (is_field, is_global) = (is_mark(before, '.'), is_mark(before, ':'));
                    let is_known = !is_definition || is_mark(before, '$');
                    let mut path = vec![first.to_string()];
                    at += 1;
                    while is_colon(at) && is_colon(at + 1) {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 2) else {
                            self.group_after(&path, tokens.get(at + 2));
                            break;
                        };
                        path.push(next.to_string());
                        at += 3;
                    }
                    if is_known && !is_field && !is_global {
                        self.mention(path, first.span().start().line);
                    }
                }
                _ => at += 1,
            }
        }
    }

    /// `a::{b, c}` inside a macro, of which the prefix is enough.
    fn group_after(&mut self, path: &[String], next: Option<&TokenTree>) {
        if let Some(TokenTree::Group(group)) = next
            && group.delimiter() == Delimiter::Brace
        {
            self.mention(path.to_vec(), group.span().start().line);
        }
    }
}

impl<'i> Visit<'i> for Reader<'_, 'i> {
    fn visit_item(&mut self, item: &'i Item) {
        if is_of_tests(attributes(item)) {
            return;
        }
        self.define(item);
        match item {
            Item::Mod(child) => self.children.push(child),
            Item::Use(item) if item.leading_colon.is_none() => self.import(&[], &item.tree),
            Item::Use(_) => {}
            Item::Macro(item) if item.ident.is_some() => self.tokens(item.mac.tokens.clone(), true),
            item => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item(&mut self, item: &'i ImplItem) {
        let is_of_tests = match item {
            ImplItem::Const(item) => is_of_tests(&item.attrs),
            ImplItem::Fn(item) => is_of_tests(&item.attrs),
            ImplItem::Type(item) => is_of_tests(&item.attrs),
            _ => false,
        };
        if !is_of_tests {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'i TraitItem) {
        let is_of_tests = matches!(item, TraitItem::Fn(item) if is_of_tests(&item.attrs));
        if !is_of_tests {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'i syn::Path) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            let names = path.segments.iter().map(|segment| segment.ident.to_string());
            self.mention(names.collect(), first.ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'i syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone(), false);
    }

    fn visit_attribute(&mut self, attribute: &'i Attribute) {
        let Meta::List(list) = &attribute.meta else { return };
        if list.path.is_ident("cfg") || list.path.is_ident("doc") {
            return;
        }
        self.tokens(list.tokens.clone(), false);
        // Such as `#[serde(with = "crate::a")]`.
        for token in list.tokens.clone() {
            if let TokenTree::Literal(literal) = token
                && let Ok(Lit::Str(text)) = syn::parse_str(&literal.to_string())
                && let Ok(path) = text.parse_with(syn::Path::parse_mod_style)
            {
                let names = path.segments.iter().map(|segment| segment.ident.to_string());
                self.mention(names.collect(), literal.span().start().line);
            }
        }
    }

    /// Where something may be seen is no dependency.
    fn visit_visibility(&mut self, _: &'i syn::Visibility) {}
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
