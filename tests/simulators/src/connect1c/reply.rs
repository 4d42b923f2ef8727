//! A reply on its way to the client, written as it is taken.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;

use super::faults::FaultKind;
use super::life::Selection;
use super::shared::Shared;
use super::table::{OddRow, Table};

/// How large the pieces are in which a table is written.
const PIECE: usize = 64 * 1024;

/// How long what was written has to leave the machine before a cut.
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// What an external entity would have to be read from.
pub(super) const DOCUMENT_TYPE: &str = "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/hostname\">\
     <!ENTITY c \"&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;\">]>\n";

/// A table on its way.
pub(super) struct Reply {
    pub(super) shared: Arc<Shared>,
    pub(super) table: Table,
    pub(super) selection: Selection,
    pub(super) faults: Vec<FaultKind>,
    pub(super) written: usize,
    pub(super) is_begun: bool,
}

enum Ending {
    More,
    Whole,
    Cut,
}

impl Reply {
    pub(super) fn response(self, content_type: &'static str) -> Response {
        let body = stream::unfold(Some(self), |state| async {
            let mut reply = state?;
            let mut text = String::new();
            if let Some(pause) = reply.pause() {
                tokio::time::sleep(pause).await;
            }
            match reply.fill(&mut text) {
                Ending::Whole => Some((Ok(Bytes::from(text)), None)),
                // The cut itself comes when this is called again.
                Ending::Cut if text.is_empty() => {
                    tokio::time::sleep(BEFORE_CUT).await;
                    Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), None))
                }
                Ending::More | Ending::Cut => Some((Ok(Bytes::from(text)), Some(reply))),
            }
        });
        let kind = HeaderValue::from_static(content_type);
        ([(header::CONTENT_TYPE, kind)], Body::from_stream(body)).into_response()
    }

    fn pause(&self) -> Option<Duration> {
        self.faults.iter().find_map(|fault| match fault {
            FaultKind::SlowBody { ms } => Some(Duration::from_millis(*ms)),
            _ => None,
        })
    }

    fn fill(&mut self, text: &mut String) -> Ending {
        if !self.is_begun {
            self.is_begun = true;
            if self.faults.contains(&FaultKind::DocumentType) {
                text.push_str(DOCUMENT_TYPE);
            }
            self.table.head("SUCCESS", text);
            if self.faults.contains(&FaultKind::NoData) {
                self.table.text_and_end(None, text);
                return Ending::Whole;
            }
            self.table.columns(text);
        }
        let is_empty = self.faults.contains(&FaultKind::EmptyTable);
        while text.len() < PIECE {
            for fault in &self.faults {
                match fault {
                    FaultKind::Cut { rows } if *rows == self.written => {
                        if !text.is_empty() {
                            text.push_str("<row><Value xsi:type=\"xs:st");
                        }
                        return Ending::Cut;
                    }
                    FaultKind::Unfinished { rows, between } if *rows == self.written => {
                        text.push_str(if *between { "" } else { "<row><Value xsi:type=\"xs:st" });
                        return Ending::Whole;
                    }
                    _ => {}
                }
            }
            let next = if is_empty { None } else { self.selection.next(&self.shared.world) };
            let Some(treatment) = next else {
                self.table.end(text);
                return Ending::Whole;
            };
            let odd = match self.written {
                0 if self.faults.contains(&FaultKind::ShortRow) => OddRow::Short,
                0 if self.faults.contains(&FaultKind::RowWithoutId) => OddRow::WithoutId,
                _ => OddRow::Nothing,
            };
            self.table.row(&self.shared.world, &treatment, odd, text);
            self.written += 1;
        }
        Ending::More
    }
}
