//! What becomes of the output of the command once it passes through cronward.

pub mod log;
