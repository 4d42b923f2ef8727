//! What people in made-up calls are called and write.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

pub(super) const TASKS: [&str; 8] = [
    "Провести диагностику оборудования",
    "Заменить блок питания",
    "Проверить кабельные соединения",
    "Обновить прошивку маршрутизатора",
    "Сфотографировать место установки",
    "Подписать акт выполненных работ",
    "Настроить резервный канал связи",
    "Заменить кассету купюроприёмника",
];

pub(super) const EXPENDITURES: [&str; 6] = [
    "Проезд до объекта",
    "Проживание",
    "Доставка ЗИП",
    "Работа в выходной день",
    "Аренда подъёмника",
    "Пропуск на территорию",
];

const SURNAMES: [&str; 10] = [
    "Иванов",
    "Смирнов",
    "Кузнецов",
    "Попов",
    "Соколов",
    "Лебедев",
    "Козлов",
    "Новиков",
    "Щербаков",
    "Ёлкин",
];
const NAMES: [&str; 8] = ["Алексей", "Пётр", "Сергей", "Юрий", "Андрей", "Фёдор", "Илья", "Тимур"];
const PATRONYMICS: [&str; 6] =
    ["Иванович", "Петрович", "Сергеевич", "Ильич", "Андреевич", "Рашидович"];
const CLIENTS: [&str; 8] = [
    "ООО «Ромашка»",
    "АО «Северный банк»",
    "ПАО «Волгаэнерго»",
    "ИП Гасанов Р. М.",
    "ООО \"Торговый дом \"Восток\"",
    "ГБУЗ «Городская поликлиника № 12»",
    "АО «Почта & Логистика»",
    "ООО «Сеть магазинов „Уют“»",
];
const CITIES: [&str; 8] = [
    "г. Москва",
    "г. Санкт-Петербург",
    "г. Казань",
    "г. Новосибирск",
    "г. Орёл",
    "г. Йошкар-Ола",
    "г. Ростов-на-Дону",
    "пгт. Верх-Нейвинский",
];
const STREETS: [&str; 7] = [
    "ул. Ленина",
    "пр-т Мира",
    "ул. Большая Ордынка",
    "наб. реки Фонтанки",
    "ул. 8 Марта",
    "Комсомольский пр-д",
    "ул. Объездная",
];
const OBJECTS: [&str; 5] = ["Отделение", "Магазин", "Склад", "Терминал", "Серверная"];
const OBJECT_KINDS: [&str; 4] = ["Офис", "Торговая точка", "Банкомат", "Узел связи"];
const MATERIALS: [&str; 6] = [
    "Блок питания 12 В",
    "Кабель UTP cat. 5e, м",
    "Маршрутизатор",
    "Жёсткий диск 1 ТБ",
    "Термоголовка принтера",
    "Аккумулятор 7 А·ч",
];
const FILES: [&str; 4] = ["фото до.jpg", "фото после.JPG", "акт № 7.jpeg", "IMG_20260112.jpg"];
const SENTENCES: [&str; 12] = [
    "Оборудование не включается после скачка напряжения.",
    "Клиент просит приехать до 18:00, вход со двора.",
    "Нет доступа в серверную, ждём пропуск.",
    "Связь пропадает каждые 10–15 минут.",
    "На экране ошибка «E-402», перезагрузка не помогает.",
    "Запчасть заказана, срок поставки — 3 дня.",
    "Работы выполнены, акт подписан.",
    "Просьба уточнить серийный номер & модель.",
    "Температура в помещении < 5 °C, пайка невозможна.",
    "Контактное лицо не отвечает на звонки.",
    "Требуется подъёмник: высота > 6 м.",
    "Спасибо, принято в работу 👍",
];

pub(super) fn person(random: &mut ChaCha8Rng) -> String {
    let (surname, name) = (one(random, &SURNAMES), one(random, &NAMES));
    format!("{surname} {name} {}", one(random, &PATRONYMICS))
}

pub(super) fn client(random: &mut ChaCha8Rng) -> String {
    one(random, &CLIENTS).to_owned()
}

pub(super) fn email(random: &mut ChaCha8Rng) -> String {
    format!("contact{}@example.ru", random.random_range(1..1000))
}

pub(super) fn phone(random: &mut ChaCha8Rng) -> String {
    let digits = random.random_range(0..10_000_000);
    let (head, tail) = (digits / 10_000, digits % 10_000);
    format!(
        "+7 (9{:02}) {head:03}-{:02}-{:02}",
        random.random_range(0..100),
        tail / 100,
        tail % 100
    )
}

pub(super) fn address(random: &mut ChaCha8Rng) -> String {
    let (city, street) = (one(random, &CITIES), one(random, &STREETS));
    format!("{city}, {street}, д. {}", random.random_range(1..200))
}

pub(super) fn object(random: &mut ChaCha8Rng) -> String {
    format!("{} № {}", one(random, &OBJECTS), random.random_range(1..500))
}

pub(super) fn object_kind(random: &mut ChaCha8Rng) -> String {
    one(random, &OBJECT_KINDS).to_owned()
}

pub(super) fn material(random: &mut ChaCha8Rng) -> String {
    one(random, &MATERIALS).to_owned()
}

pub(super) fn file(random: &mut ChaCha8Rng) -> String {
    one(random, &FILES).to_owned()
}

/// One to four sentences, now and then with line breaks.
pub(super) fn message(random: &mut ChaCha8Rng) -> String {
    let count = random.random_range(1..5);
    let separator = if random.random_ratio(1, 5) { "\r\n" } else { " " };
    let sentences: Vec<_> = (0..count).map(|_| one(random, &SENTENCES)).collect();
    sentences.join(separator)
}

/// So many different ones, in a random order.
pub(super) fn some_of(
    random: &mut ChaCha8Rng,
    all: &'static [&'static str],
    count: Range<usize>,
) -> impl Iterator<Item = String> + use<> {
    let count = random.random_range(count);
    let some: Vec<_> = all.sample(random, count).map(|text| (*text).to_owned()).collect();
    some.into_iter()
}

/// HTML of at least `bytes` bytes, by one paragraph more at most.
pub(super) fn html(random: &mut ChaCha8Rng, bytes: usize) -> Arc<str> {
    let mut text = String::from("<div class=\"call\">\n<h3>Описание&nbsp;обращения</h3>\n");
    while text.len() < bytes {
        let sentence = message(random).replace('&', "&amp;").replace('<', "&lt;");
        let added = match random.random_range(0..4) {
            0 => writeln!(text, "<p style='color:#c00'><b>Важно:</b> {sentence}</p>"),
            1 => writeln!(
                text,
                "<table><tr><td>{}</td><td>{sentence}</td></tr></table>",
                person(random)
            ),
            _ => writeln!(text, "<p>{sentence}<br/></p>"),
        };
        debug_assert!(added.is_ok(), "writing to a string does not fail");
    }
    text.push_str("</div>");
    text.into()
}

fn one(random: &mut ChaCha8Rng, all: &[&'static str]) -> &'static str {
    all.choose(random).copied().unwrap_or_default()
}
