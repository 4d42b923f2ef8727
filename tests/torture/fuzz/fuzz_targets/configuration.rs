#![no_main]
talon_fuzz::fuzz!("configuration");
