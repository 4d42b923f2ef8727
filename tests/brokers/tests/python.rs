//! The decoding of single-object payloads by the script, without a broker.

use std::path::Path;

use talon_brokers::python;

/// Of `{"name": "a", "amount": 1}` under `schema.avsc`.
const BODY: &str = "026102";

fn decode(test: &str, payload: &str) -> Option<std::process::Output> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("payloads");
    std::fs::write(&file, format!("{payload}\n")).expect("written");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/schema.avsc");
    let (file, schema) = (file.display().to_string(), schema.display().to_string());
    let arguments = ["--payloads", &file, "--single-object", &schema];
    python::run(test, "read_events.py", &arguments)
}

/// CRC-64-AVRO as the Avro specification gives it ("Schema Fingerprints").
fn fingerprint(canonical: &str) -> u64 {
    const EMPTY: u64 = 0xc15d_213a_a4d7_a795;
    canonical.bytes().fold(EMPTY, |fingerprint, byte| {
        let mut low = (fingerprint ^ u64::from(byte)) & 0xff;
        for _ in 0..8 {
            low = (low >> 1) ^ (EMPTY & (low & 1).wrapping_neg());
        }
        (fingerprint >> 8) ^ low
    })
}

fn fingerprint_on_the_wire() -> String {
    let canonical = "{\"name\":\"talon.test.Event\",\"type\":\"record\",\"fields\":[\
                     {\"name\":\"name\",\"type\":\"string\"},{\"name\":\"amount\",\"type\":\"long\"}]}";
    let bytes = fingerprint(canonical).to_le_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_fingerprint_of_null_is_the_one_the_world_knows() {
    assert_eq!(fingerprint("\"null\""), 0x63dd_24e7_cc25_8f8a);
}

#[test]
fn a_payload_with_the_fingerprint_of_the_schema_is_decoded() {
    let payload = format!("c301{}{BODY}", fingerprint_on_the_wire());
    let Some(output) = decode("a_payload_with_the_fingerprint", &payload) else {
        return;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let value = serde_json::json!({ "name": "a", "amount": 1 });
    assert_eq!(line, serde_json::json!({ "value": value }));
}

#[test]
fn another_fingerprint_is_refused() {
    let payload = format!("c301{}{BODY}", "00".repeat(8));
    let Some(output) = decode("another_fingerprint_is_refused", &payload) else {
        return;
    };
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("fingerprint 0000000000000000"), "{errors}");
}
