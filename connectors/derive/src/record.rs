//! What a record is on a topic: its schema, and how its datum is written.

use proc_macro2::TokenStream;
use quote::quote;

use crate::declared::{Declared, Field};

pub(crate) fn of(declared: &Declared) -> TokenStream {
    let Declared { ident, lifetime, name, namespace, doc, .. } = declared;
    let written: Vec<_> = declared.fields.iter().filter(|field| !field.hidden).collect();
    let describe = written.iter().map(|field| describe(field));
    let write = written.iter().map(|field| {
        let ident = &field.ident;
        quote!(::talon_sdk::entity::Field::write(&self.#ident, out);)
    });
    let settled = declared.fields.iter().filter(|field| !field.extra);
    let settle = settled.clone().map(settle);
    let guard = settled.filter(|field| field.from.is_some()).map(guard);
    let finish = declared.finish.iter();
    let strictest = declared.fields.iter().filter(|field| !field.extra).map(|field| {
        let (ty, own) = (&field.ty, own_policy(field));
        quote!(.max(#own).max(<#ty as ::talon_sdk::entity::Field<'_>>::strictest(how)))
    });
    let order = declared.order.iter();
    let namespace = match namespace {
        Some(namespace) => quote!(Some(#namespace)),
        None => quote!(None),
    };
    quote! {
        impl<#lifetime> ::talon_sdk::entity::Item<#lifetime> for #ident<#lifetime> {
            fn avro(names: &mut ::talon_sdk::entity::Names) -> ::talon_sdk::serde_json::Value {
                names.record(#name, #namespace, #doc, |record| {
                    #(#describe)*
                })
            }

            fn settle(
                &mut self,
                place: &::talon_sdk::entity::Place<'_>,
                _: &mut ::talon_sdk::record::Extra<#lifetime>,
            ) -> bool {
                let (how, extra) = (place.how, &mut self.extra);
                if place.policy != ::talon_sdk::privacy::Policy::Keep {
                    return false;
                }
                #(#settle)*
                if how.guards(extra) {
                    #(#guard)*
                }
                #(#finish(self, how);)*
                true
            }

            fn write(&self, out: &mut ::std::vec::Vec<u8>) {
                #(#write)*
            }

            fn strictest(how: &::talon_sdk::entity::How<'_>) -> ::talon_sdk::privacy::Policy {
                ::talon_sdk::privacy::Policy::Keep #(#strictest)*
            }

            fn before(&self, other: &Self) -> ::std::cmp::Ordering {
                ::std::cmp::Ordering::Equal #(.then_with(|| self.#order.cmp(&other.#order)))*
            }
        }
    }
}

fn describe(field: &Field) -> TokenStream {
    let Field { name, ty, doc, personal, volatile, .. } = field;
    quote! {
        <#ty as ::talon_sdk::entity::Field<'_>>::describe(
            &::talon_sdk::entity::Described {
                name: #name,
                doc: #doc,
                personal: #personal,
                volatile: #volatile,
            },
            record,
        );
    }
}

/// The policy of a field by itself, before that of the records in it.
fn own_policy(field: &Field) -> TokenStream {
    let name = &field.name;
    match field.personal {
        true => quote!(how.policy(#name)),
        false => quote!(::talon_sdk::privacy::Policy::Keep),
    }
}

fn settle(field: &Field) -> TokenStream {
    let (ident, own) = (&field.ident, own_policy(field));
    let from = field.from.as_ref().map_or_else(|| field.name.clone(), |from| from.value());
    quote! {
        ::talon_sdk::entity::Field::settle(
            &mut self.#ident,
            &::talon_sdk::entity::Place { from: #from, policy: #own, how },
            extra,
        );
    }
}

/// What stands in `extra` under the name of a field has another type than declared, and the policy of
/// the field, or the strictest of what stands in it, holds there too.
fn guard(field: &Field) -> TokenStream {
    let (ty, from, own) = (&field.ty, &field.from, own_policy(field));
    quote! {
        extra.guard(#from, #own.max(<#ty as ::talon_sdk::entity::Field<'_>>::strictest(how)));
    }
}
