//! What a follower tells: of what it reads, and of trouble.

use std::collections::BTreeMap;

use super::entries::Told;
use super::picture::{Picture, Record};
use crate::bus::fault::BusFault;

/// What a follower has told so far, and so what there is to tell. For buses.
#[derive(Debug, Default)]
pub struct Telling {
    picture: Picture,
    /// The last thing told about trouble, until it is over.
    trouble: Option<BusFault>,
    has_read: bool,
}

impl Telling {
    /// Whether everything was read once.
    pub fn has_read(&self) -> bool {
        self.has_read
    }

    /// Everything was read anew, and is so: what is to be told, oldest first. That it is current is told once, and
    /// after each trouble.
    pub fn read(&mut self, all: BTreeMap<String, Record>) -> Vec<Told> {
        let mut news = self.picture.replace(all);
        let had_trouble = self.trouble.take().is_some();
        if std::mem::replace(&mut self.has_read, true) && !had_trouble {
            news.pop();
        }
        news
    }

    /// A record came that follows what was read: what is to be told.
    pub fn change(&mut self, key: &str, record: Record) -> Option<Told> {
        self.picture.change(key, record)
    }

    /// There is trouble: what is to be told, unless it was.
    pub fn trouble(&mut self, fault: BusFault) -> Option<Told> {
        if self.trouble.as_ref() == Some(&fault) {
            return None;
        }
        self.trouble = Some(fault.clone());
        Some(Told::Trouble(fault))
    }
}
