//! Moves a partition, by a request of the protocol: the client has none for that. Other crates' tests include this file.

use std::io::{Read, Write};
use std::net::TcpStream;

/// `AlterPartitionReassignments`, version 0, of which the client of the tests knows nothing: the partition 0
/// of a topic has its only replica on this broker.
pub(crate) fn reassign(bootstrap: &str, topic: &str, broker: i32) {
    let compact = |text: &str| [&[u8::try_from(text.len() + 1).unwrap()], text.as_bytes()].concat();
    let request = [
        // Key, version, correlation, client, no tags; time limit; one topic.
        &[0, 45, 0, 0, 0, 0, 0, 7, 0, 4][..],
        b"test",
        &[0],
        &30_000_i32.to_be_bytes(),
        &[2],
        &compact(topic),
        // One partition, its number, one replica.
        &[2, 0, 0, 0, 0, 2],
        &broker.to_be_bytes(),
        &[0, 0, 0],
    ]
    .concat();
    let mut stream = TcpStream::connect(bootstrap).unwrap();
    stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    let mut reply = vec![0; u32::from_be_bytes(head) as usize];
    stream.read_exact(&mut reply).unwrap();
    // Correlation, no tags, throttle time, error code.
    assert_eq!(reply[9..11], [0, 0], "{reply:?}");
}
