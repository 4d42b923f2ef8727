//! What there is and does not change: services, menus, users, branches, questions.

use crate::random::Random;

pub(super) const SERVICES: [(&str, &str); 6] = [
    ("Регистрация по месту жительства", "310"),
    ("Замена водительского удостоверения", "312"),
    ("Приём документов на загранпаспорт", "415"),
    ("Консультация", "1"),
    ("Оформление пособия", "520"),
    ("Справка о составе семьи \"форма 9\"", "521"),
];

pub(super) const CATEGORIES: [&str; 2] = ["Паспортный стол", "Социальная защита"];

pub(super) const QUESTIONS: [&str; 3] =
    ["Довольны ли вы обслуживанием?", "Долго ли вы ждали?", "Придёте ли вы ещё?"];

pub(super) const SURNAMES: [&str; 6] =
    ["Толбузин", "Кузнецова", "Ахметов", "Сидорова", "Ли", "Петров"];

/// A service of the catalogue.
pub(super) struct Product {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) integration_id: &'static str,
    /// Place of its category.
    pub(super) category: usize,
}

/// An operator.
pub(super) struct User {
    pub(super) id: String,
    pub(super) login: String,
    pub(super) name: &'static str,
}

pub(super) struct Branch {
    pub(super) id: String,
    pub(super) name: String,
}

/// What follows from the seed.
pub(super) struct World {
    pub(super) server_id: String,
    pub(super) products: Vec<Product>,
    pub(super) categories: Vec<String>,
    /// Identifiers of the menus, and of the links of each: two groups, then one link a service.
    pub(super) menus: Vec<(String, Vec<String>)>,
    pub(super) users: Vec<User>,
    pub(super) branches: Vec<Branch>,
}

impl World {
    pub(super) fn new(seed: u64, workplaces: usize, branches: usize) -> World {
        let id =
            |what: u64, place: usize| Random::at(&[seed, what, place as u64]).guid().to_string();
        let products = SERVICES.iter().enumerate().map(|(place, (name, integration_id))| Product {
            id: id(11, place),
            name,
            integration_id,
            category: place % CATEGORIES.len(),
        });
        let users = (0..workplaces.max(1) + 1).map(|place| User {
            id: id(12, place),
            login: format!("operator{:02}", place + 1),
            name: SURNAMES[place % SURNAMES.len()],
        });
        let links = |menu: u64| {
            (0..CATEGORIES.len() + SERVICES.len()).map(|place| id(20 + menu, place)).collect()
        };
        World {
            server_id: id(1, 0),
            products: products.collect(),
            categories: (0..CATEGORIES.len()).map(|place| id(13, place)).collect(),
            menus: (0..2).map(|menu| (id(14, menu), links(menu as u64))).collect(),
            users: users.collect(),
            branches: (0..branches)
                .map(|place| Branch { id: id(15, place), name: format!("МФЦ-{}", place + 1) })
                .collect(),
        }
    }

    /// The service behind a link of a menu, or with an identifier of its own.
    pub(super) fn product(&self, id: &str) -> Option<usize> {
        let of_link = |links: &Vec<String>| {
            let place = links.iter().position(|link| link == id)?;
            place.checked_sub(CATEGORIES.len())
        };
        self.products
            .iter()
            .position(|product| product.id == id || product.integration_id == id)
            .or_else(|| self.menus.iter().find_map(|(_, links)| of_link(links)))
    }
}
