#![no_main]
talon_fuzz::fuzz!("keys_nats");
