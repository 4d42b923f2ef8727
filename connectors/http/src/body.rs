use bytes::{Bytes, BytesMut};

use crate::failure::{self, Failure, FailureKind, Sent};

/// Reads a body to its end, as long as it keeps to the limit, which counts decompressed bytes.
pub(crate) async fn read(
    endpoint: &str,
    response: &mut reqwest::Response,
    max_bytes: usize,
) -> Result<Bytes, Failure> {
    let too_large = || Failure {
        kind: FailureKind::TooLarge,
        sent: Sent::Maybe,
        reason: format!(
            "`{endpoint}`: the reply is larger than {max_bytes} bytes; \
             see `upstream.response.max.bytes`"
        ),
        is_headless: false,
    };
    // Known only where the body is not compressed.
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > max_bytes {
        return Err(too_large());
    }
    let mut body = BytesMut::with_capacity(announced);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if chunk.len() > max_bytes - body.len() => return Err(too_large()),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => return Err(failure::of_error(endpoint, &error)),
        }
    }
}
