//! The connector `desk`, as an author writes it: a help desk with agents, notes and tickets.

use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;
use talon_http::login::{Login, SignIn, Token};
use talon_http::order::{Asks, Field, Meaning, NoReply, Order, Refusals};
use talon_http::{Client, Credentials, HeaderValue, Lane, Method, Reply, Request, fault_of};
use talon_schemas::Contract;
use talon_schemas::command::CommandContract;
use talon_sdk::action::{Action, Actions, Scene, Unseen, actions, expected};
use talon_sdk::config::{Importance, Key, Secret, Settings};
use talon_sdk::entity::{Codec, Entity, Instant, Record};
use talon_sdk::feeds::{ListFeed, Marked, MarkedFeed, MarkedRows, Marks};
use talon_sdk::privacy::{self, Privacy};
use talon_sdk::record::{Extra, Text};
use talon_sdk::{
    Answer, Applier, ApplyFault, Class, CommandSpec, Commands, Connector, Context, Fault, Feed,
    FeedPlan, FeedSpec, Finding, OrderingKey, Permit, Repeat, RowCodec, RowFault,
};

// 1. What there is: entities, each declared once. `agent.avsc` and `note.avsc` are what is declared.

/// Somebody who answers tickets.
#[derive(Record)]
#[record(namespace = "talon.desk")]
pub(crate) struct Agent<'a> {
    /// Key.
    #[from("id")]
    id: i64,
    /// As colleagues call them.
    #[from("name")]
    #[record(pii)]
    name: Option<Text<'a>>,
    #[from("team")]
    team: Option<Text<'a>>,
    extra: Extra<'a>,
    /// Being seen is no change.
    #[from("lastSeen")]
    #[record(name = "seen_at", volatile)]
    seen: Option<Instant<'a>>,
}

impl Entity for Agent<'_> {
    const KEY: &'static str = "id";

    fn key(of: &Agent<'_>, key: &mut String) -> Result<(), RowFault> {
        key.push_str(&of.id.to_string());
        Ok(())
    }
}

/// What was written about a ticket.
#[derive(Record)]
#[record(namespace = "talon.desk")]
pub(crate) struct Note<'a> {
    /// Key.
    #[from("id")]
    id: i64,
    #[from("ticketId")]
    ticket_id: Option<i64>,
    #[from("writtenAt")]
    written_at: Option<Instant<'a>>,
    #[from("text")]
    #[record(pii)]
    text: Option<Text<'a>>,
    extra: Extra<'a>,
    /// Grows with each note.
    #[from("mark")]
    #[record(volatile)]
    mark: Option<i64>,
}

impl Entity for Note<'_> {
    const KEY: &'static str = "id";

    fn key(of: &Note<'_>, key: &mut String) -> Result<(), RowFault> {
        key.push_str(&of.id.to_string());
        Ok(())
    }

    fn changed_at(of: &Note<'_>) -> Option<i64> {
        of.written_at.as_ref().map(Instant::micros)
    }
}

static AGENT: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("desk", "agent", include_str!("agent.avsc")));
static NOTE: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("desk", "note", include_str!("note.avsc")));
static COMMANDS: LazyLock<CommandContract> =
    LazyLock::new(|| CommandContract::of(include_str!("commands.avsc")));

fn feeds() -> Vec<FeedSpec> {
    vec![
        FeedSpec::table("agent", &AGENT).by("id").from("GET /agents").doc("Agents, a whole list."),
        FeedSpec::log("note", &NOTE).by("id").from("GET /notes").doc("Notes about tickets."),
    ]
}

// 2. How the upstream is asked.

/// The account, and how it signs in.
struct Account {
    http: Client,
    name: String,
    password: Secret,
}

#[derive(Deserialize)]
struct TokenDto {
    token: String,
    seconds: u64,
}

