//! A broker that speaks TLS, with a certificate that the client trusts or does not.
//! Against a real Kafka; in builds with the feature `tls`, as those of the program are.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use support::World;
use talon_brokers::Kafka as Broker;
use talon_runtime::bus::{Bus, BusFault};

/// The settings of a broker whose second listener speaks TLS with a certificate of its own, which
/// is left in `folder`.
fn settings(folder: &Path) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let store = folder.join("broker.pem");
    fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
    fs::write(&store, key.serialize_pem() + &certificate.pem()).unwrap();
    format!(
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,DOOR0:SSL\n\
         listener.name.door0.ssl.keystore.type=PEM\n\
         listener.name.door0.ssl.keystore.location={}\n",
        store.display()
    )
}

#[test]
fn a_broker_is_used_over_tls_and_one_whose_certificate_is_not_trusted_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let started = Broker::start_secured("tls", &settings(folder.path()));
    let Some((_broker, door)) = started else { return };
    let mut world = World::new(&door);
    world.set("security.protocol", "SSL");
    let told = world.process().probe().unwrap_err();
    assert!(matches!(&told, BusFault::Misconfigured(why) if why.contains("TLS")), "{told:?}");

    world.set("ssl.ca.location", &folder.path().join("ca.pem").display().to_string());
    world.process().probe().unwrap();
    let (mut log, _) = world.open("field");
    log.append(support::TABLE, "k", Some("v")).unwrap();
    log.commit(Some("c")).unwrap();
    let (_log, found) = world.open("field");
    assert_eq!(found.value("k"), Some("v"));
}
