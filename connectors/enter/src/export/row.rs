//! Reads a row, also one with values of an unexpected type.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use talon_sdk::RowFault;
use talon_sdk::record::{Fitted, Record, decode, fields, fit};
use talon_sdk::spelling::respelled;

use super::entity::{Product, Ticket, TicketRow};

/// Reads a row down to its products and their operations, in one pass.
///
/// A value of an unexpected type costs neither its product nor its ticket: it goes to the `extra` of
/// the nearest of them.
pub(crate) fn read<R>(
    row: &[u8],
    use_row: impl FnOnce(TicketRow<'_>) -> Result<R, RowFault>,
) -> Result<R, RowFault> {
    if let Ok(row) = serde_json::from_slice(row) {
        return use_row(row);
    }
    let row = respelled(row);
    if let Ok(row) = serde_json::from_slice(&row) {
        return use_row(row);
    }
    let Some(Mended { row, ticket, products }) = mend(&row)? else {
        return decode::<TicketRow<'_>, _>(&row, use_row);
    };
    let mut dto: TicketRow<'_> = serde_json::from_str(&row.json)
        .map_err(|_| RowFault("a ticket that does not decode".to_owned()))?;
    put_back::<TicketRow<'_>>(&mut dto, &row);
    put_back::<Ticket<'_>>(&mut dto.ticket.0, &ticket);
    for (dto, product) in dto.ticket.0.products.iter_mut().zip(&products) {
        put_back::<Product<'_>>(dto, product);
    }
    use_row(dto)
}

fn put_back<'a, T: Record>(record: &mut T::Of<'a>, fitted: &'a Fitted) {
    for (name, json) in &fitted.odd {
        T::keep(record, name, json);
    }
}

/// A row without the values of an unexpected type in it, its ticket and its products, and those values.
struct Mended {
    row: Fitted,
    ticket: Fitted,
    products: Vec<Fitted>,
}

/// `None` where the row has no ticket to be mended.
fn mend(row: &[u8]) -> Result<Option<Mended>, RowFault> {
    let Some(row) = fields(row)? else { return Ok(None) };
    let Some(ticket) = row.get("Ticket") else { return Ok(None) };
    let Some(ticket) = fields(ticket.get().as_bytes())? else { return Ok(None) };
    let list =
        ticket.get("Products").map(|list| serde_json::from_str::<Vec<&RawValue>>(list.get()));
    let products = match list {
        Some(Ok(list)) => {
            let fitted = list.iter().map(|raw| fit::<Product<'_>>(raw.get().as_bytes()));
            let fitted = fitted.collect::<Result<Vec<_>, _>>()?;
            // A product without its `Id` is none: then the list is kept as it came.
            let is_whole = |one: &Fitted| serde_json::from_str::<Product<'_>>(&one.json).is_ok();
            fitted.iter().all(is_whole).then_some(fitted)
        }
        _ => None,
    };
    let list = products.as_ref().map(|products| {
        let list: Vec<&str> = products.iter().map(|product| &*product.json).collect();
        format!("[{}]", list.join(","))
    });
    let ticket = fit::<Ticket<'_>>(object(&ticket, "Products", list.as_deref()).as_bytes())?;
    let row = fit::<TicketRow<'_>>(object(&row, "Ticket", Some(&ticket.json)).as_bytes())?;
    Ok(Some(Mended { row, ticket, products: products.unwrap_or_default() }))
}

/// An object with another value, as JSON, in one of its fields.
fn object(fields: &BTreeMap<Cow<'_, str>, &RawValue>, name: &str, json: Option<&str>) -> String {
    let fields = fields.iter().map(|(field, raw)| {
        let value = json.filter(|_| field == name).unwrap_or_else(|| raw.get());
        format!("{}:{value}", Value::from(&**field))
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_there_twice_is_a_fault_wherever_it_stands() {
        for row in [
            r#"{"Ticket":{"Id":"a","Id":"b","Products":[]}}"#,
            r#"{"Ticket":{"Id":"a","Products":[{"Id":"p","Id":"q"}]}}"#,
            r#"{"Ticket":{"Id":"a"},"ServerId":"s","ServerId":"t"}"#,
        ] {
            let fault = RowFault("a field that is there twice".to_owned());
            assert_eq!(read(row.as_bytes(), |_| Ok(())), Err(fault), "{row}");
        }
    }
}
