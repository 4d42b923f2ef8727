//! The rows of the document's tables.

use std::collections::HashMap;

use crate::enter_rest::settings::Kind;

/// Verb and path of each row of the document's tables, in its order. Those that it has twice, for a branch
/// and for the central server, are here once.
pub const TABLE: &[&str] = &[
    "GET notifications/:clientId",
    "POST queue/admin/login/:login/:password",
    "GET queue/admin/tickets",
    "GET queue/admin/booking",
    "GET queue/admin/tickets/:ticketId",
    "POST queue/admin/tickets/new",
    "POST queue/admin/tickets/:ticketId/addProduct/:productId",
    "POST queue/admin/tickets/:ticketId/:ticketProductId/cancel",
    "POST queue/admin/tickets/:ticketId/:ticketProductId/setPriority",
    "POST queue/admin/redirect/users/:productId",
    "POST queue/admin/redirect/workPlaces/:productId",
    "POST queue/admin/redirect/:productId",
    "GET config/products",
    "GET config/products/simple",
    "GET config/menus",
    "GET config/menus/:menuId",
    "GET queue/awaiting",
    "GET config/servers",
    "GET booking/menu",
    "GET booking/schedule/days",
    "GET booking/schedule/days/:date",
    "POST booking/login/:userIdentity",
    "POST booking/book/:date/:time",
    "GET booking/tickets",
    "GET booking/tickets/:ticketId",
    "POST booking/tickets/:ticketId/confirm",
    "POST booking/tickets/:ticketId/cancel",
    "GET /tickets/ticketpng/:ticketId/",
    "POST operation/identify/:clientId/:login/:password",
    "GET operation/state",
    "POST operation/login/:login/:password",
    "POST operation/logout",
    "GET operation/queue/count",
    "GET operation/queue",
    "GET operation/personal/count",
    "GET operation/personal",
    "POST operation/break/begin",
    "POST operation/break/end",
    "POST operation/invite",
    "POST operation/invite/:ticketProductId",
    "POST operation/start",
    "POST operation/reject",
    "POST operation/complete",
    "POST operation/hold",
    "GET operation/menu",
    "POST operation/redirect/users/:menuLinkId",
    "POST operation/redirect/workPlaces/:menuLinkId",
    "POST operation/redirect/:menuLinkId",
    "GET survey/:clientId/state",
    "POST survey/:clientId/begin",
    "POST survey/:clientId/end",
    "POST survey/:clientId/answer",
    "GET queue/statistics",
    "GET queue/statistics/history",
    "GET tickets/history/list",
    "GET queue/load",
];

/// Whether a server has a row.
pub(super) fn is_of(kind: Kind, endpoint: &str) -> bool {
    let is_central = matches!(endpoint, "GET config/servers" | "GET queue/load");
    let is_both = matches!(endpoint, "GET queue/statistics" | "GET queue/statistics/history");
    is_both || is_central == (kind == Kind::Central)
}

type Found = (&'static str, Vec<String>, HashMap<String, String>);

/// The row of a request, what stands for its parameters, and its query.
pub(super) fn find(method: &str, path: &str) -> Option<Found> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let segments: Vec<String> = segments(path).map(decoded).collect();
    let of = |row: &&'static str| {
        let (verb, template) = row.split_once(' ')?;
        let template: Vec<&str> = self::segments(template).collect();
        if verb != method || template.len() != segments.len() {
            return None;
        }
        let mut values = Vec::new();
        for (part, segment) in template.iter().zip(&segments) {
            match part.starts_with(':') {
                true => values.push(segment.clone()),
                false if part == segment => {}
                false => return None,
            }
        }
        Some((*row, values))
    };
    let (row, values) = TABLE.iter().find_map(of)?;
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = query.map(|(name, value)| (decoded(name), decoded(&value.replace('+', " "))));
    Some((row, values, query.collect()))
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_its_path_whatever_stands_in_its_parameters() {
        let found = |method: &str, path: &str| find(method, path).map(|(row, of, _)| (row, of));
        assert_eq!(
            found("POST", "/queue/admin/login/a%2Fb/%D0%B9%25"),
            Some((TABLE[1], vec!["a/b".to_owned(), "й%".to_owned()]))
        );
        assert_eq!(found("POST", "/queue/admin/tickets/new"), Some((TABLE[5], vec![])));
        assert_eq!(found("GET", "/tickets/ticketpng/7/"), Some((TABLE[27], vec!["7".to_owned()])));
        assert_eq!(found("GET", "/operation/invite"), None);
        let (_, _, query) = find("GET", "/tickets/history/list?startDate=a%3Ab&endDate=c").unwrap();
        assert_eq!(query["startDate"], "a:b");
    }
}
