//! Which partition a key belongs to.

/// The partition of a key in a topic with so many partitions: as the Java client's default and
/// librdkafka's `murmur2_random` place it.
pub(crate) fn home(key: &[u8], partitions: i32) -> i32 {
    // The sign bit is cut off, as both clients do.
    let positive = (murmur2(key) & 0x7fff_ffff).cast_signed();
    positive.checked_rem(partitions).unwrap_or_default()
}

/// MurmurHash2 with the Java client's seed (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    // The length is 32 bits there, too: a longer key is no key.
    let mut hash = 0x9747_b28c_u32 ^ data.len() as u32;
    let words = data.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * i);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_placed_as_the_java_client_places_them() {
        // `UtilsTest.testMurmur2` of Kafka 4.1.
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
            assert_eq!(home(key.as_bytes(), 6), (hash & 0x7fff_ffff) % 6);
        }
        assert_eq!((home(b"abc", 1), home(b"", 1), home(b"abc", 0)), (0, 0, 0));
    }
}
