//! What the test says for the shop.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use talon_sdk::CommandSpec;
use talon_sdk::conformance::{Ailment, Loss, Simulation};

use crate::connector::ShopClass;
use crate::shop::{SPOKEN, Shared, Shop};

pub(crate) struct Simulated(Shared);

impl Simulated {
    /// A shop of its own, which the class connects to from now on.
    pub(crate) fn start(class: &ShopClass) -> Simulated {
        let shop = Shop::furnished();
        *class.shop.lock().unwrap() = shop.clone();
        Simulated(shop)
    }
}

#[async_trait]
impl Simulation for Simulated {
    fn settings(&self) -> Vec<(String, String)> {
        vec![("auth.password".to_owned(), "canary-pa55word".to_owned())]
    }

    fn patience(&self) -> Duration {
        // Nothing here takes time.
        Duration::from_secs(2)
    }

    async fn keys(&self, feed: &str) -> BTreeSet<String> {
        let shop = self.0.lock().unwrap();
        match feed {
            "item" => shop.items.keys().map(i64::to_string).collect(),
            _ => (1..=shop.entries.len()).map(|number| number.to_string()).collect(),
        }
    }

    async fn change(&self, feed: &str) -> BTreeSet<String> {
        let mut shop = self.0.lock().unwrap();
        let number = shop.entries.len();
        let keys = match feed {
            "item" => {
                for id in [2, 5] {
                    let name = &mut shop.items.get_mut(&id).unwrap().1;
                    name.push('+');
                }
                vec![2, 5]
            }
            _ => {
                shop.entries.extend((0..3).map(|more| format!("entry {}", number + more)));
                vec![number + 1, number + 2, number + 3]
            }
        };
        keys.into_iter().map(|key| key.to_string()).collect()
    }

    async fn remove(&self, feed: &str) -> Option<String> {
        (feed == "item").then(|| {
            self.0.lock().unwrap().items.remove(&6);
            "6".to_owned()
        })
    }

    async fn respell(&self) -> bool {
        self.0.lock().unwrap().is_respelled = true;
        true
    }

    async fn ail(&self, how: Option<Ailment>) -> bool {
        self.0.lock().unwrap().ails = how;
        true
    }

    fn canaries(&self) -> Vec<String> {
        vec![SPOKEN.to_owned()]
    }

    async fn left_open(&self) -> Option<String> {
        let sessions = self.0.lock().unwrap().sessions;
        (sessions > 0).then(|| format!("{sessions} sessions"))
    }

    async fn prepare(&self, _: &CommandSpec) -> Option<Value> {
        Some(json!({"id": 1, "name": "Person-new"}))
    }

    async fn lose(&self, _: &CommandSpec, loss: Loss) {
        self.0.lock().unwrap().loses = Some(loss);
    }

    fn sent(&self, _: &CommandSpec) -> u64 {
        self.0.lock().unwrap().sent
    }

    fn done(&self, _: &CommandSpec) -> u64 {
        self.0.lock().unwrap().done
    }
}
