//! What clients of Kafka Connect rely on, as cases: the behaviour that Kafka's own tests of `ConnectorsResource`,
//! `ConnectorPluginsResource`, `LoggingResource` and `RootResource` hold it to, the paths of kcctl, the codes that
//! Strimzi takes as success, and the shapes of kafka-ui's OpenAPI contract.

mod admin;
mod cases;
mod clients;
mod connectors;
