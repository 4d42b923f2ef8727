//! Faults of commands.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use talon_brokers::unique;
use talon_simulators::contractor::{Fault as Strike, FaultKind, Simulator};

use crate::fault::Fault;
use crate::site::Site;
use crate::support::producer::Producer;
use crate::upstream::{PATIENT, contractor, field};

/// What becomes of a command.
enum Fate {
    /// Its reply is lost, and nothing can be read back.
    Unknown,
    /// No reply comes.
    Stuck,
    /// It is late when it comes.
    Late,
}

struct Command {
    name: &'static str,
    alert: &'static str,
    fate: Fate,
    address: String,
    upstream: Simulator,
}

/// All of this kind.
pub(crate) async fn all(address: &str) -> Vec<Box<dyn Fault>> {
    let faults = [
        ("command UNKNOWN", "TalonCommandUnknown", Fate::Unknown),
        ("command lane stuck", "TalonCommandsStuck", Fate::Stuck),
        ("command older than its expiry", "TalonCommandExpired", Fate::Late),
    ];
    let mut all = Vec::new();
    for (name, alert, fate) in faults {
        let (address, upstream) = (address.to_owned(), contractor(0.5).await);
        all.push(Box::new(Command { name, alert, fate, address, upstream }) as Box<dyn Fault>);
    }
    all
}

/// Puts a command on the topic under its key.
pub(crate) async fn send(site: &Site, kind: &str, key: &str, params: &Value, more: &Value) {
    let mut command = json!({"id": unique("command"), "type": kind, "params": params});
    for (name, value) in more.as_object().into_iter().flatten() {
        command[name] = value.clone();
    }
    let topic = format!("{}.field.commands", site.prefix);
    Producer::new(&site.address).await.send(&topic, &[(key.to_owned(), command)]).await;
}

#[async_trait(?Send)]
impl Fault for Command {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alert(&self) -> &'static str {
        self.alert
    }

    fn address(&self) -> &str {
        &self.address
    }

    async fn begin(&mut self, site: &mut Site) {
        let mut more = vec![("commands", "SendMessage,RegisterUser")];
        if let Fate::Stuck = self.fate {
            more.extend(PATIENT);
        }
        let texts = field(site, &self.upstream.url(), &more);
        site.run_ready(0, &texts).await;
        site.pod(0).becomes("field/commands", "up").await;
        send_message(site, json!({})).await;
    }

    async fn strike(&mut self, site: &mut Site) {
        match self.fate {
            Fate::Unknown => {
                let lost = Strike::from(FaultKind::LostReply).at("/user/register");
                self.upstream.fault(lost);
                let params = json!({"user_name": unique("user"), "password": "пароль-1"});
                send(site, "RegisterUser", &unique("key"), &params, &json!({})).await;
            }
            Fate::Stuck => {
                let slow = FaultKind::Slow { ms: 600_000 };
                self.upstream.fault(Strike::from(slow).at("/call").method("POST"));
                send_message(site, json!({})).await;
            }
            Fate::Late => {
                let past = Timestamp::now() - jiff::SignedDuration::from_secs(60);
                send_message(site, json!({"expires_at": past.to_string()})).await;
            }
        }
    }

    async fn mend(&mut self, _: &mut Site) {
        self.upstream.faults().clear();
        self.upstream.pause_listening().await;
        self.upstream.resume_listening().await;
    }
}

pub(crate) async fn send_message(site: &Site, more: Value) {
    send(site, "SendMessage", "1001", &json!({"call_id": 1001, "message": "hello"}), &more).await;
}
