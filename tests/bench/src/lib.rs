//! Benchmark programs
