//! How a record is read: a visitor that keeps what is not declared.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::declared::Declared;

pub(crate) fn of(declared: &Declared) -> TokenStream {
    let Declared { ident, lifetime, .. } = declared;
    let read = || declared.fields.iter().filter_map(|field| Some((field, field.from.as_ref()?)));
    let idents: Vec<_> = read().map(|(field, _)| &field.ident).collect();
    // A field may be called as anything that stands in the code below.
    let locals: Vec<_> = (0..idents.len()).map(|place| format_ident!("read_{place}")).collect();
    let names: Vec<_> = read().map(|(_, from)| from).collect();
    let types: Vec<_> = read().map(|(field, _)| &field.ty).collect();
    let made = declared.fields.iter().filter(|field| field.from.is_none() && !field.extra);
    let made = made.map(|field| &field.ident);
    quote! {
        impl ::talon_sdk::record::Record for #ident<'_> {
            type Of<'x> = #ident<'x>;

            fn keep<'x>(record: &mut #ident<'x>, name: &'x str, json: &'x str) {
                record.extra.keep(name, json);
            }
        }

        impl<'de: #lifetime, #lifetime> ::talon_sdk::serde::Deserialize<'de> for #ident<#lifetime> {
            fn deserialize<D: ::talon_sdk::serde::Deserializer<'de>>(
                d: D,
            ) -> ::std::result::Result<Self, D::Error> {
                use ::talon_sdk::serde::de::{Error, MapAccess, Visitor};

                struct Fields<#lifetime>(::std::marker::PhantomData<&#lifetime ()>);

                impl<'de: #lifetime, #lifetime> Visitor<'de> for Fields<#lifetime> {
                    type Value = #ident<#lifetime>;

                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> ::std::result::Result<Self::Value, A::Error> {
                        #(let mut #locals = None;)*
                        let mut extra = ::talon_sdk::record::Extra::default();
                        while let Some(::talon_sdk::record::Text(name)) = map.next_key()? {
                            match &*name {
                                #(#names if #locals.is_none() => #locals = Some(map.next_value()?),
                                #names => return Err(A::Error::duplicate_field(#names)),)*
                                _ => {
                                    let json: &'de ::talon_sdk::serde_json::value::RawValue =
                                        map.next_value()?;
                                    if extra.0.insert(name, json.get().into()).is_some() {
                                        return Err(A::Error::custom("twice"));
                                    }
                                }
                            }
                        }
                        Ok(#ident {
                            #(#idents: <#types as ::talon_sdk::entity::Field<'_>>::read(#locals)
                                .ok_or_else(|| A::Error::missing_field(#names))?,)*
                            #(#made: ::std::default::Default::default(),)*
                            extra,
                        })
                    }
                }

                d.deserialize_map(Fields(::std::marker::PhantomData))
            }
        }
    }
}
