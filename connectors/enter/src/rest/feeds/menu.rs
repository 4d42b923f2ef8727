//! The feed `menu_item`: the trees of all menus as one list.

use bytes::Bytes;
use serde_json::json;
use serde_json::value::RawValue;
use talon_http::order::Order;
use talon_sdk::record::fields;
use talon_sdk::{Fault, Rows};

use crate::rest::client::{As, MenuHead, Shared};

const MENUS: &str = "GET /config/menus";
const MENU: &str = "GET /config/menus/{menuId}";
const BOOKING: &str = "GET /booking/menu";

/// Under which names an item has its items, of which the first that is a list counts.
pub(crate) type Children = [String];

/// The items of all menus. A menu that cannot be read leaves the others unread too: what is not in the list
/// is deleted.
pub(crate) async fn items(
    upstream: &Shared,
    children: &Children,
    with_booking: bool,
) -> Result<Rows, Fault> {
    let order = Order::plain(MENUS);
    let (_, heads) = upstream.read(As::Hall, &order).await?.rows_with_heads::<MenuHead>()?;
    let mut rows = Vec::new();
    for MenuHead { id } in heads.into_iter().flatten() {
        let order = Order::new(MENU, &[&id]);
        let body = upstream.read(As::Hall, &order).await?.as_it_came();
        flatten(MENU, &id, &body, children, &mut rows)?;
    }
    if with_booking {
        let body = upstream.read(As::Visitor, &Order::plain(BOOKING)).await?.as_it_came();
        flatten(BOOKING, "booking", &body, children, &mut rows)?;
    }
    Ok(Rows::of_bodies(&rows))
}

/// Appends the items of a menu: an object that has them, or the list of them.
fn flatten(
    endpoint: &str,
    menu: &str,
    body: &[u8],
    children: &Children,
    rows: &mut Vec<Bytes>,
) -> Result<(), Fault> {
    let other =
        || Fault::unavailable(format!("`{endpoint}` was answered with something else than a menu"));
    let body: &RawValue = serde_json::from_slice(body).map_err(|_| other())?;
    let items = if body.get().starts_with('[') {
        body
    } else {
        let fields = fields(body.get().as_bytes()).ok().flatten().ok_or_else(other)?;
        let items = children.iter().filter_map(|name| fields.get(name.as_str()));
        items.copied().find(|items| items.get().starts_with('[')).ok_or_else(other)?
    };
    level(menu, None, items, children, rows).ok_or_else(other)
}

/// Appends the items of a list, each before those under it. `None` where an item is no object.
fn level(
    menu: &str,
    parent: Option<&RawValue>,
    items: &RawValue,
    children: &Children,
    rows: &mut Vec<Bytes>,
) -> Option<()> {
    let items: Vec<&RawValue> = serde_json::from_str(items.get()).ok()?;
    for (place, item) in items.into_iter().enumerate() {
        let mut fields = fields(item.get().as_bytes()).ok()??;
        let under = children.iter().find(|name| {
            fields.get(name.as_str()).is_some_and(|value| value.get().starts_with('['))
        });
        let under = under.and_then(|name| fields.remove(name.as_str()));
        let own: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}:{}", json!(name), value.get())).collect();
        let parent = parent.map_or("null", RawValue::get);
        rows.push(Bytes::from(format!(
            "{{\"MenuId\":{},\"ParentId\":{parent},\"Place\":{place},\"Item\":{{{}}}}}",
            json!(menu),
            own.join(",")
        )));
        if let Some(under) = under {
            level(menu, fields.get("Id").copied(), under, children, rows)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_becomes_rows_with_parent_and_place() {
        let children = ["Items".to_owned(), "Children".to_owned()];
        let tree = r#"{"Id":"m","Items":[{"Id":"a","Children":[{"Id":"b","n":1.50},{"Id":"c","Items":[]}]},{"Id":"d","Items":null}]}"#;
        let expected = [
            r#"{"MenuId":"m","ParentId":null,"Place":0,"Item":{"Id":"a"}}"#,
            r#"{"MenuId":"m","ParentId":"a","Place":0,"Item":{"Id":"b","n":1.50}}"#,
            r#"{"MenuId":"m","ParentId":"a","Place":1,"Item":{"Id":"c"}}"#,
            r#"{"MenuId":"m","ParentId":null,"Place":1,"Item":{"Id":"d","Items":null}}"#,
        ];
        let mut rows = Vec::new();
        flatten(MENU, "m", tree.as_bytes(), &children, &mut rows).unwrap();
        assert_eq!(rows, expected);
        let mut of_list = Vec::new();
        let list = &tree[tree.find('[').unwrap()..tree.len() - 1];
        flatten(MENU, "m", list.as_bytes(), &children, &mut of_list).unwrap();
        assert_eq!(of_list, rows);
        for other in [r#"{"UserMessage":"x"}"#, "null", "[1]", "<html>"] {
            assert!(flatten(MENU, "m", other.as_bytes(), &children, &mut rows).is_err(), "{other}");
        }
    }
}
