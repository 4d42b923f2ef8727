#![no_main]
talon_fuzz::fuzz!("slices_enter");