impl SignIn for Account {
    async fn sign_in(&mut self) -> Result<Token, Fault> {
        const ENDPOINT: &str = "POST /login";
        let asked = tokio::time::Instant::now();
        let body = json!({ "name": self.name, "password": self.password.expose() }).to_string();
        let request = Request::new(Method::POST, ENDPOINT, ["login"])
            .body(body, HeaderValue::from_static("application/json"));
        let reply = self.http.send(request).await?;
        if let Some(fault) = fault_of(ENDPOINT, &reply, Some("auth.password")) {
            return Err(fault);
        }
        let dto: TokenDto = serde_json::from_slice(&reply.body).map_err(|_| {
            Fault::unavailable(format!("`{ENDPOINT}` was answered without a token"))
        })?;
        let (header, secret) = (talon_http::AUTHORIZATION, Secret::fixed(&dto.token));
        let credentials = Credentials::header(header, "Bearer", secret, "auth.password");
        Ok(Token::new(credentials, asked, Some(Duration::from_secs(dto.seconds))))
    }
}

/// Asks as the account.
pub(crate) struct Desk {
    http: Client,
    login: Login<Account>,
    lane: Lane,
}

/// (endpoint, status, the upstream's own code; what the document says.)
const MEANINGS: &[Meaning] = &[
    ("POST /tickets/{id}/close", 404, None, "there is no such ticket"),
    ("POST /tickets/{id}/close", 409, None, "the ticket is closed"),
];

impl Asks for Desk {
    fn refusals(&self) -> &Refusals {
        const REFUSALS: Refusals = Refusals { meanings: MEANINGS, code: |_| None };
        &REFUSALS
    }

    fn setting(&self) -> Option<&str> {
        Some("auth.password")
    }

    async fn exchange(&self, order: &Order, permit: Option<&Permit>) -> Result<Reply, NoReply> {
        let request = || {
            let mut request = order.request().lane(self.lane);
            request.permit = permit.cloned();
            request
        };
        self.login.send(&self.http, request, |reply| reply.status == 401).await
    }
}

/// The feed `note`: what has a mark above the last one.
struct Notes(Arc<Desk>);

#[async_trait]
impl Marked for Notes {
    async fn since(&mut self, mark: i64) -> Result<MarkedRows, Fault> {
        let order = Order::plain("GET /notes").query("since", mark.to_string());
        Ok(self.0.list(&order).await?.marked_rows("mark")?)
    }
}

// 3. What can be done.

#[derive(Deserialize)]
struct CloseTicket {
    ticket_id: i64,
    reason: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Ticket {
    state: String,
}

impl Action for CloseTicket {
    type Sender = Desk;
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: &["state"],
        call: "POST /tickets/{id}/close",
        probe: "the ticket's state, before and after",
        ..CommandSpec::of("CloseTicket", OrderingKey::Params(&["ticket_id"]), Repeat::Converges)
    };
    type Seen = Ticket;
    type Mark = Ticket;

    async fn check(&self, _: &Scene<'_, Desk>) -> Result<(), ApplyFault> {
        // By what is seen, below.
        Ok(())
    }

    async fn see(&self, scene: &Scene<'_, Desk>, _: Option<&Ticket>) -> Result<Ticket, Unseen> {
        let order = Order::new("GET /tickets/{id}", &[self.ticket_id]);
        scene.sender.read_existing(&order, "there is no such ticket").await
    }

    fn admit(&self, scene: &Scene<'_, Desk>, seen: &Ticket) -> Result<(), ApplyFault> {
        expected(scene.command, |_| Some(json!(seen.state)))
    }

    fn mark(&self, _: &Scene<'_, Desk>, seen: Ticket) -> Ticket {
        seen
    }

    fn judge(&self, _: &Scene<'_, Desk>, before: &Ticket, now: Ticket) -> Finding {
        match now.state.as_str() {
            "closed" => Finding::Applied(Answer::saying("read back: it is closed")),
            state if state == before.state => Finding::Absent,
            _ => Finding::Unclear("the ticket is neither as it was nor closed".to_owned()),
        }
    }

    fn may_be_so(&self, refusal: &Answer) -> bool {
        refusal.status == Some(409)
    }

    fn is_so(&self, now: &Ticket) -> bool {
        now.state == "closed"
    }

    async fn send(&self, scene: &Scene<'_, Desk>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let order = Order::new(Self::SPEC.call, &[self.ticket_id]);
        let order = order.json(&json!({ "reason": self.reason }));
        scene.sender.send(&order, &[Field::Id("id")], permit).await
    }
}

static ACTIONS: Actions<Desk> = actions![CloseTicket];

// 4. The class, its settings, and an instance of it.

pub(crate) struct DeskClass;

