//! The hall as it is at the start.

use serde_json::{Value, json};

use super::{Store, hash};
use crate::quickq::book::Book;

const SERVICES: [(&str, &str); 4] = [
    ("Оплата практических занятий", "Г"),
    ("Консультация / Первичная запись в автошколу / Активация купона", "H"),
    ("Назначение / Отмена занятий на тренажере", "Т"),
    ("Выдача документов", ""),
];

const OPERATIONS: [&str; 6] = [
    "Приём оплаты",
    "Консультация",
    "Назначение занятий на тренажере",
    "Проверка документов",
    "Выдача",
    "Запись",
];

impl Store {
    /// Fills the books; ids count from 1 in each, and those made later from 1000.
    pub(super) fn furnish(&mut self) {
        let now = self.now();
        let numbered = |i: usize| i as i64 + 1;
        for (i, name) in OPERATIONS.into_iter().enumerate() {
            let id = numbered(i);
            let item = json!({
                "id": id, "name": name, "regulated_sec": 300, "danger_sec": 600,
                "description": null, "disabled": 0,
            });
            self.put(Book::Operation, id, item);
        }
        for (i, (name, prefix)) in SERVICES.into_iter().enumerate() {
            let id = numbered(i);
            // Two stages for every other service.
            let mut stages = json!({ "10": [id] });
            if i % 2 == 1 {
                stages["20"] = json!([5, 6]);
            }
            let service = json!({
                "id": id, "name": name, "priority": 50, "ticket_range_id": id, "disabled": 0,
                "description": null, "operations": stages, "pin_code": null,
            });
            self.put(Book::Service, id, service);
            let range = json!({
                "id": id, "name": format!("Диапазон {id}"), "prefix": prefix, "ticketMin": 1,
                "ticketMax": 999, "ticketNumberMinWidth": 3, "ticketNumberMaxWidth": 3,
                "clearNumberEvery": "day", "cycledCounter": 1,
            });
            self.put(Book::TicketRange, id, range);
        }
        for id in 1..=self.settings.workplaces {
            let operations: Vec<i64> = (1..=6).collect();
            let workplace = json!({
                "id": id, "operations": operations, "name": format!("Окно {id}"),
                "alias": id.to_string(), "disabled": 0, "state_id": 1, "all_operations": 0,
                "department": 0, "auto_call": 0, "auto_call_timeout": 0, "auto_serve": 0,
                "auto_serve_timeout": 0, "service_priority_enabled": 0,
                "audio_notification_enabled": 0, "last_update": now,
                "currentOperations": operations, "clerk_id": 1, "consumer_id": -1,
            });
            self.put(Book::Workplace, id, workplace);
        }
        let role = json!({
            "id": 1, "name": "Администратор (полный доступ)", "disabled": 0, "description": null,
            "administrator": { "id": 1 },
            "clerk": { "id": 1, "all_operations": 1, "operations": [1, 2, 3, 4, 5, 6] },
        });
        self.put(Book::UserRole, 1, role.clone());
        let user = json!({
            "id": 1, "login": self.settings.login, "password": hash(&self.settings.password),
            "surname": "Иванова", "name": "Анна", "patronymic": "Петровна",
            "create_time": "2015-04-26T16:59:22.000Z", "disabled": 0, "role_id": 1,
            "clerk": { "id": 1, "priority": 50, "default_workplace": null, "all_operations": 0 },
            "role": role,
        });
        self.put(Book::User, 1, user);
        for (book, name) in [
            (Book::QBoard, "Табло LCD"),
            (Book::ScoreBoard, "Табло LED"),
            (Book::Registrator, "Терминал"),
        ] {
            for id in 1..=2 {
                let item: Value =
                    json!({ "id": id, "name": format!("{name} {id}"), "disabled": 0 });
                self.put(book, id, item);
            }
        }
        for id in 1..=3 {
            let booked = json!({
                "id": id, "prefix": "З", "number": id, "ticket": format!("З{id:03}"),
                "priority": 50, "registration": now, "state": "WAITING", "workplace_id": -1,
                "services": { "1": { "10": { "1": { "state": "WAITING" } } } },
            });
            self.put(Book::ConsumerPreRegistered, id, booked);
        }
        self.last_id = 1000;
        self.touched.clear();
    }
}
