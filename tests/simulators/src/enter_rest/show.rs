//! Tickets, workplaces and the rest as replies show them.

use serde_json::{Value, json};

use super::forms::{day, moment};
use super::settings::Names;
use super::store::Store;
use super::store::model::{Service, Ticket, Workplace};
use super::world::{CATEGORIES, QUESTIONS};

/// A ticket with its services.
pub(super) fn ticket(store: &Store, ticket: &Ticket) -> Value {
    let services: Vec<Value> =
        ticket.services.iter().map(|of| service(store, ticket, of)).collect();
    let mut shown = head(store, ticket);
    shown["Products"] = json!(services);
    shown
}

/// A ticket without its services.
fn head(store: &Store, ticket: &Ticket) -> Value {
    let full = format!("{}{}", ticket.prefix, ticket.number);
    let mut shown = json!({
        "Id": ticket.id,
        "PinCode": ticket.pin,
        "State": ticket.state(),
        "Source": { "Name": ticket.source },
    });
    match store.settings.names {
        Names::Old => {
            shown["Created"] = moment(store, ticket.created);
            shown["Prefix"] = json!(ticket.prefix);
            shown["Number"] = json!(ticket.number);
            shown["FullNumber"] = json!(full);
        }
        Names::New => {
            shown["CreatedTime"] = moment(store, ticket.created);
            shown["Number"] = json!(full);
        }
    }
    shown
}

/// A service in a ticket.
pub(super) fn service(store: &Store, ticket: &Ticket, of: &Service) -> Value {
    let product = &store.world.products[of.product];
    let is_old = store.settings.names == Names::Old;
    let named = json!({
        "Id": product.id, "Name": product.name, "IntegrationId": product.integration_id,
    });
    let mut shown = json!({
        "Id": of.id,
        "IsPending": ticket.booking.is_some(),
        "Product": named,
        "State": of.state,
        "CurrentPriority": of.priority,
        "StartTime": moment(store, of.starts),
    });
    let created = if is_old { "Created" } else { "CreatedTime" };
    shown[created] = moment(store, of.created);
    if is_old {
        shown["Name"] = json!(product.name);
        shown["ProductId"] = json!(product.id);
        shown["Chain"] = json!(0);
    }
    let ended = if is_old { "CompletedEndTime" } else { "EndTime" };
    for (name, at) in [
        ("InQueueStartTime", of.queued),
        ("ActivatedStartTime", of.activated),
        ("InvitedStartTime", of.invited),
        ("OperatingStartTime", of.operated),
        (ended, of.ended),
    ] {
        if let Some(at) = at {
            shown[name] = moment(store, at);
        }
    }
    if let Some((place, user)) = of.done_at {
        let (workplace, user) = (&store.workplaces[place], &store.world.users[user]);
        shown["Workplace"] = json!({ "Id": workplace.id, "ClientId": workplace.client_id });
        shown["User"] = json!({ "Id": user.id, "Login": user.login, "SurName": user.name });
    }
    let fields = if is_old { "TicketProductDataFields" } else { "Fields" };
    shown[fields] = json!([{
        "Id": "6583772e-7a18-4320-b70c-e906ecee4979",
        "FieldTypeId": "c302b047-6828-47b2-a963-521f369371b7",
        "Name": "Фамилия",
        "Value": "Канарейкин",
    }]);
    shown
}

/// A service in a ticket, with the ticket, as lists of services have it.
pub(super) fn waiting(store: &Store, (place, at): (usize, usize)) -> Value {
    let ticket = &store.tickets[place];
    let mut shown = service(store, ticket, &ticket.services[at]);
    shown["Ticket"] = head(store, ticket);
    shown
}

/// The lines of a board: who is invited and who is served.
pub(super) fn board(store: &Store) -> Value {
    let shown = store.workplaces.iter().filter_map(|workplace| {
        let mut line = waiting(store, workplace.current?);
        line["WorkplaceName"] = json!(format!("Окно {}", workplace.client_id));
        Some(line)
    });
    shown.collect()
}

/// The state of a workplace.
pub(super) fn workplace(store: &Store, of: &Workplace) -> Value {
    let user = &store.world.users[of.user];
    json!({
        "ClientId": of.client_id,
        "WorkplaceId": of.id,
        "IsBreak": of.is_on_break,
        "User": { "Id": user.id, "Login": user.login, "SurName": user.name },
        "TicketProduct": of.current.map(|current| waiting(store, current)),
    })
}