impl Class for DeskClass {
    fn name(&self) -> &'static str {
        "desk"
    }

    fn doc(&self) -> &'static str {
        "A help desk: agents and notes, and closing tickets (REST)."
    }

    fn feeds(&self) -> Vec<FeedSpec> {
        feeds()
    }

    fn commands(&self) -> Option<Commands> {
        Some(Commands { specs: ACTIONS.specs(), contract: || &COMMANDS })
    }

    fn keys(&self) -> Vec<Key> {
        let mut keys = talon_http::keys();
        keys.extend([
            Key::text("auth.name").required().doc("Name of the account."),
            Key::secret("auth.password").required().doc("Its password."),
            FeedSpec::key(&feeds(), "The feeds to read."),
            ACTIONS.key(""),
            Key::whole("poll.interval.ms", 10, 86_400_000)
                .default("2000")
                .importance(Importance::Medium)
                .doc("How often feeds are read."),
        ]);
        keys.extend(privacy::keys(&[&AGENT, &NOTE]));
        keys
    }

    fn configure(
        &self,
        settings: &mut Settings<'_>,
        context: Context,
    ) -> Option<Arc<dyn Connector>> {
        let instance = Instance {
            http: talon_http::read(settings),
            name: settings.text("auth.name"),
            password: settings.secret("auth.password")?,
            feeds: FeedSpec::enabled(&feeds(), settings),
            commands: ACTIONS.enabled(settings),
            interval: settings.millis("poll.interval.ms"),
            privacy: Privacy::read(settings, &[&AGENT, &NOTE]),
            marks: Marks::new(0, None),
            client: OnceLock::new(),
            context,
        };
        settings.problems().is_empty().then(|| Arc::new(instance) as Arc<dyn Connector>)
    }
}

struct Instance {
    http: talon_http::Config,
    name: String,
    password: Secret,
    feeds: Vec<Arc<FeedSpec>>,
    commands: Vec<&'static CommandSpec>,
    interval: Duration,
    privacy: Privacy,
    marks: Marks,
    client: OnceLock<Client>,
    context: Context,
}

impl Instance {
    /// One client for all, so that they share its budget.
    fn desk(&self, lane: Lane) -> Result<Arc<Desk>, Fault> {
        let http = match self.client.get() {
            Some(http) => http.clone(),
            None => {
                let made = Client::new(self.http.clone(), &self.context)?;
                self.client.get_or_init(|| made).clone()
            }
        };
        let (name, password) = (self.name.clone(), self.password.clone());
        let login = Login::new(Account { http: http.clone(), name, password });
        Ok(Arc::new(Desk { http, login, lane }))
    }
}

#[async_trait]
impl Connector for Instance {
    fn feeds(&self) -> Vec<FeedPlan> {
        let plan = |spec: &Arc<FeedSpec>| {
            let (zone, privacy) = (TimeZone::UTC, self.privacy.clone());
            let codec: Arc<dyn RowCodec> = match &*spec.name {
                "agent" => Arc::new(Codec::<Agent<'_>>::new(zone, privacy)),
                _ => Arc::new(Codec::<Note<'_>>::new(zone, privacy)),
            };
            FeedPlan { spec: spec.clone(), interval: self.interval, codec }
        };
        self.feeds.iter().map(plan).collect()
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        let (desk, clock) = (self.desk(Lane::Feed)?, self.context.clock.clone());
        Ok(match feed {
            "agent" => Box::new(ListFeed::new(clock, move || {
                let desk = desk.clone();
                async move { Ok(desk.list(&Order::plain("GET /agents")).await?.rows()?) }
            })),
            _ => Box::new(MarkedFeed::new(clock, self.marks.clone(), Notes(desk))),
        })
    }

    fn commands(&self) -> Vec<&'static CommandSpec> {
        self.commands.clone()
    }

    fn applier(&self) -> Result<Arc<dyn Applier>, Fault> {
        Ok(ACTIONS.applier(self.desk(Lane::Command)?))
    }

    fn request_timeout(&self) -> Duration {
        self.http.request_timeout
    }

    async fn probe(&self) -> Result<String, Fault> {
        let agents = self.desk(Lane::Feed)?.list(&Order::plain("GET /agents")).await?.rows()?;
        Ok(format!("answers, and takes the account ({} agents)", agents.len()))
    }
}
