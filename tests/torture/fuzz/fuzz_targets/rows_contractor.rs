#![no_main]
talon_fuzz::fuzz!("rows_contractor");