/// The state of a device.
pub(super) fn survey(store: &Store, device: usize) -> Value {
    let of = &store.devices[device];
    let (id, question) = match &of.asks {
        Some((id, question)) => (json!(id), question_at(*question)),
        None => (Value::Null, Value::Null),
    };
    json!({ "IsActive": of.asks.is_some(), "SurveyId": id, "Question": question, "LastResult": of.last })
}

fn question_at(place: usize) -> Value {
    json!({ "Id": format!("q{}", place + 1), "Text": QUESTIONS[place], "Answers": ["да", "нет"] })
}

/// The bookings of each day that is not over.
pub(super) fn bookings(store: &Store) -> Vec<(jiff::civil::Date, Vec<Value>)> {
    let mut days = std::collections::BTreeMap::new();
    for of in store.tickets.iter().filter(|of| of.is_booked() && of.day >= store.day) {
        days.entry(of.day).or_insert_with(Vec::new).push(ticket(store, of));
    }
    days.into_iter().collect()
}

/// The services of the catalogue.
pub(super) fn products(store: &Store) -> Value {
    let shown = store.world.products.iter().map(|product| {
        json!({
            "Id": product.id,
            "Name": product.name,
            "IntegrationId": product.integration_id,
            "CategoryId": store.world.categories[product.category],
            "AverageDuration": 12.5,
        })
    });
    shown.collect()
}

/// Services and categories in short.
pub(super) fn simple(store: &Store) -> Value {
    let categories = store
        .world
        .categories
        .iter()
        .zip(CATEGORIES)
        .map(|(id, name)| json!({ "Id": id, "Name": name, "IsCategory": true }));
    let products = store.world.products.iter().map(|product| {
        json!({ "Id": product.id, "Name": product.name, "IsCategory": false,
            "ParentId": store.world.categories[product.category] })
    });
    categories.chain(products).collect()
}

/// A menu as a tree: two groups, and in each the links of its services.
pub(super) fn menu(store: &Store, place: usize) -> Value {
    let (id, links) = &store.world.menus[place];
    let children = store.settings.children.as_str();
    let groups: Vec<Value> = (0..CATEGORIES.len())
        .map(|category| {
            let products = store.world.products.iter().enumerate();
            let items: Vec<Value> = products
                .filter(|(_, product)| product.category == category)
                .map(|(at, product)| {
                    json!({ "Id": links[CATEGORIES.len() + at], "Name": product.name,
                        "ProductId": product.id })
                })
                .collect();
            let mut group = json!({ "Id": links[category], "Name": CATEGORIES[category] });
            group[children] = json!(items);
            group
        })
        .collect();
    let mut menu = json!({ "Id": id, "Name": format!("Меню {}", place + 1) });
    menu[children] = json!(groups);
    menu
}

/// The summary of a queue.
pub(super) fn statistics(store: &Store) -> Value {
    let today: Vec<&Ticket> =
        store.tickets.iter().filter(|ticket| ticket.day == store.day).collect();
    let count = |state: i64| today.iter().filter(|ticket| ticket.state() == state).count();
    let free = store.workplaces.iter().filter(|of| !of.is_on_break).count();
    json!({
        "ServerId": store.world.server_id,
        "WaitingCount": count(1),
        "OperatingCount": count(2),
        "CompletedCount": count(3),
        "WorkplaceCount": free,
        "AverageAwaiting": 3.25,
    })
}

/// What was served in each day of an interval.
pub(super) fn indicators(store: &Store, from: jiff::civil::Date, to: jiff::civil::Date) -> Value {
    let mut date = from;
    let mut all = Vec::new();
    while date <= to && date <= store.day {
        for (place, product) in store.world.products.iter().enumerate() {
            let of = store.tickets.iter().filter(|ticket| ticket.day == date);
            let services = of.flat_map(|ticket| &ticket.services);
            let served =
                services.filter(|service| service.product == place && service.state == 9).count();
            all.push(json!({ "Date": day(date), "ProductId": product.id, "ServedCount": served }));
        }
        match date.tomorrow() {
            Ok(next) => date = next,
            Err(_) => break,
        }
    }
    json!(all)
}
