//! The smallest clients that tell whether a broker answers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

const CONNECT_LIMIT: Duration = Duration::from_secs(1);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Opens a connection to `host:port`, with a limit on every read and write.
pub fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(ANSWER_LIMIT))?;
                stream.set_write_timeout(Some(ANSWER_LIMIT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Asks a Kafka without TLS for its brokers (Metadata, version 1) and fails while it knows of none that serve.
///
/// A port that accepts, or an answer to ApiVersions, come earlier: before the broker is admitted by its controller.
pub fn kafka(address: &str) -> io::Result<()> {
    const API_KEY: [u8; 2] = 3i16.to_be_bytes();
    const VERSION: [u8; 2] = 1i16.to_be_bytes();
    const CORRELATION: [u8; 4] = 7i32.to_be_bytes();
    const NO_CLIENT_NAME: [u8; 2] = (-1i16).to_be_bytes();
    const NO_TOPICS: [u8; 4] = 0i32.to_be_bytes();
    const LENGTH: [u8; 4] = 14i32.to_be_bytes();

    let mut stream = connect(address)?;
    let parts: [&[u8]; 6] =
        [&LENGTH, &API_KEY, &VERSION, &CORRELATION, &NO_CLIENT_NAME, &NO_TOPICS];
    stream.write_all(&parts.concat())?;
    // The length of the answer, the correlation and the count of brokers.
    let mut answer = [[0; 4]; 3];
    for field in &mut answer {
        stream.read_exact(field)?;
    }
    match answer.map(i32::from_be_bytes) {
        [_, 7, brokers] if brokers > 0 => Ok(()),
        [_, 7, _] => Err(io::Error::other("no broker serves yet")),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Waits for the `INFO` line a NATS server greets with.
pub fn nats(address: &str) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(connect(address)?).read_line(&mut line)?;
    if line.starts_with("INFO ") {
        Ok(())
    } else {
        Err(io::Error::other(format!("not a NATS server: `{line}`")))
    }
}

/// One HTTP/1.0 request of a JSON `body` (empty for none) to a plain `http://` url; the status and the body of the answer.
pub fn http(method: &str, url: &str, body: &str) -> io::Result<(u16, String)> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| io::Error::other(format!("not a plain http url: `{url}`")))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = connect(&with_port(host, 80))?;
    write!(
        stream,
        "{method} /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    Ok((status, body.to_owned()))
}

/// Asks a registry of the Confluent-compatible API for its subjects.
pub fn registry(url: &str) -> io::Result<()> {
    match http("GET", &format!("{url}/subjects"), "")? {
        (200, _) => Ok(()),
        (status, body) => Err(io::Error::other(format!("status {status}: {body}"))),
    }
}

/// Whether somebody accepts connections at the host of a url, or of a `host:port`, where TLS or a login keep the other probes out.
pub fn accepts(url: &str) -> io::Result<()> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        "" => 9092,
        _ => 4222,
    };
    connect(&with_port(host, default)).map(drop)
}

fn with_port(host: &str, default: u16) -> String {
    let after_brackets = host.rsplit(']').next().unwrap_or(host);
    if after_brackets.contains(':') { host.to_owned() } else { format!("{host}:{default}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_added_only_where_there_is_none() {
        assert_eq!(with_port("registry", 80), "registry:80");
        assert_eq!(with_port("registry:8081", 80), "registry:8081");
        assert_eq!(with_port("[::1]", 80), "[::1]:80");
        assert_eq!(with_port("[::1]:8081", 80), "[::1]:8081");
    }
}
