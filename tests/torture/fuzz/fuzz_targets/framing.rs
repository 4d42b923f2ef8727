#![no_main]
talon_fuzz::fuzz!("framing");
