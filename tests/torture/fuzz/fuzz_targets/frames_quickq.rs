#![no_main]
talon_fuzz::fuzz!("frames_quickq");
