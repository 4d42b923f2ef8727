//! Services, menus, and forecasts.

use std::borrow::Cow;

use talon_sdk::RowFault;
use talon_sdk::entity::{Entity, Flag, How, Int, Record};
use talon_sdk::record::{Extra, Text};

use super::ticket::peek_id;

/// A service that visitors can choose, or a category of services. Upstream: GET config/products, and what only GET config/products/simple has.
#[derive(Record)]
#[record(namespace = "talon.enter_rest")]
pub(crate) struct Product<'a> {
    /// Key.
    #[from("Id")]
    id: Text<'a>,
    #[from("Name")]
    name: Option<Text<'a>>,
    #[from("IntegrationId")]
    integration_id: Option<Text<'a>>,
    #[from("IsCategory")]
    is_category: Option<Flag>,
    #[from("CategoryId")]
    category_id: Option<Text<'a>>,
    #[from("ParentId")]
    parent_id: Option<Text<'a>>,
    extra: Extra<'a>,
}

/// A menu from which visitors choose services. Upstream: GET config/menus.
#[derive(Record)]
#[record(namespace = "talon.enter_rest")]
pub(crate) struct Menu<'a> {
    /// Key.
    #[from("Id")]
    id: Text<'a>,
    #[from("Name")]
    name: Option<Text<'a>>,
    extra: Extra<'a>,
}

macro_rules! by_id {
    ($($entity:ident),*) => {$(
        impl Entity for $entity<'_> {
            const KEY: &'static str = "Id";

            fn key(of: &$entity<'_>, key: &mut String) -> Result<(), RowFault> {
                key.push_str(&of.id.0);
                Ok(())
            }

            fn peek(row: &[u8], _: &str, key: &mut String) -> bool {
                peek_id(row, key)
            }
        }
    )*};
}

by_id!(Product, Menu);

/// An item of a menu. Key: menu_id/id. Upstream: GET config/menus/:menuId, a tree.
#[derive(Record)]
#[record(namespace = "talon.enter_rest", finish = MenuItem::take_item)]
pub(crate) struct MenuItem<'a> {
    /// First part of the key; booking for the menu of GET booking/menu.
    #[from("MenuId")]
    menu_id: Text<'a>,
    /// Second part of the key.
    #[record(made)]
    id: Cow<'a, str>,
    /// The item under which it stands; null on the first level.
    #[from("ParentId")]
    parent_id: Option<Text<'a>>,
    /// Its place among those under the same item, from 0.
    #[from("Place")]
    place: Option<Int>,
    #[record(made)]
    name: Option<Text<'a>>,
    #[record(made)]
    product_id: Option<Text<'a>>,
    #[from("Item")]
    #[record(hidden)]
    item: Option<Item<'a>>,
    extra: Extra<'a>,
}

/// An item without those under it.
#[derive(Record)]
struct Item<'a> {
    #[from("Id")]
    id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    #[from("ProductId")]
    product_id: Option<Text<'a>>,
    extra: Extra<'a>,
}

impl MenuItem<'_> {
    fn take_item(&mut self, _: &How<'_>) {
        if let Some(item) = self.item.take() {
            self.id = item.id.map(|id| id.0).unwrap_or_default();
            (self.name, self.product_id) = (item.name, item.product_id);
            self.extra.0.extend(item.extra.0);
        }
    }
}

impl Entity for MenuItem<'_> {
    const KEY: &'static str = "Item";

    fn key(of: &MenuItem<'_>, key: &mut String) -> Result<(), RowFault> {
        if of.id.is_empty() {
            return Err(RowFault("an item of a menu without `Id`".to_owned()));
        }
        key.push_str(&of.menu_id.0);
        key.push('/');
        key.push_str(&of.id);
        Ok(())
    }

    fn peek(_: &[u8], _: &str, _: &mut String) -> bool {
        false
    }
}

/// How long a visitor will wait. Upstream: GET queue/awaiting.
#[derive(Record)]
#[record(namespace = "talon.enter_rest", finish = Awaiting::take_id)]
pub(crate) struct Awaiting<'a> {
    /// Key: what the forecast is for. Upstream: Id, or ProductId; queue where there is one for all.
    #[record(made)]
    id: Cow<'a, str>,
    #[from("Id")]
    #[record(hidden)]
    own_id: Option<Text<'a>>,
    #[from("ProductId")]
    product_id: Option<Text<'a>>,
    extra: Extra<'a>,
}

impl Awaiting<'_> {
    fn take_id(&mut self, _: &How<'_>) {
        let id = self.own_id.as_ref().or(self.product_id.as_ref());
        self.id = Cow::Owned(id.map(|id| id.0.clone().into_owned()).unwrap_or_default());
    }
}

impl Entity for Awaiting<'_> {
    const KEY: &'static str = "Id";

    fn key(of: &Awaiting<'_>, key: &mut String) -> Result<(), RowFault> {
        if of.id.is_empty() {
            return Err(RowFault("a forecast without `Id` and `ProductId`".to_owned()));
        }
        key.push_str(&of.id);
        Ok(())
    }

    fn peek(row: &[u8], _: &str, key: &mut String) -> bool {
        peek_id(row, key)
    }
}
