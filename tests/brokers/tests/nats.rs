//! The NATS fixture against a real server, over the text protocol by hand.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use talon_brokers::{Nats, probe, unique};

struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(nats: &Nats) -> Self {
        let address = nats.url().trim_start_matches("nats://");
        let stream = BufReader::new(probe::connect(address).expect("a connection"));
        let mut connection = Self { stream };
        assert!(connection.line().starts_with("INFO "));
        connection.send("CONNECT {\"verbose\":false}\r\n");
        connection
    }

    fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).expect("sent");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        line
    }

    /// The body of the answer to a request.
    fn request(&mut self, subject: &str, body: &str) -> serde_json::Value {
        let inbox = unique("inbox");
        let length = body.len();
        self.send(&format!(
            "SUB {inbox} 1\r\nUNSUB 1 1\r\nPUB {subject} {inbox} {length}\r\n{body}\r\n"
        ));
        while !self.line().starts_with("MSG ") {}
        serde_json::from_str(&self.line()).expect("JSON")
    }
}

fn create_stream(connection: &mut Connection, name: &str) {
    let body = serde_json::json!({ "name": name, "subjects": [format!("{name}.>")] });
    let subject = format!("$JS.API.STREAM.CREATE.{name}");
    let answer = connection.request(&subject, &body.to_string());
    assert!(answer.get("error").is_none(), "{answer}");
}

fn messages(connection: &mut Connection, stream: &str) -> u64 {
    let answer = connection.request(&format!("$JS.API.STREAM.INFO.{stream}"), "");
    answer["state"]["messages"].as_u64().expect("a count")
}

#[test]
fn the_shared_server_has_jetstream() {
    let Some(nats) = Nats::shared("the_shared_server_has_jetstream") else {
        return;
    };
    let mut connection = Connection::open(nats);
    let stream = unique("orders");
    create_stream(&mut connection, &stream);
    let answer = connection.request(&format!("{stream}.a"), "1");
    assert_eq!(answer["seq"], 1, "{answer}");
}

#[test]
fn a_killed_server_comes_back_with_its_streams() {
    let Some(mut nats) = Nats::start("a_killed_server_comes_back") else {
        return;
    };
    assert!(nats.owned());
    let address = nats.url().trim_start_matches("nats://").to_owned();
    let stream = unique("orders");
    let mut connection = Connection::open(&nats);
    create_stream(&mut connection, &stream);
    connection.request(&format!("{stream}.a"), "1");
    nats.kill();
    probe::nats(&address).expect_err("it was killed");
    nats.restart();
    let mut connection = Connection::open(&nats);
    assert_eq!(messages(&mut connection, &stream), 1);
    connection.request(&format!("{stream}.a"), "2");
    nats.stop();
    nats.restart();
    assert_eq!(messages(&mut Connection::open(&nats), &stream), 2);
}

#[test]
fn a_paused_server_answers_again_when_resumed() {
    let Some(nats) = Nats::start("a_paused_server_answers_again") else {
        return;
    };
    let mut connection = Connection::open(&nats);
    nats.pause();
    // The system accepts for it; nothing greets.
    let address = nats.url().trim_start_matches("nats://");
    probe::nats(address).expect_err("it is paused");
    connection.send("PING\r\n");
    nats.resume();
    while connection.line() != "PONG\r\n" {}
    probe::nats(address).expect("it was resumed");
}

#[test]
fn a_paused_server_can_be_stopped() {
    let Some(mut nats) = Nats::start("a_paused_server_can_be_stopped") else {
        return;
    };
    nats.pause();
    nats.stop();
    nats.restart();
    Connection::open(&nats);
}
