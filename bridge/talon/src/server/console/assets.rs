//! The style, the script and the icon of the console.

use axum::http::header;
use axum::response::IntoResponse;

pub(super) const STYLE: &str = include_str!("console.css");
pub(super) const SCRIPT: &str = include_str!("console.js");
const ICON: &str = include_str!("icon.svg");

pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

pub(super) async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}

pub(super) async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], ICON)
}
