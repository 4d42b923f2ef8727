//! Rights on a broker, granted by a request of the protocol: the client has none for that.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Codes of `CreateAcls`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resource {
    Topic = 2,
    Group = 3,
    TransactionalId = 5,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Read = 3,
    Write = 4,
    Create = 5,
    DescribeConfigs = 10,
}

pub(crate) type Right = (Resource, Operation);

/// Allows a user these operations on all names that begin so. Version 1 of the request.
pub(crate) fn allow(bootstrap: &str, user: &str, prefix: &str, rights: &[Right]) {
    let mut request = Vec::new();
    let text = |request: &mut Vec<u8>, text: &str| {
        request.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        request.extend(text.as_bytes());
    };
    request.extend(30_i16.to_be_bytes());
    request.extend(1_i16.to_be_bytes());
    request.extend(7_i32.to_be_bytes());
    text(&mut request, "test");
    request.extend(u32::try_from(rights.len()).unwrap().to_be_bytes());
    for (resource, operation) in rights {
        request.push(*resource as u8);
        text(&mut request, prefix);
        // By prefix.
        request.push(4);
        text(&mut request, &format!("User:{user}"));
        text(&mut request, "*");
        request.push(*operation as u8);
        // Allow.
        request.push(3);
    }
    let mut stream = TcpStream::connect(bootstrap).unwrap();
    stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut reply = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut reply).unwrap();
    // Correlation, throttle time, count, and for each an error code and a text that may be null.
    let mut at = 12;
    for right in rights {
        let code = i16::from_be_bytes([reply[at], reply[at + 1]]);
        assert_eq!(code, 0, "{right:?}");
        let length = i16::from_be_bytes([reply[at + 2], reply[at + 3]]);
        at += 4 + usize::try_from(length.max(0)).unwrap();
    }
}
